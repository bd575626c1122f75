package access

import (
	"fmt"
	"strings"
	"testing"

	"drawbridge/internal/model"
)

// fleet makes a snapshot of one cluster and one or two accounts, all of it read and made up.
type fleet struct {
	snapshot *model.Snapshot
	cluster  *model.Cluster
	accounts map[string]*model.Account
	everyone []Identity // who is asked about, in properties
}

func newFleet() *fleet {
	c := &model.Cluster{
		Name: "lab", ARN: testCluster, Account: home, Region: "us-east-1", Partition: "aws",
		Description: &model.Description{Issuer: "https://" + testIssuer, AutoMode: true},
	}
	for _, info := range model.Areas {
		if !info.OfAccount {
			c.MarkRead(info.Area)
		}
	}
	f := &fleet{snapshot: &model.Snapshot{Clusters: []*model.Cluster{c}}, cluster: c, accounts: map[string]*model.Account{}}
	f.account(home).OIDCProviders = []*model.OIDCProvider{{ARN: "arn:aws:iam::" + home + ":oidc-provider/" + testIssuer, ClientIDs: []string{IRSAAudience}}}
	return f
}

func (f *fleet) account(id string) *model.Account {
	if acct := f.accounts[id]; acct != nil {
		return acct
	}
	acct := &model.Account{ID: id, Partition: "aws"}
	for _, info := range model.Areas {
		if info.OfAccount && !info.Optional {
			acct.MarkRead(info.Area)
		}
	}
	f.accounts[id] = acct
	f.snapshot.Accounts = append(f.snapshot.Accounts, acct)
	return acct
}

// role adds a role; trust and permissions are statements.
func (f *fleet) role(account, name, trust string, permissions ...string) *model.IAMRole {
	r := &model.IAMRole{ARN: roleIn(account, name), ID: "AROA" + strings.ToUpper(name), Name: name, Trust: statements(trust)}
	if len(permissions) > 0 {
		r.Inline = []model.InlinePolicy{{Name: "p", Document: statements(permissions...)}}
	}
	acct := f.account(account)
	acct.Roles = append(acct.Roles, r)
	return r
}

func (f *fleet) managed(name string, permissions ...string) string {
	arn := "arn:aws:iam::" + home + ":policy/" + name
	acct := f.account(home)
	acct.Policies = append(acct.Policies, &model.IAMPolicy{ARN: arn, Document: statements(permissions...)})
	return arn
}

func (f *fleet) associate(sa, role string) *model.PodIdentityAssociation {
	p := &model.PodIdentityAssociation{ID: "a-" + sa, Namespace: "shop", ServiceAccount: sa, RoleARN: role}
	f.cluster.PodIdentityAssociations = append(f.cluster.PodIdentityAssociations, p)
	f.serviceAccount(sa)
	return p
}

func (f *fleet) serviceAccount(name string) *model.ServiceAccount {
	for _, sa := range f.cluster.ServiceAccounts {
		if sa.Name == name {
			return sa
		}
	}
	sa := &model.ServiceAccount{Meta: model.Meta{Namespace: "shop", Name: name}}
	f.cluster.ServiceAccounts = append(f.cluster.ServiceAccounts, sa)
	return sa
}

// organize puts an account into an organization with one service control and one resource control policy.
func (f *fleet) organize(account, scp, rcp string) {
	level := model.OrganizationLevel{ID: "r-root", SCPs: []model.OrganizationPolicy{{ID: "p-scp", Name: "scp", Document: statements(scp)}}}
	if rcp != "" {
		full := `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`
		level.RCPs = []model.OrganizationPolicy{{ID: "p-rcp", Name: "rcp", Document: statements(full, rcp)}}
	}
	f.account(account).Organization = &model.Organization{ID: "o-1", FeatureSet: "ALL", ManagementAccount: "777788889999", Levels: []model.OrganizationLevel{level}}
}

func (f *fleet) check(t *testing.T, identity, action, resource string) Grant {
	t.Helper()
	id, err := ParseIdentity(identity)
	if err != nil {
		t.Fatal(err)
	}
	grants := New(f.snapshot).CheckAWS(id, AWSQuestion{Action: action, Resource: resource})
	if len(grants) == 0 {
		t.Fatal("no answer")
	}
	return grants[0]
}

