package access

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

const (
	member     = "111122223333"
	management = "777788889999"
	scpFull    = `{"Effect":"Allow","Action":"*","Resource":"*"}`
	rcpFull    = `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`
)

func deny(resource string, conditions string, actions ...string) string {
	return strings.Replace(strings.Replace(allow(resource, actions...), "Allow", "Deny", 1), `"Resource"`, `"Condition":{`+conditions+`},"Resource"`, 1)
}

// inOrganization is an organization with the member account in a unit, full access at every level, and further policies at
// the unit. Synthetic.
func inOrganization(scps, rcps []model.Document) *model.Organization {
	of := func(full string, more ...model.Document) []model.OrganizationPolicy {
		list := []model.OrganizationPolicy{{ID: "p-full1234", Name: "full", Document: statements(full)}}
		for _, d := range more {
			list = append(list, model.OrganizationPolicy{ID: "p-guard123", Name: "guard", Document: d})
		}
		return list
	}
	return &model.Organization{ID: "o-example123", ManagementAccount: management, FeatureSet: "ALL", Levels: []model.OrganizationLevel{
		{ID: "r-ab12", SCPs: of(scpFull), RCPs: of(rcpFull)},
		{ID: "ou-ab12-11111111", SCPs: of(scpFull, scps...), RCPs: of(rcpFull, rcps...)},
		{ID: member, SCPs: of(scpFull), RCPs: of(rcpFull)},
	}}
}

// withOrganization is an account with a cluster in eu-central-1, some roles, and an organization; nil is one that was not
// read.
func withOrganization(o *model.Organization, roles ...*model.IAMRole) (*Access, *Cluster) {
	acct := &model.Account{ID: member, Partition: "aws", Roles: roles, Organization: o}
	acct.MarkRead(model.AreaIAMRoles, model.AreaIAMUsers)
	if o != nil {
		acct.MarkRead(model.AreaOrganization)
	}
	c := &model.Cluster{
		Name: "lab", ARN: "arn:aws:eks:eu-central-1:" + member + ":cluster/lab", Account: member, Region: "eu-central-1", Partition: "aws",
		Description: &model.Description{AuthenticationMode: model.ModeAPI},
	}
	a := New(&model.Snapshot{Accounts: []*model.Account{acct}, Clusters: []*model.Cluster{c}})
	return a, a.Cluster(c)
}

func roleWith(name string, s ...string) *model.IAMRole {
	return &model.IAMRole{ARN: "arn:aws:iam::" + member + ":role/" + name, Name: name, Inline: []model.InlinePolicy{{Name: "p", Document: statements(s...)}}}
}

