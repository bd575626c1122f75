package access

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"pgregory.net/rapid"

	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// hostileNames are what an attacker might call things.
var hostileNames = []string{
	"", "*", "**", "{{", "}}", "{{SessionName}}", "{{SessionNameRaw}}{{SessionName}}", "{{AccessKeyID}}", "{{EC2PrivateDNSName}}", "{{{{SessionName}}}}", "system:masters", "system:nodes",
	"system:node:", "system:node:n", "system:serviceaccount:", "system:serviceaccount:a:", "system:serviceaccount:a:b:c", "system:serviceaccounts:", ":", "/", "a/b", "\x00", "\x00\x00", "\n", "\xff", "(?:", "[", "\\",
	"arn:", "arn:aws:iam::111122223333:role/", "arn:aws:iam::111122223333:role/dev", "arn:aws:iam::111122223333:role/x/dev", "arn:aws:sts::111122223333:assumed-role/dev/s", "arn:aws:iam::111122223333:user/", "arn:aws:iam::111122223333:root",
	"arn:x:iam::1:role/\u017fdev", "- - -", "&a [*a]", "null", "a", "dev",
}

// TestHostileNames: whatever things are called, questions end, and no answer is without a reason.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := func(label string) string {
			return rapid.OneOf(rapid.SampledFrom(hostileNames), rapid.SampledFrom(hostileNames), rapid.String()).Draw(t, label)
		}
		w := newWorld()
		w.c.Description.AuthenticationMode = rapid.SampledFrom([]string{model.ModeConfigMap, model.ModeAPIConfigMap, model.ModeAPI, "", "x"}).Draw(t, "mode")
		for range rapid.IntRange(0, 3).Draw(t, "roles") {
			role := &model.Role{Meta: model.Meta{Namespace: s("role namespace"), Name: s("role")}, Rules: []rbacv1.PolicyRule{{Verbs: []string{s("verb")}, APIGroups: []string{s("group")}, Resources: []string{s("resource")}, ResourceNames: []string{s("named")}}}}
			b := &model.Binding{Meta: model.Meta{Namespace: s("binding namespace"), Name: s("binding")}, RoleRef: rbacv1.RoleRef{Kind: rapid.SampledFrom([]string{"ClusterRole", "Role", ""}).Draw(t, "kind"), Name: role.Name}}
			for range rapid.IntRange(0, 3).Draw(t, "subjects") {
				b.Subjects = append(b.Subjects, rbacv1.Subject{Kind: rapid.SampledFrom([]string{"User", "Group", "ServiceAccount", ""}).Draw(t, "subject"), Namespace: s("of"), Name: s("name")})
			}
			w.c.ClusterRoles, w.c.RoleBindings = append(w.c.ClusterRoles, role), append(w.c.RoleBindings, b)
		}
		for range rapid.IntRange(0, 2).Draw(t, "entries") {
			e := w.entry(s("principal"), s("username"), s("kubernetes group"))
			e.Type = rapid.SampledFrom([]string{"", model.EntryStandard, model.EntryEC2Linux, model.EntryEC2, "x"}).Draw(t, "type")
			w.policy(e.PrincipalARN, s("policy"), s("scope"))
		}
		w.awsAuth(map[string]string{"mapRoles": s("mapRoles"), "mapUsers": "- userarn: '" + s("userarn") + "'\n  groups: ['" + s("row group") + "']", "mapAccounts": s("mapAccounts")})
		w.c.Pods = []*model.Pod{{Meta: model.Meta{Namespace: s("in"), Name: s("pod"), Owner: s("owner")}, PodSpec: model.PodSpec{NodeName: s("on"), ServiceAccount: s("as")}}}
		c := w.access()
		r := rbac.Request{Verb: s("asked verb"), APIGroup: s("asked group"), Resource: s("asked resource"), Name: s("asked name"), Namespace: s("asked namespace")}
		for _, g := range c.WhoCan(r, rapid.Bool().Draw(t, "anywhere")) {
			if len(g.Chain)+len(g.Conditions) == 0 || g.Verdict == Denied {
				t.Fatalf("an answer without a reason: %+v", g)
			}
		}
		id := Identity{Kind: Kind(rapid.SampledFrom([]string{"IAMRole", "IAMUser", "Pod", "Workload", "ServiceAccount", "User", "Group", "Principal", "x"}).Draw(t, "asked kind")), ARN: s("asked ARN"), Namespace: s("id namespace"), Name: s("id name")}
		if g := c.Check(id, r); len(g.Chain)+len(g.Conditions) == 0 || g.Verdict == "" {
			t.Fatalf("an answer without a reason: %+v", g)
		}
	})
}
