package migrate

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

const (
	own   = "111122223333"
	other = "444455556666"
)

// synthetic is a cluster in a partition with this aws-auth, whose account has been read with these principals.
func synthetic(partition, mode string, data map[string]string, principals ...string) *model.Snapshot {
	c := &model.Cluster{Name: "prod", ARN: "arn:" + partition + ":eks:eu-central-1:" + own + ":cluster/prod", Account: own, Region: "eu-central-1", Partition: partition, Read: map[model.Area]bool{}}
	for _, a := range model.Areas {
		if !a.OfAccount {
			c.Read[a.Area] = true
		}
	}
	c.Description = &model.Description{AuthenticationMode: mode}
	c.AWSAuth = &model.AWSAuth{Data: data}
	c.AWSAuth.Namespace, c.AWSAuth.Name = "kube-system", "aws-auth"
	acct := &model.Account{ID: own, Partition: partition}
	acct.MarkRead(model.AreaIAMRoles, model.AreaIAMUsers, model.AreaIAMGroups, model.AreaIAMPolicies)
	for _, p := range principals {
		name := p[strings.LastIndex(p, "/")+1:]
		if strings.Contains(p, ":user/") {
			acct.Users = append(acct.Users, &model.IAMUser{ARN: p, Name: name})
		} else {
			acct.Roles = append(acct.Roles, &model.IAMRole{ARN: p, Name: name})
		}
	}
	return &model.Snapshot{Clusters: []*model.Cluster{c}, Accounts: []*model.Account{acct}}
}

func role(name string) string { return "arn:aws:iam::" + own + ":role/" + name }

// become plans and returns what becomes of the rows.
func become(s *model.Snapshot, o Options) *Migration {
	a := access.New(s)
	return AccessEntries(s, a, a.Clusters()[0], o)
}

