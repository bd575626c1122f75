package iam

import (
	"testing"
)

// condition parses one condition, given as the JSON of a Condition element.
func condition(t testing.TB, element string) *Condition {
	t.Helper()
	p := policy(t, `{"Effect":"Allow","Action":"*","Resource":"*","Condition":`+element+`}`)
	return &p.Statements[0].Conditions[0]
}

// TestConditionOperators covers "IAM JSON policy elements: Condition operators" (IAM User Guide, 2026-11):
// each operator on a known value of the key k.
func TestConditionOperators(t *testing.T) {
	for _, tt := range []struct {
		element, value string
		want           Truth
	}{
		{`{"StringEquals":{"k":"Red"}}`, "Red", True},
		{`{"StringEquals":{"K":"Red"}}`, "red", False},
		{`{"StringEquals":{"k":["Blue","Red"]}}`, "Red", True},
		{`{"StringEquals":{"k":"R*"}}`, "Red", False},
		{`{"StringEquals":{"k":"R*"}}`, "R*", True},
		{`{"StringEquals":{"k":[]}}`, "Red", False},
		{`{"stringequals":{"k":"Red"}}`, "Red", True},
		{`{"StringNotEquals":{"k":["Blue","Red"]}}`, "Red", False},
		{`{"StringNotEquals":{"k":["Blue","Green"]}}`, "Red", True},
		{`{"StringEqualsIgnoreCase":{"k":"rEd"}}`, "Red", True},
		{`{"StringNotEqualsIgnoreCase":{"k":"rEd"}}`, "Red", False},
		{`{"StringEqualsIgnoreCase":{"k":"r*"}}`, "Red", False},
		{`{"StringLike":{"k":"R?d*"}}`, "Red", True},
		{`{"StringLike":{"k":"r*"}}`, "Red", False},
		{`{"StringLike":{"k":"system:serviceaccount:*:cart"}}`, "system:serviceaccount:a:b:cart", True},
		{`{"StringNotLike":{"k":"R*"}}`, "Red", False},
		{`{"StringLike":{"k":"${aws:PrincipalTag/team}-*"}}`, "red-1", True},
		{`{"StringEquals":{"k":"${aws:PrincipalTag/team}"}}`, "blue", False},
		{`{"StringEqualsIgnoreCase":{"k":"x${aws:PrincipalTag/team}y"}}`, "XREDY", True},
		{`{"StringEquals":{"k":"${gone}"}}`, "", False},
		{`{"StringNotEquals":{"k":"${gone}"}}`, "", True},
		{`{"StringEquals":{"k":"${unknown}"}}`, "red", Unknown},
		{`{"StringNotEquals":{"k":"${unknown}"}}`, "red", Unknown},
		{`{"StringEquals":{"k":"a${unknown}"}}`, "red", False},

		{`{"NumericEquals":{"k":10}}`, "10.0", True},
		{`{"NumericEquals":{"k":"-0"}}`, "0", True},
		{`{"NumericNotEquals":{"k":"10"}}`, "010", False},
		{`{"NumericLessThan":{"k":"10"}}`, "9.99", True},
		{`{"NumericLessThan":{"k":"10"}}`, "10", False},
		{`{"NumericLessThanEquals":{"k":10}}`, "10", True},
		{`{"NumericGreaterThan":{"k":-2}}`, "-1.5", True},
		{`{"NumericGreaterThan":{"k":-2}}`, "-3", False},
		{`{"NumericGreaterThan":{"k":"0.15"}}`, "0.2", True},
		{`{"NumericGreaterThanEquals":{"k":"9007199254740993"}}`, "9007199254740992", False},
		{`{"NumericEquals":{"k":"ten"}}`, "10", Unknown},
		{`{"NumericEquals":{"k":"10"}}`, "ten", Unknown},
		{`{"NumericEquals":{"k":1e1}}`, "10", Unknown},

		{`{"DateEquals":{"k":"2026-11-01"}}`, "2026-11-01T00:00:00Z", True},
		{`{"DateEquals":{"k":"2026-11-01T01:00:00+01:00"}}`, "1793491200", True},
		{`{"DateNotEquals":{"k":"2026"}}`, "2026-01-01T00:00Z", False},
		{`{"DateLessThan":{"k":"2026-11"}}`, "2026-10-31T23:59:59.999Z", True},
		{`{"DateLessThanEquals":{"k":"2026-11-01T00:00:00Z"}}`, "2026-11-01T00:00:00Z", True},
		{`{"DateGreaterThan":{"k":"2026-11-01T00:00:00Z"}}`, "2026-11-01T00:00:00Z", False},
		{`{"DateGreaterThanEquals":{"k":1793491200}}`, "2026-11-01T00:00:00Z", True},
		{`{"DateLessThan":{"k":"tomorrow"}}`, "2026-11-01T00:00:00Z", Unknown},
		{`{"DateLessThan":{"k":"2026-11-01T00:00:00"}}`, "2026-11-01T00:00:00Z", Unknown},

		{`{"Bool":{"k":true}}`, "true", True},
		{`{"Bool":{"k":"TRUE"}}`, "true", True},
		{`{"Bool":{"k":"false"}}`, "true", False},
		{`{"Bool":{"k":["true","false"]}}`, "true", True},
		{`{"Bool":{"k":"${aws:SecureTransport}"}}`, "true", Unknown},
		{`{"BinaryEquals":{"k":"QmluYXJ5"}}`, "QmluYXJ5", True},
		{`{"BinaryEquals":{"k":"Qg=="}}`, "Qw==", False},

		{`{"IpAddress":{"k":"203.0.113.0/24"}}`, "203.0.113.255", True},
		{`{"IpAddress":{"k":["203.0.113.0/24","2001:db8:1234:5678::/64"]}}`, "2001:DB8:1234:5678::1", True},
		{`{"IpAddress":{"k":"203.0.113.7"}}`, "203.0.113.8", False},
		{`{"IpAddress":{"k":"203.0.113.77/24"}}`, "203.0.113.1", True},
		{`{"NotIpAddress":{"k":"203.0.113.0/24"}}`, "198.51.100.1", True},
		{`{"IpAddress":{"k":"203.0.113.0/33"}}`, "203.0.113.1", Unknown},
		{`{"IpAddress":{"k":"203.0.113.0/24"}}`, "somewhere", Unknown},
		{`{"IpAddress":{"k":"203.0.113.0/24"}}`, "::ffff:203.0.113.7", Unknown},
		{`{"NotIpAddress":{"k":"203.0.113.0/24"}}`, "2001:db8::1", True},

		{`{"ArnEquals":{"k":"arn:aws:iam::111122223333:role/*"}}`, "arn:aws:iam::111122223333:role/a/b", True},
		{`{"ArnLike":{"k":"arn:aws:someservice:*:111122223333:finance/*"}}`, "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt", False},
		{`{"StringLike":{"k":"arn:aws:someservice:*:111122223333:finance/*"}}`, "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt", True},
		{`{"ArnLike":{"k":"arn:aws:eks:*:${acct}:cluster/p?"}}`, "arn:aws:eks:eu-central-1:111122223333:cluster/p1", True},
		{`{"ArnNotLike":{"k":"arn:aws:eks:*:*:cluster/prod"}}`, "arn:aws:eks:eu-central-1:111122223333:cluster/test", True},
		{`{"ArnNotEquals":{"k":"arn:aws:eks:*:*:cluster/prod"}}`, "arn:aws:eks:eu-central-1:111122223333:cluster/prod", False},
		{`{"ArnLike":{"k":"*"}}`, "arn:aws:eks:eu-central-1:111122223333:cluster/prod", Unknown},
		{`{"ArnLike":{"k":"arn:aws:s3"}}`, "arn:aws:eks:eu-central-1:111122223333:cluster/prod", False},

		{`{"Null":{"k":"true"}}`, "x", False},
		{`{"Null":{"k":false}}`, "x", True},
		{`{"Null":{"k":"false"}}`, "", Unknown},
		{`{"Null":{"k":"perhaps"}}`, "x", Unknown},
		{`{"NullIfExists":{"k":"true"}}`, "x", Unknown},
		{`{"StringResembles":{"k":"x"}}`, "x", Unknown},
		{`{"ForSomeValues:StringEquals":{"k":"x"}}`, "x", Unknown},
		{`{"StringEqualsIfExists":{"k":"x"}}`, "y", False},
	} {
		t.Run(tt.element+" on "+tt.value, func(t *testing.T) {
			c := new(Context).Set("k", tt.value).Set("aws:PrincipalTag/team", "red").Set("acct", "111122223333").SetAbsent("gone")
			if got := condition(t, tt.element).Test(&Request{Context: c}); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// TestConditionPresence covers keys that are absent or unknown, and several values ("Single-valued vs.
// multivalued context keys", IAM User Guide, 2026-11).
func TestConditionPresence(t *testing.T) {
	for _, tt := range []struct {
		element         string
		absent, unknown Truth
		ab, ax, xy      Truth // on the values a and b, a and x, x and y
	}{
		{`{"StringEquals":{"k":["a","b"]}}`, False, Unknown, True, Unknown, False},
		{`{"StringNotEquals":{"k":["a","b"]}}`, True, Unknown, False, Unknown, True},
		{`{"StringEqualsIfExists":{"k":["a","b"]}}`, True, Unknown, True, Unknown, False},
		{`{"StringNotEqualsIfExists":{"k":["a","b"]}}`, True, Unknown, False, Unknown, True},
		{`{"ForAllValues:StringEquals":{"k":["a","b"]}}`, True, Unknown, True, False, False},
		{`{"ForAnyValue:StringEquals":{"k":["a","b"]}}`, False, Unknown, True, True, False},
		{`{"ForAllValues:StringNotEquals":{"k":["a","b"]}}`, True, Unknown, False, False, True},
		{`{"ForAnyValue:StringNotEquals":{"k":["a","b"]}}`, False, Unknown, False, True, True},
		{`{"ForAllValues:StringEqualsIfExists":{"k":["a","b"]}}`, True, Unknown, True, False, False},
		{`{"ForAnyValue:StringEqualsIfExists":{"k":["a","b"]}}`, Unknown, Unknown, True, True, False},
		{`{"Null":{"k":"true"}}`, True, Unknown, False, False, False},
		{`{"Null":{"k":"false"}}`, False, Unknown, True, True, True},
		{`{"Null":{"k":["true","false"]}}`, True, True, True, True, True},
		// What holds for every value holds for an unknown one.
		{`{"StringLike":{"k":"*"}}`, False, Unknown, True, True, True},
		{`{"StringLikeIfExists":{"k":["z","*"]}}`, True, True, True, True, True},
		{`{"StringNotLike":{"k":"**"}}`, True, Unknown, False, False, False},
		{`{"ForAllValues:StringLike":{"k":"*"}}`, True, True, True, True, True},
		{`{"ForAnyValue:StringNotLike":{"k":"*"}}`, False, Unknown, False, False, False},
		{`{"StringEquals":{"k":[]}}`, False, False, False, False, False},
		{`{"StringNotEquals":{"k":[]}}`, True, True, True, True, True},
	} {
		t.Run(tt.element, func(t *testing.T) {
			c := condition(t, tt.element)
			for _, on := range []struct {
				name string
				ctx  *Context
				want Truth
			}{
				{"absent", new(Context).SetAbsent("k"), tt.absent},
				{"closed", new(Context).Close(), tt.absent},
				{"absent by prefix", new(Context).AbsentUnder("K"), tt.absent},
				{"unknown", nil, tt.unknown},
				{"set unknown", new(Context).SetUnknown("k").Close(), tt.unknown},
				{"a, b", new(Context).Set("k", "a", "b"), tt.ab},
				{"a, x", new(Context).Set("k", "a", "x"), tt.ax},
				{"x, y", new(Context).Set("k", "x", "y"), tt.xy},
			} {
				if got := c.Test(&Request{Context: on.ctx}); got != on.want {
					t.Errorf("%s: %v, want %v", on.name, got, on.want)
				}
			}
			if got := c.TrueWhenAbsent(); got != (tt.absent == True) {
				t.Errorf("TrueWhenAbsent: %v", got)
			}
		})
	}
}

// TestEmptyValues: ForAllValues is true "if the context key value resolves to a null dataset, such as an
// empty string", ForAnyValue false for "a null dataset" (same page).
func TestEmptyValues(t *testing.T) {
	empty := &Request{Context: new(Context).Set("k", "")}
	for element, want := range map[string]Truth{
		`{"ForAllValues:StringEquals":{"k":"a"}}`:     True,
		`{"ForAllValues:StringNotEquals":{"k":""}}`:   True,
		`{"ForAnyValue:StringEquals":{"k":"a"}}`:      False,
		`{"ForAnyValue:StringEquals":{"k":""}}`:       Unknown,
		`{"StringEquals":{"k":""}}`:                   True,
		`{"ForAnyValue:StringNotEquals":{"k":["a"]}}`: Unknown,
	} {
		if got := condition(t, element).Test(empty); got != want {
			t.Errorf("%s: %v, want %v", element, got, want)
		}
	}
}

// TestDerivedKeys covers the keys that follow from the principal ("AWS global condition context keys" and
// "Principal key values", IAM User Guide, 2026-11).
func TestDerivedKeys(t *testing.T) {
	const any = "*" // unknown
	keys := []string{"aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalType", "aws:username", "aws:PrincipalIsAWSService", "aws:PrincipalServiceName"}
	for _, tt := range []struct {
		name string
		who  Principal
		want [6]string // empty for absent
	}{
		{"user", ParsePrincipal("arn:aws:iam::111122223333:user/ops/carlos"), [6]string{"arn:aws:iam::111122223333:user/ops/carlos", home, "User", "carlos", "false", ""}},
		{"role", session(), [6]string{roleARN, home, "AssumedRole", "", "false", ""}},
		{"session, path not known", ParsePrincipal(sessionARN), [6]string{any, home, "AssumedRole", "", "false", ""}},
		{"root", ParsePrincipal("arn:aws:iam::111122223333:root"), [6]string{"arn:aws:iam::111122223333:root", home, "Account", "", "false", ""}},
		{"service", ServicePrincipal("pods.eks.amazonaws.com"), [6]string{any, any, any, any, "true", "pods.eks.amazonaws.com"}},
		{"federated", FederatedPrincipal(provider), [6]string{any, any, any, any, any, any}},
		{"anonymous", ParsePrincipal("*"), [6]string{"", any, "Anonymous", "", any, any}},
		{"nothing known", Principal{}, [6]string{any, any, any, any, any, any}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for i, key := range keys {
				r := &Request{Principal: tt.who}
				equals, null := condition(t, `{"StringEquals":{"`+key+`":"`+tt.want[i]+`"}}`).Test(r), condition(t, `{"Null":{"`+key+`":"true"}}`).Test(r)
				wantEquals, wantNull := True, False
				switch tt.want[i] {
				case any:
					wantEquals, wantNull = Unknown, Unknown
				case "":
					wantEquals, wantNull = False, True
				}
				if equals != wantEquals || null != wantNull {
					t.Errorf("%s: equals %v, null %v; want %v, %v", key, equals, null, wantEquals, wantNull)
				}
			}
			own := &Request{Principal: tt.who, Context: new(Context).Set("aws:PrincipalArn", "given")}
			if condition(t, `{"StringEquals":{"aws:PrincipalArn":"given"}}`).Test(own) != True {
				t.Error("the context does not come first")
			}
		})
	}
}
