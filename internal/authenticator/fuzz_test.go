package authenticator

import (
	"strings"
	"testing"
)

// FuzzParseConfigMap checks that nothing in a ConfigMap makes the parser panic or contradict itself.
func FuzzParseConfigMap(f *testing.F) {
	f.Add("- rolearn: arn:aws:iam::111122223333:role/A\n  username: a\n  groups: [g]\n", "", "")
	f.Add("- &a\n  rolearn: x\n  <<: *a\n- *a\n", "- {USERARN: y, userarn: z, groups: n}\n", "- 012345678901\n- ~\n")
	f.Add("[{rolearn: !!binary gIE=, username: .nan}]", "? [a]\n: b", "&a [*a]")
	f.Add("- rolearn: \"\\x41\"\r\n\tusername: |\r\n  a", "%YAML 1.1\n---\n- null\n...\n---\n{}", "``")
	f.Fuzz(func(t *testing.T, roles, users, accounts string) {
		a := ParseConfigMap(map[string]string{"mapRoles": roles, "mapUsers": users, "mapAccounts": accounts})
		m := NewMapper(Stores{Mode: ModeConfigMap, AWSAuth: a})
		for i := range a.Rows {
			r := &a.Rows[i]
			if r.Effective.State == "" || r.Effective.By != nil && a.Row(*r.Effective.By) == nil {
				t.Errorf("row %+v", r)
			}
			if len(a.Problems) == 0 && r.Effective.State == Dropped {
				t.Errorf("a row is dropped without a problem: %+v", r)
			}
			if len(a.Problems) == 0 && r.ReadsOtherwise() && !strings.Contains(roles+users, "!") {
				t.Errorf("a row reads otherwise without a problem: %+v", r)
			}
			got := m.Map(Identity{ARN: r.Read.ARN, CanonicalARN: r.Read.ARN})
			if want := r.CanMap(); want && got.Outcome == NotMapped {
				t.Errorf("row %+v can map, but its ARN is %+v", r, got)
			}
		}
	})
}

func BenchmarkParseConfigMap(b *testing.B) {
	var rows strings.Builder
	for range 100 {
		rows.WriteString("- rolearn: arn:aws:iam::111122223333:role/Node\n  username: system:node:{{EC2PrivateDNSName}}\n  groups:\n  - system:bootstrappers\n  - system:nodes\n")
	}
	data := map[string]string{"mapRoles": rows.String()}
	for b.Loop() {
		ParseConfigMap(data)
	}
}

func BenchmarkMap(b *testing.B) {
	m := NewMapper(Stores{Mode: ModeAPIAndConfigMap, AWSAuth: ParseConfigMap(map[string]string{
		"mapRoles": "- rolearn: " + roleOf("Dev") + "\n  username: dev:{{SessionName}}\n  groups: [dev]\n",
	})})
	id := Identity{ARN: sessionOf("Dev", "bob"), UserID: "AROA1", SessionName: "bob"}
	for b.Loop() {
		if r := m.Map(id); r.Outcome != Mapped {
			b.Fatal(r)
		}
	}
}