func roleIn(account, name string) string { return "arn:aws:iam::" + account + ":role/" + name }

func allows(action, resource string) string {
	return fmt.Sprintf(`{"Effect":"Allow","Action":%q,"Resource":%q}`, action, resource)
}

// trusts lets somebody assume a role.
func trusts(principal string, condition ...string) string {
	return fmt.Sprintf(`{"Effect":"Allow","Principal":{"AWS":%q},"Action":"sts:AssumeRole"%s}`, principal, conditionOf(condition))
}

// trustsTagged lets somebody assume a role and pass session tags.
func trustsTagged(principal string, condition ...string) string {
	return fmt.Sprintf(`{"Effect":"Allow","Principal":{"AWS":%q},"Action":["sts:AssumeRole","sts:TagSession"]%s}`, principal, conditionOf(condition))
}

func conditionOf(condition []string) string {
	if len(condition) == 0 {
		return ""
	}
	return `,"Condition":{` + strings.Join(condition, ",") + `}`
}

const (
	object  = "arn:aws:s3:::bucket/key"
	getIt   = "s3:GetObject"
	nowhere = "arn:aws:iam::111122223333:role/nobody"
)

var nobody = trusts(nowhere)

// grantText is all that a grant says.
func grantText(g Grant) string {
	text := []string{string(g.Verdict), g.Scope}
	for _, e := range g.Chain {
		text = append(text, e.Text+" ["+e.Source+"]")
	}
	return strings.Join(append(text, g.Conditions...), "\n")
}