// TestTakeoversUnderSCP asks whether a role that may make access entries can take the cluster over.
func TestTakeoversUnderSCP(t *testing.T) {
	const region = `{"Sid":"Regions","Effect":"Deny","NotAction":["iam:*","organizations:*","sts:*"],"Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":["eu-central-1","eu-west-1"]}}}`
	one := func(s ...string) *model.Organization { return inOrganization([]model.Document{statements(s...)}, nil) }
	changed := func(change func(*model.Organization)) *model.Organization {
		o := one(deny("*", "", "eks:CreateAccessEntry"))
		change(o)
		return o
	}
	for _, c := range []struct {
		name string
		o    *model.Organization
		want string
	}{
		{"not read", nil, "access-entry yes"},
		{"full access only", inOrganization(nil, nil), "access-entry yes"},
		{"denied", one(deny("*", "", "eks:CreateAccessEntry")), ""},
		{"denied elsewhere", one(deny("arn:aws:eks:*:*:cluster/other", "", "eks:CreateAccessEntry")), "access-entry yes"},
		{"denied, in the management account", changed(func(o *model.Organization) { o.ManagementAccount = member }), "access-entry yes"},
		{"denied, where bills only are joined", changed(func(o *model.Organization) { o.FeatureSet = "CONSOLIDATED_BILLING" }), "access-entry yes"},
		{"denied at a level that was read, others were not", changed(func(o *model.Organization) { o.SCPsUnknown, o.Levels[2].SCPs = true, nil }), ""},
		{"full access at a level that was read, others were not", changed(func(o *model.Organization) {
			o.SCPsUnknown, o.Levels[1].SCPs, o.Levels[2].SCPs = true, o.Levels[1].SCPs[:1], nil
		}), "access-entry yes"},
		{"the levels were not read", changed(func(o *model.Organization) { o.SCPsUnknown, o.Levels = true, nil }), "access-entry yes"},
		{"a document was not read", changed(func(o *model.Organization) { o.Levels[1].SCPs[1].Document = "" }), "access-entry yes"},
		{"one document was not read, another denies", changed(func(o *model.Organization) { o.Levels[1].SCPs[0].Document = "" }), ""},
		{"not enabled", changed(func(o *model.Organization) {
			for i := range o.Levels {
				o.Levels[i].SCPs = nil
			}
		}), "access-entry yes"},
		{"allowed at two levels of three", changed(func(o *model.Organization) { o.Levels[1].SCPs = o.Levels[1].SCPs[:0] }), ""},
		{"a list of allowed services with it", changed(func(o *model.Organization) {
			o.Levels[0].SCPs[0].Document, o.Levels[1] = statements(allow("*", "eks:*", "iam:*")), o.Levels[2]
		}), "access-entry yes"},
		{"a list of allowed services without it", changed(func(o *model.Organization) {
			o.Levels[0].SCPs[0].Document, o.Levels[1] = statements(allow("*", "s3:*", "iam:*")), o.Levels[2]
		}), ""},
		{"all but the break-glass role", one(deny("*", `"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/breakglass"}`, "eks:*")), ""},
		{"all but this role", one(deny("*", `"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/ci"}`, "eks:*")), "access-entry yes"},
		{"other regions", one(region), "access-entry yes"},
		{"this region", one(strings.ReplaceAll(region, "eu-", "us-")), ""},
		{"other accounts' resources", one(deny("*", `"StringNotEqualsIfExists":{"aws:ResourceOrgID":"o-example123"}`, "*")), "access-entry yes"},
		{"its own resources", one(deny("*", `"StringEquals":{"aws:ResourceAccount":"111122223333"}`, "*")), ""},
		{"its organization", one(deny("*", `"StringEquals":{"aws:PrincipalOrgID":"o-example123"}`, "*")), ""},
		{"another organization", one(deny("*", `"StringNotEquals":{"aws:PrincipalOrgID":"o-example123"}`, "*")), "access-entry yes"},
		{"its unit", one(deny("*", `"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-example123/*/ou-ab12-11111111/*"}`, "*")), ""},
		{"another unit", one(deny("*", `"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-example123/*/ou-ab12-22222222/*"}`, "*")), "access-entry yes"},
		{
			"without MFA", one(deny("*", `"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}`, "eks:*")),
			"access-entry maybe unless denied by statement 1 of service control policy guard (p-guard123) at ou-ab12-11111111, if BoolIfExists aws:MultiFactorAuthPresent = false",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			role := roleWith("ci", allow("*", "eks:CreateAccessEntry", "eks:AssociateAccessPolicy"))
			a, cluster := withOrganization(c.o, role)
			got := ""
			for _, w := range cluster.Takeovers().Of(a.IAMRole(role)) {
				switch {
				case w.Short != "":
					continue // needs somebody else
				case w.Answer == Yes:
					got += w.ID + " yes"
				default:
					got += w.ID + " maybe " + strings.Join(w.If, "; ")
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			d := iam.EvaluateIdentity(a.RolePolicies(role), iam.Request{
				Principal: iam.RoleSession(role.ARN, ""), Action: "eks:CreateAccessEntry", Resource: cluster.ARN,
				Context: new(iam.Context).Set("aws:RequestedRegion", cluster.Region),
			})
			if plain := !strings.Contains(c.name, "organization") && !strings.Contains(c.name, "unit") && !strings.Contains(c.name, "resources"); plain && (d.Verdict == iam.Denied) != (c.want == "") {
				t.Errorf("RolePolicies says %s", d)
			}
		})
	}
}

// TestAdministratorUnderSCP: a guardrail that keeps an account in its regions makes nobody less an administrator; one that
// protects IAM does.
func TestAdministratorUnderSCP(t *testing.T) {
	admin := roleWith("admin", scpFull)
	for _, c := range []struct {
		name string
		s    string
		want []string
	}{
		{"regions", `{"Effect":"Deny","NotAction":["iam:*","sts:*"],"Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":"eu-central-1"}}}`, []string{"administrator"}},
		{"leaving the organization", deny("*", "", "organizations:LeaveOrganization"), []string{"administrator"}},
		{"IAM but for one role", deny("*", `"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/breakglass"}`, "iam:*", "sts:*"), []string{"s3:*", "secretsmanager:*"}},
		{"all but one service", `{"Effect":"Deny","NotAction":"s3:*","Resource":"*"}`, []string{"s3:*"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, _ := withOrganization(inOrganization([]model.Document{statements(c.s)}, nil), admin)
			var got []string
			for _, p := range a.IAMRole(admin).Privileges("eu-central-1") {
				if id := p.ID; p.Answer == Yes && slices.Contains([]string{"administrator", "iam:*", "s3:*", "secretsmanager:*", "assume-any-role", "pass-role-lambda"}, id) {
					got = append(got, id)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if yes := a.IAMRole(admin).Administrator().Answer == Yes; yes != slices.Contains(c.want, "administrator") {
				t.Errorf("administrator: %v", yes)
			}
		})
	}
}

func TestGuardrails(t *testing.T) {
	none := New(&model.Snapshot{Accounts: []*model.Account{{ID: member, Read: map[model.Area]bool{model.AreaOrganization: true}}}})
	unread, _ := withOrganization(nil)
	memberOnly, _ := withOrganization(&model.Organization{ID: "o-example123", ManagementAccount: management, FeatureSet: "ALL", SCPsUnknown: true, RCPsUnknown: true})
	read, _ := withOrganization(inOrganization(nil, []model.Document{statements(`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}`)}))
	undocumented := inOrganization(nil, nil)
	undocumented.Levels[0].RCPs[0].Document = `{"Statement":`
	partly, _ := withOrganization(undocumented)
	for _, c := range []struct {
		name             string
		a                *Access
		account          string
		scp, rcp         int
		scpRead, rcpRead bool
		principalOrg     string
	}{
		{"in none", none, member, 0, 0, true, true, "absent"},
		{"not read", unread, member, 0, 0, false, false, "unknown"},
		{"an account that is not in the snapshot", read, "444455556666", 0, 0, false, false, "unknown"},
		{"seen by a member", memberOnly, member, 0, 0, false, false, "o-example123"},
		{"read", read, member, 3, 3, true, true, "o-example123"},
		{"a document cannot be parsed", partly, member, 3, 3, true, false, "o-example123"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := c.a.Guardrails(c.account)
			if len(g.SCP) != c.scp || len(g.RCP("s3:GetObject")) != c.rcp || g.SCPRead != c.scpRead || g.RCPRead != c.rcpRead {
				t.Errorf("SCP %d %v, RCP %d %v", len(g.SCP), g.SCPRead, len(g.RCP("s3:GetObject")), g.RCPRead)
			}
			r := iam.Request{Principal: iam.ParsePrincipal("arn:aws:iam::" + member + ":role/x"), Action: "s3:GetObject", Context: g.keys(new(iam.Context), "aws:PrincipalOrg")}
			if got := keyState(t, &r, "aws:PrincipalOrgID", "o-example123"); got != c.principalOrg {
				t.Errorf("aws:PrincipalOrgID %s", got)
			}
		})
	}
	for action, want := range map[string]int{
		"sts:AssumeRole": 3, "kms:Decrypt": 3, "KMS:RetireGrant": 0, "eks:CreateAccessEntry": 0, "iam:PassRole": 0, "secretsmanager:GetSecretValue": 3, "nonsense": 0,
	} {
		if got := len(read.Guardrails(member).RCP(action)); got != want {
			t.Errorf("%s: %d levels, want %d", action, got, want)
		}
	}
	// The resource control policies decide together with what else is asked.
	p := iam.Policies{Identity: everything, RCP: read.Guardrails(member).RCP("s3:GetObject")}
	who := iam.ParsePrincipal("arn:aws:iam::" + member + ":role/x")
	if d := iam.Evaluate(p, iam.Request{Principal: who, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/x", ResourceAccount: member}); d.Verdict != iam.Denied || !d.Explicit {
		t.Error(d)
	}
	p.RCP = read.Guardrails(member).RCP("sqs:SendMessage")
	if d := iam.Evaluate(p, iam.Request{Principal: who, Action: "sqs:SendMessage", Resource: "arn:aws:sqs:eu-west-1:" + member + ":q"}); d.Verdict != iam.Allowed {
		t.Error(d)
	}
}

// keyState says what a request tells of a condition key: its value, "absent" or "unknown".
func keyState(t *testing.T, r *iam.Request, key, value string) string {
	t.Helper()
	test := func(condition string) iam.Truth {
		p, err := iam.Parse([]byte(statements(`{"Effect":"Deny","Action":"*","Resource":"*","Condition":{` + condition + `}}`)))
		if err != nil {
			t.Fatal(err)
		}
		return p.Statements[0].MeetsConditions(r)
	}
	switch {
	case test(`"StringEquals":{"`+key+`":"`+value+`"}`) == iam.True:
		return value
	case test(`"Null":{"`+key+`":"true"}`) == iam.True:
		return "absent"
	case test(`"Null":{"`+key+`":"true"}`) == iam.Unknown:
		return "unknown"
	}
	return "another value"
}

// The resource control policies that AWS publishes as examples, against those who take roles of the account.
func TestTrustUnderRCP(t *testing.T) {
	const (
		perimeter = `{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole","Resource":"*","Condition":{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-example123"},"BoolIfExists":{"aws:PrincipalIsAWSService":"false"}}}`
		deputy    = `{"Effect":"Deny","Principal":"*","Action":["sts:AssumeRole","sts:TagSession"],"Resource":"*","Condition":{"StringNotEqualsIfExists":{"aws:SourceOrgID":"o-example123"},"Null":{"aws:SourceAccount":"false"},"Bool":{"aws:PrincipalIsAWSService":"true"}}}`
		issuers   = `{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRoleWithWebIdentity","Resource":"*","Condition":{"StringNotEquals":{"aws:FederatedProvider":"arn:aws:iam::111122223333:oidc-provider/idp.example"}}}`
		tls       = `{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"NumericLessThan":{"s3:TlsVersion":"1.2"}}}`
	)
	role := roleWith("app")
	role.Trust = statements(
		`{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}`,
		`{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/oidc.example/id/1"},"Action":"sts:AssumeRoleWithWebIdentity"}`,
		`{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:role/first","444455556666"]},"Action":["sts:AssumeRole","sts:TagSession"]}`,
		`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-example123"},"StringLike":{"aws:PrincipalArn":"*/team"}}}`)
	pod := func(c *Cluster, t *Trust) Entry {
		return t.PodIdentity(PodSession{ClusterARN: c.ARN, Namespace: "shop", ServiceAccount: "web"})
	}
	web := func(_ *Cluster, t *Trust) Entry {
		return t.WebIdentity(WebToken{Issuer: "oidc.example/id/1", Subject: Subject("shop", "web"), Audience: IRSAAudience})
	}
	chain := func(from string) func(*Cluster, *Trust) Entry {
		return func(c *Cluster, t *Trust) Entry { return t.Chain(from, PodSession{Untagged: true}, "") }
	}
	ours, theirs, strangers := chain("arn:aws:iam::111122223333:role/first"), chain("arn:aws:iam::444455556666:role/first"), chain("arn:aws:iam::123456789012:role/team")
	for _, c := range []struct {
		name  string
		rcp   string
		ask   func(*Cluster, *Trust) Entry
		want  iam.Verdict
		under iam.Verdict
	}{
		{"pods", perimeter, pod, iam.Allowed, iam.Allowed},
		{"pods, whatever EKS says of itself", deputy, pod, iam.Allowed, iam.Allowed},
		{"pods of another organization", strings.Replace(deputy, "o-example123", "o-other12345", 1), pod, iam.Allowed, iam.Undecided},
		{"pods, with a condition of other services", tls, pod, iam.Allowed, iam.Undecided},
		{"tokens of another issuer", issuers, web, iam.Allowed, iam.Denied},
		{"tokens", strings.Replace(issuers, "idp.example", "oidc.example/id/1", 1), web, iam.Allowed, iam.Allowed},
		{"a role of the organization", perimeter, ours, iam.Allowed, iam.Allowed},
		{"a role of an account that was not read", perimeter, theirs, iam.Allowed, iam.Undecided},
		{"a role whose organization decides", perimeter, strangers, iam.Undecided, iam.Undecided},
		{"a role of the same organization decides", perimeter, chain("arn:aws:iam::111122223333:role/team"), iam.Allowed, iam.Allowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, cluster := withOrganization(inOrganization(nil, []model.Document{statements(c.rcp)}), role)
			trust := a.Trust(role)
			if got := c.ask(cluster, trust); got.Verdict != c.want {
				t.Errorf("by the trust policy %s, want %s: %v", got.Verdict, c.want, got.If)
			}
			got := c.ask(cluster, trust.UnderRCP())
			if got.Verdict != c.under || (len(got.guards) > 0) != (c.under != iam.Allowed) {
				t.Errorf("with the resource control policies %s, want %s: %v, %v", got.Verdict, c.under, got.If, got.guards)
			}
		})
	}
}
