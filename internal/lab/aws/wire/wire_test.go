package wire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"drawbridge/internal/lab/aws/wire"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestValidateFindsWhatDoesNotFit(t *testing.T) {
	tests := []struct {
		name, operation, body string
		want                  []string
	}{
		{"fits", "AssociateAccessPolicy", `{"clusterName":"c","principalArn":"p","policyArn":"x","accessScope":{"type":"namespace","namespaces":["a"]}}`, nil},
		{
			"unknown member", "AssociateAccessPolicy", `{"clusterName":"c","principalArn":"p","policyArn":"x","accessScope":{"typ":"cluster"}}`,
			[]string{"AssociateAccessPolicyRequest.accessScope.typ: AccessScope has no such member"},
		},
		{
			"missing member", "AssociateAccessPolicy", `{"clusterName":"c","principalArn":"p","policyArn":"x"}`,
			[]string{"AssociateAccessPolicyRequest.accessScope: required"},
		},
		{
			"nested missing member", "CreateAddon", `{"clusterName":"c","addonName":"a","podIdentityAssociations":[{"serviceAccount":"s"}]}`,
			[]string{"CreateAddonRequest.podIdentityAssociations[0].roleArn: required"},
		},
		{
			"outside the enumeration", "AssociateAccessPolicy", `{"clusterName":"c","principalArn":"p","policyArn":"x","accessScope":{"type":"Cluster"}}`,
			[]string{`AssociateAccessPolicyRequest.accessScope.type: "Cluster" is not one of [cluster, namespace]`},
		},
		{
			"wrong kinds", "CreateAccessEntry", `{"clusterName":1,"principalArn":"p","kubernetesGroups":"g","tags":["t"]}`,
			[]string{
				"CreateAccessEntryRequest.clusterName: json.Number where the model says string", "CreateAccessEntryRequest.kubernetesGroups: string where the model says list",
				"CreateAccessEntryRequest.tags: []interface {} where the model says map",
			},
		},
		{"integer with a fraction", "ListClusters", `{"maxResults":1.5}`, []string{"ListClustersRequest.maxResults: json.Number where the model says integer"}},
		{
			"boolean as text", "CreatePodIdentityAssociation", `{"clusterName":"c","namespace":"n","serviceAccount":"s","roleArn":"r","disableSessionTags":"true"}`,
			[]string{"CreatePodIdentityAssociationRequest.disableSessionTags: string where the model says boolean"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			op, ok := wire.EKS.Operation(tt.operation)
			if !ok {
				t.Fatal("no such operation")
			}
			object, err := wire.DecodeObject([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, wire.EKS.Validate(op.In, object)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRouter(t *testing.T) {
	router := wire.NewRouter(&wire.EKS)
	arn := "arn:aws:iam::111122223333:role/team/a b"
	tests := []struct {
		name, method, path, operation string
		labels                        map[string]string
	}{
		{"escaped ARN", "GET", "/clusters/c/access-entries/" + url.PathEscape(arn), "DescribeAccessEntry", map[string]string{"clusterName": "c", "principalArn": arn}},
		{"method decides", "DELETE", "/clusters/c", "DeleteCluster", map[string]string{"name": "c"}},
		{"literal before label", "POST", "/clusters/c/identity-provider-configs/describe", "DescribeIdentityProviderConfig", map[string]string{"clusterName": "c"}},
		{"unknown path", "GET", "/clusters/c/nothing", "", nil},
		{"empty label", "GET", "/clusters/c/access-entries/%00/x/y", "", nil},
		{"broken escape", "GET", "/clusters/%zz", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			op, labels, _ := router.Match(tt.method, tt.path)
			if op.Name != tt.operation {
				t.Errorf("got %q, want %q", op.Name, tt.operation)
			}
			if diff := cmp.Diff(tt.labels, labels); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInputRefusesMisplacedMembers(t *testing.T) {
	router := wire.NewRouter(&wire.EKS)
	op, labels, _ := router.Match("POST", "/clusters/c/access-entries")
	_, bad, err := router.Input(op, labels, url.Values{"force": {"1"}}, []byte(`{"principalArn":"p","clusterName":"other"}`))
	want := []string{"clusterName: sent in the body, belongs in the path or the query", "force: no such query parameter"}
	if diff := cmp.Diff(want, bad); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

type formTarget struct {
	Name  string `form:"Name,required"`
	Count *int
	Flag  bool
	Tags  []struct {
		Key   string `form:"Key,required"`
		Value string
	}
	Names []string
}

func TestDecodeForm(t *testing.T) {
	two := 2
	tests := []struct {
		name, form       string
		flat             bool
		want             formTarget
		unknown, missing []string
		wantErr          string
	}{
		{
			name: "lists of structures", form: "Action=X&Version=1&Name=n&Count=2&Flag=true&Tags.member.1.Key=k&Tags.member.1.Value=v&Names.member.1=a&Names.member.2=b",
			want: formTarget{Name: "n", Count: &two, Flag: true, Names: []string{"a", "b"}, Tags: []struct {
				Key   string `form:"Key,required"`
				Value string
			}{{"k", "v"}}},
		},
		{name: "flat lists", flat: true, form: "Name=n&Names.1=a", want: formTarget{Name: "n", Names: []string{"a"}}},
		{name: "empty list", form: "Name=n&Names=", want: formTarget{Name: "n"}},
		{name: "unknown and missing", form: "Nam=n&Names.member.2=gap", unknown: []string{"Nam", "Names.member.2"}, missing: []string{"Name"}},
		{name: "missing in a list", form: "Name=n&Tags.member.1.Value=v", missing: []string{"Tags.member.1.Key"}, want: formTarget{Name: "n", Tags: []struct {
			Key   string `form:"Key,required"`
			Value string
		}{{"", "v"}}}},
		{name: "not a number", form: "Name=n&Count=two", wantErr: `Count: "two" is not an integer`, want: formTarget{Name: "n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			form, err := url.ParseQuery(tt.form)
			if err != nil {
				t.Fatal(err)
			}
			var got formTarget
			unknown, missing, err := wire.DecodeForm(form, &got, tt.flat)
			if err != nil != (tt.wantErr != "") || err != nil && err.Error() != tt.wantErr {
				t.Fatalf("got error %v, want %q", err, tt.wantErr)
			}
			for _, d := range []string{cmp.Diff(tt.want, got), cmp.Diff(tt.unknown, unknown, cmpopts.EquateEmpty()), cmp.Diff(tt.missing, missing, cmpopts.EquateEmpty())} {
				if d != "" {
					t.Error(d)
				}
			}
		})
	}
}

func TestPageIsAPartition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := rapid.SliceOf(rapid.Int()).Draw(t, "items")
		size := rapid.IntRange(1, 7).Draw(t, "size")
		var got []int
		token := ""
		for n := 0; ; n++ {
			part, next, err := wire.Page(items, "list", token, size)
			if err != nil || len(part) > size || n > len(items) {
				t.Fatalf("page %d: %v, %d items", n, err, len(part))
			}
			got = append(got, part...)
			if next == "" {
				break
			}
			if _, _, err := wire.Page(items, "other list", next, size); !errors.Is(err, wire.ErrToken) {
				t.Fatalf("a token of another list is taken: %v", err)
			}
			token = next
		}
		if fmt.Sprint(got) != fmt.Sprint(items) {
			t.Fatalf("got %v, want %v", got, items)
		}
	})
}

func TestParseSignature(t *testing.T) {
	good := "AWS4-HMAC-SHA256 Credential=AKIA/20261115/us-east-1/eks/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + strings.Repeat("0", 64)
	tests := []struct {
		name, authorization, date string
		ok                        bool
	}{
		{"signed", good, "20261115T090000Z", true},
		{"no header", "", "20261115T090000Z", false},
		{"no date", good, "", false},
		{"bearer", "Bearer x", "20261115T090000Z", false},
		{"short signature", strings.TrimSuffix(good, "0"), "20261115T090000Z", false},
		{"no scope", strings.Replace(good, "/aws4_request", "", 1), "20261115T090000Z", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequest("GET", "http://127.0.0.1/", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", tt.authorization)
			r.Header.Set("X-Amz-Date", tt.date)
			r.Header.Set("X-Amz-Security-Token", "tok")
			got, ok := wire.ParseSignature(r)
			want := wire.Signature{}
			if tt.ok {
				want = wire.Signature{AccessKeyID: "AKIA", Region: "us-east-1", Service: "eks", SessionToken: "tok"}
			}
			if diff := cmp.Diff(want, got); diff != "" || ok != tt.ok {
				t.Error(diff, ok)
			}
		})
	}
}

func TestTime(t *testing.T) {
	at := wire.At(time.Date(2026, 11, 15, 9, 0, 0, 123456789, time.FixedZone("x", 3600)))
	for name, want := range map[string]string{"json": "1794729600.123", "text": "2026-11-15T08:00:00Z"} {
		got, _ := at.MarshalText()
		if name == "json" {
			got, _ = at.MarshalJSON()
		}
		if string(got) != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	for _, text := range []string{"1794729600.123", `"2026-11-15T08:00:00.123Z"`} {
		var back wire.Time
		if err := json.Unmarshal([]byte(text), &back); err != nil || !back.Equal(at.Time) {
			t.Errorf("%s: got %v %v", text, back, err)
		}
	}
}

func FuzzRequest(f *testing.F) {
	router := wire.NewRouter(&wire.EKS)
	f.Add("POST", "/clusters/c/access-entries", "a=b", `{"principalArn":"p"}`)
	f.Add("GET", "/clusters", "maxResults=x&include=a", "")
	f.Add("POST", "/", "Tags.member.1.Key=k&Names.1=", "null")
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		if op, labels, ok := router.Match(method, path); ok {
			_, _, _ = router.Input(op, labels, values, []byte(body))
		}
		var target formTarget
		_, _, _ = wire.DecodeForm(values, &target, len(path)%2 == 0)
		_, _, _ = wire.Page([]int{1, 2, 3}, method, path, len(body))
	})
}