func TestCheckAWS(t *testing.T) {
	read := allows(getIt, "arn:aws:s3:::bucket/*")
	tagged := `{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/kubernetes-namespace":"shop"}}}`
	irsa := func(sub, audience string) string {
		return web(testIssuer, `"StringEquals":{"I:sub":"`+sub+`","I:aud":"`+audience+`"}`)
	}
	annotate := func(f *fleet, role string) {
		f.serviceAccount("web").Annotations = map[string]string{RoleAnnotation: role}
	}
	tests := []struct {
		name     string
		build    func(*fleet)
		identity string // default: sa/shop/web
		action   string // default: s3:GetObject
		resource string // default: object
		want     Verdict
		says     string // part of the chain or conditions
	}{
		{name: "Pod Identity", build: func(f *fleet) { f.associate("web", f.role(home, "app", pods(""), read).ARN) }, want: Allowed, says: "[IAMRole app inline policy p, statement 1]"},
		{name: "another object", build: func(f *fleet) { f.associate("web", f.role(home, "app", pods(""), read).ARN) }, resource: "arn:aws:s3:::other/key", want: Denied, says: "no identity policy allows"},
		{name: "any object", build: func(f *fleet) { f.associate("web", f.role(home, "app", pods(""), read).ARN) }, resource: "any", want: Allowed, says: "arn:aws:s3:::bucket/*"},
		{name: "any object of any account", build: func(f *fleet) {
			f.associate("web", f.role(home, "app", pods(""), allows("sqs:SendMessage", "arn:aws:sqs:*:*:orders-*")).ARN)
		}, action: "sqs:SendMessage", resource: "any", want: Allowed, says: "arn:aws:sqs:*:*:orders-*"},
		{name: "any object of another account", build: func(f *fleet) {
			f.associate("web", f.role(home, "app", pods(""), allows("sqs:SendMessage", "arn:aws:sqs:*:444455556666:orders-*")).ARN)
		}, action: "sqs:SendMessage", resource: "any", want: Unknown, says: "arn:aws:sqs:*:444455556666:orders-*"},
		{name: "what is not read is said", build: func(f *fleet) {
			delete(f.account(home).Read, model.AreaOrganization)
			f.associate("web", f.role(home, "app", pods(""), read).ARN)
		}, want: Allowed, says: "no organization policy (SCP, RCP) denies it (not read)"},
		{name: "nothing", build: func(f *fleet) { f.serviceAccount("web") }, want: Denied, says: "neither a Pod Identity association nor an IRSA annotation"},
		{name: "nobody", build: func(*fleet) {}, want: Denied, says: "there is no sa/shop/web"},
		{name: "trust without TagSession", build: func(f *fleet) {
			f.associate("web", f.role(home, "app", service(`"sts:AssumeRole"`, ""), read).ARN)
		}, want: Denied, says: "does not let pods.eks.amazonaws.com in"},
		{name: "trust unread", build: func(f *fleet) { r := f.role(home, "app", "", read); r.Trust = ""; f.associate("web", r.ARN) }, want: Unknown, says: "the trust policy of"},
		{name: "role unread", build: func(f *fleet) { f.associate("web", "arn:aws:iam::777788889999:role/far") }, want: Unknown, says: "far (not read)"},
		{name: "role does not exist", build: func(f *fleet) { f.associate("web", roleARN("gone")) }, want: Denied, says: "no such principal"},
		{name: "tag", build: func(f *fleet) { f.associate("web", f.role(home, "app", pods(""), tagged).ARN) }, want: Allowed, says: "StringEquals aws:PrincipalTag/kubernetes-namespace = shop"},
		{name: "tags disabled: ABAC fails", build: func(f *fleet) {
			f.associate("web", f.role(home, "app", pods(""), tagged).ARN).DisableSessionTags = true
		}, want: Denied, says: "no identity policy allows"},
		{name: "a variable by session tag", build: func(f *fleet) {
			f.associate("web", f.role(home, "app", pods(""), allows(getIt, "arn:aws:s3:::bucket/${aws:PrincipalTag/kubernetes-namespace}/*")).ARN)
		}, resource: "arn:aws:s3:::bucket/shop/x", want: Allowed},
		{name: "a variable by session tag, another namespace", build: func(f *fleet) {
			f.associate("web", f.role(home, "app", pods(""), allows(getIt, "arn:aws:s3:::bucket/${aws:PrincipalTag/kubernetes-namespace}/*")).ARN)
		}, resource: "arn:aws:s3:::bucket/bank/x", want: Denied},
		{name: "session tag before the role's own", build: func(f *fleet) {
			r := f.role(home, "app", pods(""), tagged)
			r.Tags = map[string]string{"kubernetes-namespace": "bank"}
			f.associate("web", r.ARN)
		}, want: Allowed},
		{name: "the role's own tag where session tags are disabled", build: func(f *fleet) {
			r := f.role(home, "app", pods(""), tagged)
			r.Tags = map[string]string{"kubernetes-namespace": "shop"}
			f.associate("web", r.ARN).DisableSessionTags = true
		}, want: Allowed},
		{name: "session policy cuts", build: func(f *fleet) {
			p := f.associate("web", f.role(home, "app", pods(""), read).ARN)
			p.DisableSessionTags, p.Policy = true, statements(allows("s3:ListBucket", "*"))
		}, want: Denied, says: "nothing in the session policy"},
		{name: "boundary only", build: func(f *fleet) {
			r := f.role(home, "app", pods(""))
			r.Boundary = f.managed("limit", allows("*", "*"))
			f.associate("web", r.ARN)
		}, want: Denied, says: "no identity policy allows"},
		{name: "boundary cuts", build: func(f *fleet) {
			r := f.role(home, "app", pods(""), read)
			r.Boundary = f.managed("limit", allows("ec2:*", "*"))
			f.associate("web", r.ARN)
		}, want: Denied, says: "nothing in the permissions boundary"},
		{name: "boundary unread", build: func(f *fleet) {
			r := f.role(home, "app", pods(""), read)
			r.Boundary = "arn:aws:iam::111122223333:policy/lost"
			f.associate("web", r.ARN)
		}, want: Unknown, says: "policy/lost (not read)"},
		{name: "Deny with NotAction", build: func(f *fleet) {
			f.associate("web", f.role(home, "app", pods(""), allows("*", "*"), `{"Sid":"OnlyEC2","Effect":"Deny","NotAction":"ec2:*","Resource":"*"}`).ARN)
		}, want: Denied, says: "OnlyEC2"},
		{name: "ForAllValues on an absent key", build: func(f *fleet) {
			f.associate("web", f.role(home, "app", pods(""), `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:PrincipalTag/team":["a","b"]}}}`).ARN)
		}, want: Allowed},
		{name: "a condition that decides", build: func(f *fleet) {
			f.associate("web", f.role(home, "app", pods(""), `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}`).ARN)
		}, want: Unknown, says: "IpAddress aws:SourceIp = 192.0.2.0/24"},
		{name: "an operator that is not known", build: func(f *fleet) {
			f.associate("web", f.role(home, "app", pods(""), `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringResembles":{"aws:SourceIp":"x"}}}`).ARN)
		}, want: Unknown, says: "StringResembles"},
		{name: "a version that is not known", build: func(f *fleet) {
			r := f.role(home, "app", pods(""))
			r.Inline = []model.InlinePolicy{{Name: "p", Document: `{"Version":"2030-01-01","Statement":` + model.Document(read) + `}`}}
			f.associate("web", r.ARN)
		}, want: Unknown, says: "unknown version"},
		{name: "a policy that is no JSON", build: func(f *fleet) {
			r := f.role(home, "app", pods(""), read)
			r.Inline = append(r.Inline, model.InlinePolicy{Name: "bad", Document: `{"Statement":`})
			f.associate("web", r.ARN)
		}, want: Unknown, says: "inline policy bad ("},
		{name: "a policy too large to be legal", build: func(f *fleet) {
			f.associate("web", f.role(home, "app", pods(""), read, allows("s3:"+strings.Repeat("x", 11000), "*")).ARN)
		}, want: Allowed, says: "more than the 10240 that IAM stores"},
		{name: "IRSA", build: func(f *fleet) {
			annotate(f, f.role(home, "app", irsa(Subject("shop", "web"), IRSAAudience), read).ARN)
		}, want: Allowed, says: "sub = system:serviceaccount:shop:web"},
		{name: "IRSA, wrong sub", build: func(f *fleet) {
			annotate(f, f.role(home, "app", irsa(Subject("shop", "api"), IRSAAudience), read).ARN)
		}, want: Denied, says: "sub = system:serviceaccount:shop:api does not hold"},
		{name: "IRSA, wrong aud", build: func(f *fleet) { annotate(f, f.role(home, "app", irsa(Subject("shop", "web"), "vault"), read).ARN) }, want: Denied, says: "aud = vault does not hold"},
		{name: "IRSA, no provider", build: func(f *fleet) {
			f.account(home).OIDCProviders = nil
			annotate(f, f.role(home, "app", irsa(Subject("shop", "web"), IRSAAudience), read).ARN)
		}, want: Denied, says: "no such OIDC provider"},
		{name: "Pod Identity before IRSA", build: func(f *fleet) {
			f.associate("web", f.role(home, "poor", pods("")).ARN)
			f.cluster.ServiceAccounts[0].Annotations = map[string]string{RoleAnnotation: f.role(home, "app", irsa(Subject("shop", "web"), IRSAAudience), read).ARN}
		}, want: Denied, says: "role/poor"},
		{name: "IRSA denies, and an association may stand before it", build: func(f *fleet) {
			delete(f.cluster.Read, model.AreaPodIdentityAssociations)
			annotate(f, f.role(home, "app", irsa(Subject("shop", "web"), IRSAAudience), read).ARN)
		}, resource: "arn:aws:s3:::other/key", want: Unknown, says: "which role an association gives service account shop/web: not read"},
		{name: "no agent", build: func(f *fleet) {
			f.cluster.Description.AutoMode = false
			f.associate("web", f.role(home, "app", pods(""), read).ARN)
		}, want: Unknown, says: "a Pod Identity agent on its nodes"},
		{name: "KMS keys have a policy that must allow", build: func(f *fleet) { f.associate("web", f.role(home, "app", pods(""), allows("*", "*")).ARN) }, action: "kms:Decrypt", resource: "arn:aws:kms:us-east-1:111122223333:key/1", want: Unknown, says: "which must allow it too"},
		{name: "a resource of another account", build: func(f *fleet) { f.associate("web", f.role(home, "app", pods(""), allows("*", "*")).ARN) }, action: "sqs:SendMessage", resource: "arn:aws:sqs:us-east-1:444455556666:q", want: Unknown, says: "which must allow it too"},
		{name: "a service control policy denies", build: func(f *fleet) {
			f.organize(home, `{"Sid":"NoS3","Effect":"Deny","Action":"s3:*","Resource":"*"}`, "")
			f.associate("web", f.role(home, "app", pods(""), read).ARN)
		}, want: Denied, says: "service control policy"},
		{name: "a service control policy does not allow", build: func(f *fleet) {
			f.organize(home, allows("ec2:*", "*"), "")
			f.associate("web", f.role(home, "app", pods(""), read).ARN)
		}, want: Denied, says: "no service control policy allows"},
		{name: "a resource control policy denies", build: func(f *fleet) {
			f.organize(home, allows("*", "*"), `{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalTag/kubernetes-namespace":"bank"}}}`)
			f.associate("web", f.role(home, "app", pods(""), read).ARN)
		}, want: Denied, says: "resource control policy"},
		{name: "the region that the ARN tells", build: func(f *fleet) {
			f.organize(home, `{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":"eu-central-1"}}}`, "")
			f.associate("web", f.role(home, "app", pods(""), allows("*", "*")).ARN)
		}, action: "sqs:SendMessage", resource: "arn:aws:sqs:us-east-1:111122223333:q", want: Denied},
		{name: "the root user too", build: func(f *fleet) { f.organize(home, `{"Effect":"Deny","Action":"s3:*","Resource":"*"}`, "") }, identity: "arn:aws:iam::111122223333:root", want: Denied},
		{name: "a role by itself", build: func(f *fleet) { f.role(home, "app", nobody, read) }, identity: roleARN("app"), want: Allowed},
		{name: "a session of it", build: func(f *fleet) { f.role(home, "app", nobody, read) }, identity: "arn:aws:sts::111122223333:assumed-role/app/alice", want: Allowed},
		{name: "root", build: func(f *fleet) { f.account(home) }, identity: "arn:aws:iam::111122223333:root", want: Allowed},
		{name: "a Kubernetes group", build: func(*fleet) {}, identity: "group:devs", want: Denied, says: "holds no AWS credentials"},
		{name: "a user through a group", build: func(f *fleet) {
			acct := f.account(home)
			acct.Users = []*model.IAMUser{{ARN: "arn:aws:iam::111122223333:user/u", Name: "u", Groups: []string{"g"}}}
			acct.Groups = []*model.IAMGroup{{Name: "g", Inline: []model.InlinePolicy{{Name: "gp", Document: statements(read)}}}}
		}, identity: "arn:aws:iam::111122223333:user/u", want: Allowed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFleet()
			tt.build(f)
			identity, action, resource := tt.identity, tt.action, tt.resource
			if identity == "" {
				identity = "sa/shop/web"
			}
			if action == "" {
				action = getIt
			}
			switch resource {
			case "":
				resource = object
			case "any":
				resource = ""
			}
			g := f.check(t, identity, action, resource)
			if g.Verdict != tt.want {
				t.Errorf("%s, want %s:\n%s", g.Verdict, tt.want, grantText(g))
			}
			if !strings.Contains(grantText(g), tt.says) {
				t.Errorf("does not say %q:\n%s", tt.says, grantText(g))
			}
		})
	}
}

