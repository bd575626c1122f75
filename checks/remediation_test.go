package checks

import (
	"strings"
	"testing"

	"drawbridge/internal/check"
	"drawbridge/internal/check/checktest"
	"drawbridge/internal/finding"
)

// TestForeignToNobody: without the cluster's own account no other can be told from it.
func TestForeignToNobody(t *testing.T) {
	c, err := checktest.Parse("case.yaml", []byte(`accessEntries: [{principalArn: "arn:aws:iam::444455556666:role/a", type: STANDARD}]`))
	if err != nil {
		t.Fatal(err)
	}
	c.Snapshot.Clusters[0].Account = ""
	for _, f := range check.Run([]*check.Check{accessEntryExternalAccount}, c.Snapshot, check.Settings{}) {
		if f.Status != finding.NotAssessed {
			t.Errorf("%s: %s", f.Status, f.Message)
		}
	}
}

// TestRemediation holds the texts to be pasted that would do harm if they were wrong.
func TestRemediation(t *testing.T) {
	for _, tt := range []struct {
		name  string
		check *check.Check
		yaml  string
		want  []string
		never []string
	}{
		{
			name: "an access entry has what its row gave, the role's path, and the type of nodes", check: authenticationModeTransitional,
			yaml: `
mode: API_AND_CONFIG_MAP
iamRoles:
- {name: ops, arn: "arn:aws:iam::111122223333:role/team/ops"}
- {name: node, arn: "arn:aws:iam::111122223333:role/node"}
- {name: fargate, arn: "arn:aws:iam::111122223333:role/fargate"}
awsAuth:
  name: aws-auth
  data:
    mapRoles: |
      - {rolearn: "arn:aws:iam::111122223333:role/ops", username: ops, groups: ["devs", "system:masters", "x\n y"]}
      - {rolearn: "arn:aws:iam::111122223333:role/node", username: "system:node:{{EC2PrivateDNSName}}", groups: ["system:bootstrappers", "system:nodes"]}
      - {rolearn: "arn:aws:iam::111122223333:role/fargate", username: "system:node:{{SessionName}}", groups: ["system:bootstrappers", "system:nodes", "system:node-proxier"]}
      - {rolearn: "arn:aws:iam::444455556666:role/away", username: "{{SessionName}}", groups: ["system:x\nrm -rf"]}
      - {rolearn: "arn:aws:iam::111122223333:role/gone", username: gone}
`,
			want: []string{
				"--principal-arn arn:aws:iam::111122223333:role/team/ops --username ops --kubernetes-groups devs 'x",
				"--principal-arn arn:aws:iam::111122223333:role/team/ops --policy-arn arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy --access-scope type=cluster",
				"--principal-arn arn:aws:iam::111122223333:role/node --type EC2_LINUX\n",
				"--principal-arn arn:aws:iam::111122223333:role/fargate --type FARGATE_LINUX\n",
				"# an access entry needs the IAM role's path, which was not read: role/PATH/away",
				"# no access entry can be made for arn:aws:iam::111122223333:role/gone: the IAM role does not exist",
			},
			never: []string{"\nrm", "role/ops\n", "role/node\n"},
		},
		{
			name: "a strong group goes, the others stay", check: accessEntryGroupPrivileged,
			yaml: `
accessEntries:
- {principalArn: "arn:aws:iam::111122223333:role/a", type: STANDARD, groups: [admins, devs]}
- {principalArn: "arn:aws:iam::111122223333:role/b", type: STANDARD, groups: [admins]}
- {principalArn: "arn:aws:iam::111122223333:role/c", type: STANDARD, groups: [devs], username: carol}
clusterRoles:
- {name: all, rules: [{verbs: ["*"], apiGroups: ["*"], resources: ["*"]}]}
clusterRoleBindings:
- {name: p, roleRef: {kind: ClusterRole, name: all}, subjects: [{kind: Group, name: admins}, {kind: User, name: carol}]}
`,
			want: []string{
				"--principal-arn arn:aws:iam::111122223333:role/a --kubernetes-groups devs\n",
				"--principal-arn arn:aws:iam::111122223333:role/b --kubernetes-groups '[]'\n",
				"# take username carol out of the binding",
			},
			never: []string{"role/c --kubernetes-groups"},
		},
		{
			name: "roles that others are bound to are not edited", check: awsAuthWritable,
			yaml: `
mode: CONFIG_MAP
awsAuth: {name: aws-auth}
clusterRoles:
- {name: edit, rules: [{verbs: [update], apiGroups: [""], resources: [configmaps]}]}
- {name: mine, rules: [{verbs: [update], apiGroups: [""], resources: [configmaps]}]}
clusterRoleBindings:
- {name: mine, roleRef: {kind: ClusterRole, name: mine}, subjects: [{kind: Group, name: devs}]}
roleBindings:
- {namespace: kube-system, name: devs, roleRef: {kind: ClusterRole, name: edit}, subjects: [{kind: Group, name: devs}]}
`,
			want:  []string{"kubectl delete -n kube-system rolebinding/devs\n", "kubectl edit clusterrole/mine\n"},
			never: []string{"kubectl edit clusterrole edit", "clusterrole -n"},
		},
		{
			name: "a pod's own field is taken out before the service account's can count", check: serviceAccountTokenAutomounted,
			yaml: `
serviceAccounts: [{namespace: shop, name: web, automount: false}]
workloads: [{namespace: shop, name: d, kind: Deployment, serviceAccount: web, automount: true}]
`,
			want: []string{`kubectl patch -n shop deployment/d -p '{"spec":{"template":{"spec":{"automountServiceAccountToken":null}}}}'`},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := checktest.Parse("case.yaml", []byte(tt.yaml))
			if err != nil {
				t.Fatal(err)
			}
			text := ""
			for _, f := range check.Run([]*check.Check{tt.check}, c.Snapshot, check.Settings{}) {
				text += f.Remediation.Text + "\n"
			}
			for _, w := range tt.want {
				if !strings.Contains(text, w) {
					t.Errorf("nothing to paste has %q:\n%s", w, text)
				}
			}
			for _, n := range tt.never {
				if strings.Contains(text, n) {
					t.Errorf("%q is to be pasted:\n%s", n, text)
				}
			}
		})
	}
}
