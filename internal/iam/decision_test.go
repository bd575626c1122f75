package iam

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecisionReasons(t *testing.T) {
	p := Policies{
		Identity: policies(t, "reader", allowGet,
			`{"Sid":"Team","Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/${aws:PrincipalTag/Team}/*","Condition":{"Bool":{"aws:SecureTransport":"true"},"StringEquals":{"s3:x-acl":"${aws:SourceVpce}"}}}`,
			`{"Effect":"Allow","Action":"s3:Restore*","Resource":"*","When":"later"}`),
		SCP: [][]Named{policies(t, "FullAWSAccess", allowAll), policies(t, "guard", allowAll, `{"Sid":"NoDelete","Effect":"Deny","Action":"s3:Delete*","Resource":"*"}`)},
	}
	for _, tt := range []struct {
		action, resource, text string
		unknowns, keys         []string
	}{
		{"s3:GetObject", object, "allowed; identity policy reader, statement 1: Allow s3:Get* on *; " +
			"service control policy FullAWSAccess, statement 1: Allow * on *; service control policy guard, statement 1: Allow * on *", nil, nil},
		{"s3:DeleteObject", object, "denied; service control policy guard, NoDelete: Deny s3:Delete* on *", nil, nil},
		{"ec2:RunInstances", "*", "denied", nil, nil},
		{
			"s3:PutObject", "arn:aws:s3:::bucket/red/x", "unknown; identity policy reader, Team: Allow s3:PutObject on arn:aws:s3:::bucket/${aws:PrincipalTag/Team}/* " +
				"if Bool aws:SecureTransport = true and StringEquals s3:x-acl = ${aws:SourceVpce}",
			[]string{"Bool aws:SecureTransport = true", "StringEquals s3:x-acl = ${aws:SourceVpce}", "resource"},
			[]string{"aws:SecureTransport", "aws:principaltag/team", "aws:sourcevpce", "s3:x-acl"},
		},
		{"s3:RestoreObject", object, `unknown; identity policy reader, statement 3: Allow s3:Restore* on * (not understood: element When)`, []string{"element When"}, nil},
	} {
		t.Run(tt.action, func(t *testing.T) {
			d := Evaluate(p, Request{Principal: session(), Action: tt.action, Resource: tt.resource, ResourceAccount: home})
			if diff := cmp.Diff(tt.text, d.String()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.unknowns, d.Unknowns()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.keys, d.UnknownKeys()); diff != "" {
				t.Error(diff)
			}
		})
	}
	d := Evaluate(Policies{Identity: p.Identity, Unread: []Layer{SCP}}, Request{Principal: session(), Action: "s3:GetObject", Resource: object, ResourceAccount: home})
	if diff := cmp.Diff([]string{"service control policy (not read)"}, d.Unknowns()); diff != "" {
		t.Error(diff)
	}
}

// TestUnknownLanguage: what this package does not know never allows and never denies.
func TestUnknownLanguage(t *testing.T) {
	r := Request{Principal: session(), Action: "s3:GetObject", Resource: object, ResourceAccount: home, Context: new(Context).Close()}
	for _, tt := range []struct {
		name, doc string
		want      Verdict
	}{
		{"version", `{"Version":"2030-01-01","Statement":` + allowAll + `}`, Undecided},
		{"element of the policy", `{"Scope":"x","Statement":` + allowAll + `}`, Undecided},
		{"element of the statement", `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Scope":"x"}}`, Undecided},
		{"element of a statement for another action", `{"Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*","Scope":"x"}}`, Denied},
		{"effect in lower case", `{"Statement":{"Effect":"allow","Action":"*","Resource":"*"}}`, Undecided},
		{"no effect", `{"Statement":{"Action":"*","Resource":"*"}}`, Undecided},
		{"operator", `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringResembles":{"k":"v"}}}}`, Undecided},
		{"no action", `{"Statement":{"Effect":"Allow","Resource":"*"}}`, Undecided},
		{"action and not action", `{"Statement":{"Effect":"Allow","Action":"*","NotAction":"ec2:*","Resource":"*"}}`, Undecided},
		{"no resource in an identity policy", `{"Statement":{"Effect":"Allow","Action":"*"}}`, Undecided},
		{"resource and not resource", `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","NotResource":"x"}}`, Undecided},
		{"principal in an identity policy", `{"Statement":` + grantTo(`"*"`) + `}`, Undecided},
		{"no statements", `{"Statement":[]}`, Denied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse([]byte(tt.doc))
			if err != nil {
				t.Fatal(err)
			}
			d := Evaluate(Policies{Identity: []Named{{"i", p}}}, r)
			if d.Verdict != tt.want {
				t.Errorf("got %v, want %v", d, tt.want)
			}
			if d.Verdict == Undecided && len(d.Unknowns()) == 0 {
				t.Error("unknown without a reason")
			}
		})
	}
	later, err := Parse([]byte(`{"Version":"2030-01-01","Statement":` + denyGet + `}`))
	if err != nil {
		t.Fatal(err)
	}
	d := Evaluate(Policies{Identity: append(policies(t, "i", allowAll), Named{"later", later})}, r)
	if d.Verdict != Undecided {
		t.Errorf("a Deny in an unknown version: %v", d)
	}
	d = Evaluate(Policies{Resource: policies(t, "r", allowAll)}, r)
	if d.Verdict != Undecided {
		t.Errorf("a resource policy without principal: %v", d)
	}
}