func TestCheckAWSOverRoles(t *testing.T) {
	read, assume := allows(getIt, "*"), allows("sts:AssumeRole", "*")
	const root, far = "arn:aws:iam::111122223333:root", "arn:aws:iam::444455556666:root"
	tests := []struct {
		name  string
		build func(*fleet)
		want  Verdict
		says  string
	}{
		{"named in the trust policy, same account: needs nothing else", func(f *fleet) { f.role(home, "app", nobody); f.role(home, "data", trusts(roleARN("app")), read) }, Allowed, "assumes role arn:aws:iam::111122223333:role/data"},
		{"named, but a boundary limits the caller", func(f *fleet) {
			f.role(home, "app", nobody, assume).Boundary = f.managed("limit", allows("s3:*", "arn:aws:s3:::none"))
			f.role(home, "data", trusts(roleARN("app")), read)
		}, Denied, ""},
		{"left to the account: needs the caller's own policy", func(f *fleet) { f.role(home, "app", nobody); f.role(home, "data", trusts(root), read) }, Denied, ""},
		{"left to the account, with the caller's own policy", func(f *fleet) { f.role(home, "app", nobody, assume); f.role(home, "data", trusts(root), read) }, Allowed, "[IAMRole app inline policy p, statement 1]"},
		{"left to the account, named by the caller's own policy", func(f *fleet) {
			f.role(home, "app", nobody, allows("sts:AssumeRole", roleARN("data")))
			f.role(home, "data", trusts(root), read)
		}, Allowed, ""},
		{"across accounts both must allow: only the trust policy does", func(f *fleet) { f.role(home, "app", nobody); f.role(foreign, "data", trusts(roleARN("app")), read) }, Denied, ""},
		{"across accounts both must allow: only the caller's does", func(f *fleet) { f.role(home, "app", nobody, assume); f.role(foreign, "data", trusts(far), read) }, Denied, ""},
		{"across accounts both allow", func(f *fleet) {
			f.role(home, "app", nobody, assume)
			f.role(foreign, "data", trusts(roleARN("app")), read)
		}, Allowed, ""},
		{"two hops", func(f *fleet) {
			f.role(home, "app", nobody)
			f.role(home, "b", trusts(roleARN("app")))
			f.role(home, "data", trusts(roleARN("b")), read)
		}, Allowed, "assumes role arn:aws:iam::111122223333:role/b"},
		{"a cycle", func(f *fleet) {
			f.role(home, "app", trusts(roleARN("b")))
			f.role(home, "b", trusts(roleARN("app")))
			f.role(home, "c", trusts(roleARN("c")))
		}, Denied, ""},
		{"a cycle with a way out", func(f *fleet) {
			f.role(home, "app", trusts(roleARN("b")))
			f.role(home, "b", trusts(roleARN("app")))
			f.role(home, "data", trusts(roleARN("b")), read)
		}, Allowed, ""},
		{"denied to assume", func(f *fleet) {
			f.role(home, "app", nobody, `{"Sid":"No","Effect":"Deny","Action":"sts:*","Resource":"*"}`)
			f.role(home, "data", trusts(roleARN("app")), read)
		}, Denied, ""},
		{"external id not known", func(f *fleet) {
			f.role(home, "app", nobody)
			f.role(home, "data", trusts(roleARN("app"), `"StringEquals":{"sts:ExternalId":"x"}`), read)
		}, Unknown, "StringEquals sts:ExternalId = x"},
		{"a session name is the caller's choice", func(f *fleet) {
			f.role(home, "app", nobody)
			f.role(home, "data", trusts(roleARN("app"), `"StringLike":{"sts:RoleSessionName":"app-*"}`), read)
		}, Allowed, ""},
		{"a certain way before an unknown shorter one", func(f *fleet) {
			f.role(home, "app", nobody)
			f.role(home, "a", trusts(roleARN("app"), `"StringEquals":{"sts:ExternalId":"x"}`), read)
			f.role(home, "b", trusts(roleARN("app")))
			f.role(home, "data", trusts(roleARN("b")), read)
		}, Allowed, "role/data"},
		{"trust policy unread", func(f *fleet) { f.role(home, "app", nobody); f.role(home, "data", "", read).Trust = "" }, Unknown, "the trust policy of"},
		{"everyone in the account by condition", func(f *fleet) {
			f.role(home, "app", nobody, assume)
			f.role(home, "data", trusts("*", `"StringEquals":{"aws:PrincipalAccount":"111122223333"}`), read)
		}, Allowed, ""},
		{"unique id", func(f *fleet) { f.role(home, "app", nobody); f.role(home, "data", trusts("AROAAPP"), read) }, Allowed, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFleet()
			tt.build(f)
			g := f.check(t, roleARN("app"), getIt, object)
			if g.Verdict != tt.want {
				t.Errorf("%s, want %s:\n%s", g.Verdict, tt.want, grantText(g))
			}
			if !strings.Contains(grantText(g), tt.says) {
				t.Errorf("does not say %q:\n%s", tt.says, grantText(g))
			}
		})
	}
}