// TestTraps has a case for each trap of known migrators, and for what EKS refuses.
func TestTraps(t *testing.T) {
	type want struct {
		outcome Outcome
		why     string // part of it
		changes []plan.Change
	}
	const id = "arn:aws:eks:eu-central-1:" + own + ":cluster/prod"
	entry := func(principal, username string, groups ...string) plan.Change {
		return plan.CreateAccessEntry{Cluster: id, PrincipalARN: principal, Username: username, Groups: groups}
	}
	node := func(kind string) plan.Change {
		return plan.CreateAccessEntry{Cluster: id, PrincipalARN: role("node"), Type: kind}
	}
	admin := func(principal string) plan.Change {
		return plan.AssociateAccessPolicy{Cluster: id, PrincipalARN: principal, PolicyARN: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy", Scope: model.AccessScope{Type: "cluster"}}
	}
	for name, c := range map[string]struct {
		roles, users, accounts string
		principals             []string
		options                Options
		rows                   []want
		blockers               []string // parts
	}{
		"a role of another account is not the role of that name in the cluster's account": {
			roles: `[{rolearn: "arn:aws:iam::` + other + `:role/admin", username: admin, groups: ["system:masters"]}]`, principals: []string{role("admin")},
			rows: []want{{outcome: Blocked, why: "of account " + other}}, blockers: []string{other},
		},
		"also a trusted account's role is not moved, while its path is not known": {
			roles: `[{rolearn: "arn:aws:iam::` + other + `:role/admin", username: admin}]`, principals: []string{role("admin")}, options: Options{TrustedAccounts: []string{other}},
			rows: []want{{outcome: Blocked, why: "path of role admin is not known"}}, blockers: []string{"path"},
		},
		"the last of duplicates counts": {
			roles: `[{rolearn: "` + role("dev") + `", username: a, groups: [first]}, {rolearn: "` + role("DEV") + `", username: b, groups: [last]}]`, principals: []string{role("team/dev")},
			rows: []want{{outcome: Nothing, why: "never let anybody in"}, {outcome: BecomesEntry, changes: []plan.Change{entry(role("team/dev"), "b", "last")}}},
		},
		"system:masters keeps its other groups": {
			roles: `[{rolearn: "` + role("admin") + `", username: admin, groups: ["system:masters", deployers]}]`, principals: []string{role("admin")},
			rows: []want{{outcome: BecomesPolicy, changes: []plan.Change{entry(role("admin"), "admin", "deployers"), admin(role("admin"))}}},
		},
		"other system: groups are a blocker": {
			roles: `[{rolearn: "` + role("x") + `", username: x, groups: ["system:authenticated-admins"]}]`, principals: []string{role("x")},
			rows: []want{{outcome: Blocked, why: "system:authenticated-admins"}}, blockers: []string{"refuses group"},
		},
		"mapAccounts is a blocker": {accounts: `["` + other + `"]`, blockers: []string{"account " + other}},
		"a service-linked role is left": {
			roles:      `[{rolearn: "arn:aws:iam::` + own + `:role/AWSServiceRoleForX", username: x, groups: [g]}]`,
			principals: []string{role("aws-service-role/x.amazonaws.com/AWSServiceRoleForX")},
			rows:       []want{{outcome: Nothing, why: "service-linked"}},
		},
		"nodes get an entry of their type": {
			roles: `[{rolearn: "` + role("node") + `", username: "system:node:{{EC2PrivateDNSName}}", groups: ["system:bootstrappers", "system:nodes"]}]`, principals: []string{role("node")},
			rows: []want{{outcome: BecomesNode, changes: []plan.Change{node("EC2_LINUX")}}},
		},
		"Windows nodes": {
			roles:      `[{rolearn: "` + role("node") + `", username: "system:node:{{EC2PrivateDNSName}}", groups: ["system:bootstrappers", "system:nodes", "eks:kube-proxy-windows"]}]`,
			principals: []string{role("node")}, rows: []want{{outcome: BecomesNode, changes: []plan.Change{node("EC2_WINDOWS")}}},
		},
		"Fargate": {
			roles:      `[{rolearn: "` + role("node") + `", username: "system:node:{{SessionName}}", groups: ["system:bootstrappers", "system:nodes", "system:node-proxier"]}]`,
			principals: []string{role("node")}, rows: []want{{outcome: BecomesNode, changes: []plan.Change{node("FARGATE_LINUX")}}},
		},
		"hybrid nodes": {
			roles:      `[{rolearn: "` + role("node") + `", username: "system:node:{{SessionName}}", groups: ["system:bootstrappers", "system:nodes"]}]`,
			principals: []string{role("node")}, rows: []want{{outcome: BecomesNode, changes: []plan.Change{node("HYBRID_LINUX")}}},
		},
		"nodes with a username of their own do not become STANDARD": {
			roles:      `[{rolearn: "` + role("node") + `", username: "system:node:mine", groups: ["system:bootstrappers", "system:nodes"]}]`,
			principals: []string{role("node")}, rows: []want{{outcome: Blocked, why: "prefix system:"}}, blockers: []string{"system:"},
		},
		"a reserved prefix": {
			roles: `[{rolearn: "` + role("x") + `", username: "eks:x"}]`, principals: []string{role("x")},
			rows: []want{{outcome: Blocked, why: "prefix eks:"}}, blockers: []string{"eks:x"},
		},
		"no colon before the session name": {
			roles: `[{rolearn: "` + role("x") + `", username: "x-{{SessionName}}"}]`, principals: []string{role("x")},
			rows: []want{{outcome: Blocked, why: "colon"}}, blockers: []string{"colon"},
		},
		"a colon before the session name": {
			roles: `[{rolearn: "` + role("x") + `", username: "x:{{SessionName}}"}]`, principals: []string{role("x")},
			rows: []want{{outcome: BecomesEntry, changes: []plan.Change{entry(role("x"), "x:{{SessionName}}")}}},
		},
		"a template in groups": {
			roles: `[{rolearn: "` + role("x") + `", username: x, groups: ["{{SessionName}}"]}]`, principals: []string{role("x")},
			rows: []want{{outcome: Blocked, why: "template"}}, blockers: []string{"template"},
		},
		"a row with a path never matched": {
			roles: `[{rolearn: "` + role("team/x") + `", username: x, groups: [g]}]`, principals: []string{role("team/x")},
			rows: []want{{outcome: Nothing, why: "never let anybody in"}},
		},
		"a role that is gone": {
			roles: `[{rolearn: "` + role("gone") + `", username: x, groups: [g]}]`, rows: []want{{outcome: Nothing, why: "does not exist"}},
		},
		"an IAM Identity Center role has its path": {
			roles:      `[{rolearn: "` + role("AWSReservedSSO_Admin_0123456789abcdef") + `", username: sso, groups: [g]}]`,
			principals: []string{role("aws-reserved/sso.amazonaws.com/eu-central-1/AWSReservedSSO_Admin_0123456789abcdef")},
			rows: []want{{outcome: BecomesEntry, changes: []plan.Change{
				entry(role("aws-reserved/sso.amazonaws.com/eu-central-1/AWSReservedSSO_Admin_0123456789abcdef"), "sso", "g"),
			}}},
		},
		"in capitals": {
			roles: `[{rolearn: "` + strings.ToUpper(role("dev")) + `", username: dev, groups: [g]}]`, principals: []string{role("team/dev")},
			users: `[{userarn: "ARN:AWS:IAM::` + own + `:USER/JANE", username: jane, groups: [g]}]`,
			rows:  []want{{outcome: BecomesEntry, changes: []plan.Change{entry(role("team/dev"), "dev", "g")}}, {outcome: Nothing, why: "does not exist"}},
		},
		"a root user": {
			users: `[{userarn: "arn:aws:iam::` + own + `:root", username: root, groups: [g]}]`,
			rows:  []want{{outcome: Blocked, why: "root user"}}, blockers: []string{"root user"},
		},
		"a user keeps its path": {
			users: `[{userarn: "arn:aws:iam::` + own + `:user/ops/Jane", username: jane, groups: [g]}]`, principals: []string{"arn:aws:iam::" + own + ":user/ops/Jane"},
			rows: []want{{outcome: BecomesEntry, changes: []plan.Change{entry("arn:aws:iam::"+own+":user/ops/Jane", "jane", "g")}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := become(synthetic("aws", model.ModeConfigMap, map[string]string{"mapRoles": c.roles, "mapUsers": c.users, "mapAccounts": c.accounts}, c.principals...), c.options)
			if len(m.Rows) != len(c.rows) {
				t.Fatalf("%d rows, want %d", len(m.Rows), len(c.rows))
			}
			for i, w := range c.rows {
				got := m.Rows[i]
				if got.Outcome != w.outcome || !strings.Contains(got.Why, w.why) {
					t.Errorf("row %d: %s (%s), want %s (… %s …)", i+1, got.Outcome, got.Why, w.outcome, w.why)
				}
				if diff := cmp.Diff(w.changes, got.Changes); diff != "" {
					t.Errorf("row %d (-want +got):\n%s", i+1, diff)
				}
			}
			if len(m.Blockers) != len(c.blockers) {
				t.Fatalf("blockers %q, want %d", m.Blockers, len(c.blockers))
			}
			for i, w := range c.blockers {
				if !strings.Contains(m.Blockers[i], w) {
					t.Errorf("blocker %q does not say %q", m.Blockers[i], w)
				}
			}
		})
	}
}

// TestDeadEntry keeps a row that counts because the access entry of its principal is dead.
func TestDeadEntry(t *testing.T) {
	s := synthetic("aws", model.ModeAPIConfigMap, map[string]string{"mapRoles": `[{rolearn: "` + role("dev") + `", username: dev, groups: [g]}]`}, role("dev"))
	made := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s.Clusters[0].AccessEntries = []*model.AccessEntry{{PrincipalARN: role("dev"), Type: model.EntryStandard, Username: "dev", Created: made}}
	if got := become(s, Options{}).Rows[0]; got.Outcome != Nothing {
		t.Errorf("with an entry that counts: %s (%s)", got.Outcome, got.Why)
	}
	s.Accounts[0].Roles[0].Created = made.AddDate(0, 0, 1)
	if got := become(s, Options{}).Rows[0]; got.Outcome != Blocked || !strings.Contains(got.Why, "dead") {
		t.Errorf("with a dead entry: %s (%s)", got.Outcome, got.Why)
	}
}

func TestPartitions(t *testing.T) {
	for _, partition := range []string{"aws-cn", "aws-us-gov"} {
		arn := "arn:" + partition + ":iam::" + own + ":role/admin"
		m := become(synthetic(partition, model.ModeConfigMap, map[string]string{"mapRoles": `[{rolearn: "` + arn + `", username: a, groups: ["system:masters"]}]`}, arn), Options{})
		got := m.Rows[0].Changes[1].(plan.AssociateAccessPolicy).PolicyARN
		if want := "arn:" + partition + ":eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestPhases(t *testing.T) {
	s := synthetic("aws", model.ModeConfigMap, map[string]string{
		"mapRoles": `
- {rolearn: "` + role("admin") + `", username: admin, groups: ["system:masters"]}
- {rolearn: "` + role("node") + `", username: "system:node:{{EC2PrivateDNSName}}", groups: ["system:bootstrappers", "system:nodes"]}
- {rolearn: "` + role("gone") + `", username: gone}
`,
	}, role("admin"), role("node"))
	m := become(s, Options{})
	var got []string
	for _, p := range m.Phases {
		got = append(got, p.ID)
		for _, c := range p.Plan {
			got = append(got, "  "+c.String())
		}
		after, err := p.Plan.Simulate(s)
		if err != nil {
			t.Fatalf("phase %s: %v", p.ID, err)
		}
		s = after
	}
	want := []string{"enable-api", "create-entries", "watch", "empty-aws-auth", "api-only"}
	var phases []string
	for _, g := range got {
		if !strings.HasPrefix(g, " ") {
			phases = append(phases, g)
		}
	}
	if diff := cmp.Diff(want, phases); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
	if !strings.Contains(got[3], "node") {
		t.Errorf("nodes do not come first:\n%s", strings.Join(got, "\n"))
	}
	if rows := access.New(s).Clusters()[0].ParsedAWSAuth().Rows; len(rows) > 0 {
		t.Errorf("rows that stay: %v", rows)
	}
}

// TestWholeBlocks is about aws-auth as a whole: what is not there, what is empty, and what nobody can read.
func TestWholeBlocks(t *testing.T) {
	dev := "- {rolearn: \"" + role("dev") + "\", username: dev}\n"
	for name, c := range map[string]struct {
		data              map[string]string
		blocker, warning  string
		becomes, finishes bool // a row becomes an entry; the last phase is planned
	}{
		"no ConfigMap":                           {warning: "there is no ConfigMap aws-auth", finishes: true},
		"no data":                                {data: map[string]string{}, warning: "aws-auth is empty", finishes: true},
		"an empty block":                         {data: map[string]string{"mapRoles": "\n"}, warning: "aws-auth is empty", finishes: true},
		"a block that is not YAML":               {data: map[string]string{"mapRoles": "- {rolearn: ["}, blocker: "mapRoles: nothing of the block is read"},
		"a mapping for a list":                   {data: map[string]string{"mapRoles": "rolearn: x\n"}, blocker: "a list of rows is expected, not a mapping"},
		"a number for a list":                    {data: map[string]string{"mapUsers": "5"}, blocker: "a list of rows is expected, not a number"},
		"the other block is not YAML":            {data: map[string]string{"mapRoles": dev, "mapUsers": "- {"}, blocker: "mapUsers: nothing of the block is read", becomes: true},
		"accounts that are no list":              {data: map[string]string{"mapRoles": dev, "mapAccounts": "{a: b}"}, blocker: "mapAccounts: not all of the block is read", becomes: true},
		"a key that differs in case is not read": {data: map[string]string{"maproles": dev}, warning: "maproles: the key is ignored because its case differs", finishes: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := synthetic("aws", model.ModeAPIConfigMap, c.data, role("dev"))
			if c.data == nil {
				s.Clusters[0].AWSAuth = nil
			}
			m := become(s, Options{})
			if text := strings.Join(m.Blockers, "\n"); (text == "") != (c.blocker == "") || !strings.Contains(text, c.blocker) {
				t.Errorf("blockers %q, want %q", text, c.blocker)
			}
			if text := strings.Join(m.Warnings, "\n"); !strings.Contains(text, c.warning) {
				t.Errorf("warnings %q, want %q", text, c.warning)
			}
			phase := func(id string) bool { return slices.ContainsFunc(m.Phases, func(p Phase) bool { return p.ID == id }) }
			if phase(PhaseCreate) != c.becomes || phase(PhaseAPIOnly) != c.finishes {
				t.Errorf("phases: %+v", m.Phases)
			}
		})
	}
}

// TestOffer offers a policy only where it grants exactly what the bindings do.
func TestOffer(t *testing.T) {
	s := synthetic("aws", model.ModeConfigMap, map[string]string{"mapRoles": `[{rolearn: "` + role("dev") + `", username: dev, groups: [readers]}]`}, role("dev"))
	c := s.Clusters[0]
	rules := []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "list", "watch"}}}
	c.ClusterRoles = []*model.Role{{Meta: model.Meta{Name: "secret-reader"}, Rules: rules}}
	binding := &model.Binding{RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "secret-reader"}, Subjects: []rbacv1.Subject{{Kind: "Group", Name: "readers"}}}
	binding.Name, binding.Namespace = "readers", "team"
	c.RoleBindings = []*model.Binding{binding}
	want := []Offer{{Policy: "AmazonEKSSecretReaderPolicy", Scope: model.AccessScope{Type: "namespace", Namespaces: []string{"team"}}}}
	if diff := cmp.Diff(want, become(s, Options{}).Rows[0].Offers); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c.ClusterRoles[0].Rules[0].Verbs = []string{"get", "list"}
	if got := become(s, Options{}).Rows[0].Offers; got != nil {
		t.Errorf("offers %v for less than the policy grants", got)
	}
}