// TestSessionTagsGoOn covers what chaining does to the session tags of Pod Identity.
func TestSessionTagsGoOn(t *testing.T) {
	byTag := `{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/kubernetes-service-account":"web"}}}`
	for _, tt := range []struct {
		name, trust string
		untagged    bool
		want        Verdict
	}{
		{"tags go on and count", trustsTagged(roleARN("app")), false, Allowed},
		{"tags go on, which the next role must allow", trusts(roleARN("app")), false, Denied},
		{"without tags there is nothing to match", trusts(roleARN("app")), true, Denied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFleet()
			f.associate("web", f.role(home, "app", pods("")).ARN).DisableSessionTags = tt.untagged
			f.role(home, "data", tt.trust, byTag)
			if g := f.check(t, "sa/shop/web", getIt, object); g.Verdict != tt.want {
				t.Errorf("%s, want %s:\n%s", g.Verdict, tt.want, grantText(g))
			}
		})
	}
}

// TestTokenOpensOtherRoles covers what else a pod's token is good for than the role that its service account names.
func TestTokenOpensOtherRoles(t *testing.T) {
	read := allows(getIt, "*")
	anySub := web(testIssuer, `"StringLike":{"I:sub":"system:serviceaccount:shop:*"},"StringEquals":{"I:aud":"sts.amazonaws.com"}`)
	annotate := func(f *fleet, role string) {
		f.serviceAccount("web").Annotations = map[string]string{RoleAnnotation: role}
	}
	deploy := func(f *fleet, audience string) {
		spec := model.PodSpec{ServiceAccount: "web", Volumes: []model.Volume{{Name: "t", Tokens: []model.TokenProjection{{Audience: audience}}}}}
		f.cluster.Workloads = []*model.Workload{{Meta: model.Meta{Namespace: "shop", Name: "web"}, Kind: "Deployment", PodSpec: spec}}
	}
	for _, tt := range []struct {
		name     string
		build    func(*fleet)
		identity string
		want     Verdict
		says     string
	}{
		{"a role that lets in the whole namespace", func(f *fleet) {
			annotate(f, f.role(home, "own", anySub).ARN)
			f.role(home, "data", anySub, read)
		}, "shop/web", Allowed, "shows its token to role arn:aws:iam::111122223333:role/data"},
		{"although its own role does not let it in", func(f *fleet) {
			annotate(f, f.role(home, "own", nobody).ARN)
			f.role(home, "data", anySub, read)
		}, "shop/web", Allowed, "role/data"},
		{"although its own role was not read", func(f *fleet) {
			annotate(f, "arn:aws:iam::777788889999:role/far")
			f.role(home, "data", anySub, read)
		}, "shop/web", Allowed, "role/data"},
		{"and from there to another", func(f *fleet) {
			annotate(f, f.role(home, "own", anySub).ARN)
			f.role(home, "next", anySub)
			f.role(home, "data", trusts(roleARN("next")), read)
		}, "shop/web", Allowed, "assumes role arn:aws:iam::111122223333:role/data"},
		{"by name", func(f *fleet) {
			annotate(f, f.role(home, "own", anySub).ARN)
			f.role(home, "data", web(testIssuer, `"StringEquals":{"I:sub":["system:serviceaccount:shop:api","system:serviceaccount:shop:web"]}`), read)
		}, "shop/web", Allowed, "role/data"},
		{"another's name", func(f *fleet) {
			annotate(f, f.role(home, "own", anySub).ARN)
			f.role(home, "data", web(testIssuer, `"StringEquals":{"I:sub":"system:serviceaccount:shop:api"}`), read)
		}, "shop/web", Denied, ""},
		{"another audience", func(f *fleet) {
			annotate(f, f.role(home, "own", anySub).ARN)
			f.cluster.ServiceAccounts[0].Annotations[AudienceAnnotation] = "vault"
			f.role(home, "data", anySub, read)
		}, "shop/web", Denied, ""},
		{"Pod Identity mounts no such token", func(f *fleet) {
			annotate(f, f.role(home, "own", anySub).ARN)
			f.associate("web", f.role(home, "app", pods("")).ARN)
			f.role(home, "data", anySub, read)
		}, "shop/web", Denied, ""},
		{"a token mounted by hand", func(f *fleet) { f.serviceAccount("web"); f.role(home, "data", anySub, read); deploy(f, IRSAAudience) }, "deploy/shop/web", Allowed, "role/data"},
		{"a token mounted by hand for somebody else", func(f *fleet) { f.serviceAccount("web"); f.role(home, "data", anySub, read); deploy(f, "vault") }, "deploy/shop/web", Denied, ""},
		{"a token for Pod Identity mounted by hand", func(f *fleet) {
			f.associate("web", f.role(home, "data", pods(""), read).ARN)
			deploy(f, PodIdentityAudience)
			f.cluster.Workloads[0].TemplateLabels = map[string]string{SkipWebhookLabel: ""}
		}, "deploy/shop/web", Allowed, "role/data"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFleet()
			tt.build(f)
			g := f.check(t, tt.identity, getIt, object)
			if g.Verdict != tt.want {
				t.Errorf("%s, want %s:\n%s", g.Verdict, tt.want, grantText(g))
			}
			if !strings.Contains(grantText(g), tt.says) {
				t.Errorf("does not say %q:\n%s", tt.says, grantText(g))
			}
		})
	}
}

func TestTargetRole(t *testing.T) {
	externalID := `"StringEquals":{"sts:ExternalId":"us-east-1/111122223333/lab/shop/web"}`
	for _, tt := range []struct {
		name, trust, own, policy, external string
		tags                               bool
		want                               Verdict
		says                               string
	}{
		{name: "tagged", trust: trustsTagged(roleARN("app")), own: "*", tags: true, want: Allowed, says: "and goes on to role"},
		{name: "the target does not allow tags", trust: trusts(roleARN("app")), own: "*", tags: true, want: Denied, says: "for sts:TagSession"},
		{name: "external id", trust: trusts(roleARN("app"), externalID), own: "*", want: Allowed},
		{name: "external id that the association names", trust: trusts(roleARN("app"), externalID), own: "*", external: "other", want: Denied},
		{name: "wrong external id", trust: trusts(roleARN("app"), strings.Replace(externalID, "shop/web", "shop/api", 1)), own: "*", want: Denied, says: "trust policy"},
		{name: "the first role may not assume it", trust: trusts(roleARN("app"), externalID), own: roleIn(foreign, "else"), want: Denied},
		{name: "the session policy limits the target", trust: trusts(roleARN("app"), externalID), own: "*", policy: allows("s3:ListBucket", "*"), want: Denied, says: "session policy"},
		{name: "the session policy does not limit the first role", trust: trusts(roleARN("app"), externalID), own: "*", policy: allows(getIt, "*"), want: Allowed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFleet()
			p := f.associate("web", f.role(home, "app", pods(""), fmt.Sprintf(`{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Resource":%q}`, tt.own)).ARN)
			p.TargetRoleARN, p.DisableSessionTags, p.ExternalID = f.role(foreign, "data", tt.trust, allows(getIt, "*")).ARN, !tt.tags, tt.external
			if tt.policy != "" {
				p.Policy = statements(tt.policy)
			}
			g := f.check(t, "sa/shop/web", getIt, object)
			if g.Verdict != tt.want {
				t.Errorf("%s, want %s:\n%s", g.Verdict, tt.want, grantText(g))
			}
			if !strings.Contains(grantText(g), tt.says) {
				t.Errorf("does not say %q:\n%s", tt.says, grantText(g))
			}
		})
	}
}
