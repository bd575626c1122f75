package access

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"drawbridge/internal/model"
)

// TestCheckAWSInOrganization asks what somebody may do in an account whose organization was read, or not.
func TestCheckAWSInOrganization(t *testing.T) {
	const (
		far       = "444455556666"
		table     = "arn:aws:dynamodb:us-east-1:" + far + ":table/t"
		ours      = `{"Sid":"Ours","Effect":"Deny","Principal":"*","Action":["s3:*","sts:AssumeRole","sts:AssumeRoleWithWebIdentity"],"Resource":"*","Condition":{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-example123"},"BoolIfExists":{"aws:PrincipalIsAWSService":"false"}}}`
		perimeter = `{"Sid":"Perimeter","Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringNotEqualsIfExists":{"aws:ResourceOrgID":"o-example123"}}}`
	)
	scp := func(s ...string) *model.Organization { return inOrganization([]model.Document{statements(s...)}, nil) }
	rcp := func(s ...string) *model.Organization {
		return inOrganization(nil, []model.Document{statements(s...)})
	}
	elsewhere := func(o *model.Organization) *model.Organization {
		o.ID = "o-other12345"
		o.Levels[2].ID = far
		return o
	}
	everything := func(f *fleet) { f.role(home, "app", nobody, scpFull) }
	assumes := func(f *fleet) {
		f.role(home, "app", nobody, scpFull)
		f.role(far, "data", trusts(roleIn(home, "app")), allows("dynamodb:*", "*"))
	}
	app := roleIn(home, "app")
	for _, c := range []struct {
		name         string
		home, far    *model.Organization
		build        func(*fleet)
		who          string
		action, what string
		want         Verdict
		says         string // somewhere in the answer
		not          string // nowhere
	}{
		{name: "not read", build: everything, action: getIt, what: object, want: Allowed, says: "no organization policy (SCP, RCP) denies it (not read)"},
		{name: "not read, no RCP for the service", build: everything, action: "eks:CreateCluster", what: "*", want: Allowed, says: "(SCP) denies it (not read)"},
		{name: "not read, a service-linked role", build: func(f *fleet) { f.role(home, "aws-service-role/x.amazonaws.com/app", nobody, scpFull) }, who: roleIn(home, "aws-service-role/x.amazonaws.com/app"), action: getIt, what: object, want: Allowed, not: "organization"},
		{name: "read", home: inOrganization(nil, nil), build: everything, action: getIt, what: object, want: Allowed, not: "organization"},
		{name: "denied", home: scp(`{"Sid":"NoData","Effect":"Deny","Action":"s3:*","Resource":"*"}`), build: everything, action: getIt, what: object, want: Denied, says: "service control policy guard (p-guard123) at ou-ab12-11111111, NoData"},
		{name: "denied to the root user", home: scp(`{"Effect":"Deny","Action":"s3:*","Resource":"*"}`), build: everything, who: "arn:aws:iam::" + home + ":root", action: getIt, what: object, want: Denied, says: "service control policy guard"},
		{name: "not to a service-linked role", home: scp(`{"Effect":"Deny","Action":"s3:*","Resource":"*"}`), build: func(f *fleet) { f.role(home, "aws-service-role/x.amazonaws.com/app", nobody, scpFull) }, who: roleIn(home, "aws-service-role/x.amazonaws.com/app"), action: getIt, what: object, want: Allowed},
		{name: "another region", home: scp(`{"Effect":"Deny","NotAction":"iam:*","Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":"eu-central-1"}}}`), build: everything, action: "sqs:SendMessage", what: "arn:aws:sqs:us-east-1:" + home + ":q", want: Denied, says: "guard"},
		{name: "its region", home: scp(`{"Effect":"Deny","NotAction":"iam:*","Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":"eu-central-1"}}}`), build: everything, action: "sqs:SendMessage", what: "arn:aws:sqs:eu-central-1:" + home + ":q", want: Allowed},
		{name: "no service control policy allows it", home: func() *model.Organization {
			o := scp()
			o.Levels[0].SCPs[0].Document = statements(allow("*", "eks:*"))
			return o
		}(), build: everything, action: getIt, what: object, want: Denied, says: "no service control policy allows s3:GetObject"},
		{name: "its own resource control policy", home: rcp(`{"Sid":"Nobody","Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"*"}`), build: everything, action: getIt, what: object, want: Denied, says: "resource control policy guard (p-guard123) at ou-ab12-11111111, Nobody"},
		{name: "a resource control policy that is not for the service", home: rcp(`{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}`), build: everything, action: "eks:DescribeCluster", what: testCluster, want: Allowed},
		{name: "the organization's own resources only", home: scp(perimeter), build: everything, action: getIt, what: object, want: Allowed, says: "which its ARN does not tell"},
		{name: "another organization's resources only", home: scp(strings.ReplaceAll(perimeter, "o-example123", "o-other12345")), build: everything, action: getIt, what: object, want: Denied, says: "Perimeter"},
		{name: "over a role of another organization", build: assumes, home: inOrganization(nil, nil), far: elsewhere(inOrganization(nil, nil)), action: "dynamodb:GetItem", what: table, want: Allowed, says: "assumes role " + roleIn(far, "data")},
		{name: "over a role of another organization that lets in its own only", build: assumes, home: inOrganization(nil, nil), far: elsewhere(rcp(strings.ReplaceAll(ours, "o-example123", "o-other12345"))), action: "dynamodb:GetItem", what: table, want: Unknown, not: "assumes role"},
		{name: "over a role of the same organization", build: func(f *fleet) {
			f.role(home, "app", nobody, allows("sts:AssumeRole", "*"))
			f.role(home, "data", trusts(roleIn(home, "app")), allows("s3:*", "*"))
		}, home: rcp(ours), action: getIt, what: object, want: Allowed, says: "assumes role " + roleIn(home, "data")},
		{name: "over a role that is out of reach", build: func(f *fleet) {
			f.role(home, "app", nobody, allows("sts:AssumeRole", "*"))
			f.role(home, "data", trusts(roleIn(home, "app")), allows("s3:*", "*"))
		}, home: rcp(`{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole","Resource":"*"}`), action: getIt, what: object, want: Denied},
		{name: "a pod whose role takes no tokens", build: func(f *fleet) {
			f.role(home, "app", `{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::`+home+`:oidc-provider/`+testIssuer+`"},"Action":"sts:AssumeRoleWithWebIdentity"}`, scpFull)
			f.serviceAccount("web").Annotations = map[string]string{"eks.amazonaws.com/role-arn": app}
		}, home: rcp(`{"Sid":"NoTokens","Effect":"Deny","Principal":"*","Action":"sts:AssumeRoleWithWebIdentity","Resource":"*"}`), who: "sa/shop/web", action: getIt, what: object, want: Denied, says: "resource control policy guard (p-guard123) at ou-ab12-11111111, NoTokens"},
		{name: "a pod whose role takes tokens", build: func(f *fleet) {
			f.role(home, "app", `{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::`+home+`:oidc-provider/`+testIssuer+`"},"Action":"sts:AssumeRoleWithWebIdentity"}`, scpFull)
			f.serviceAccount("web").Annotations = map[string]string{"eks.amazonaws.com/role-arn": app}
		}, home: rcp(`{"Effect":"Deny","Principal":"*","Action":"sqs:*","Resource":"*"}`), who: "sa/shop/web", action: getIt, what: object, want: Allowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet()
			c.build(f)
			for id, o := range map[string]*model.Organization{home: c.home, far: c.far} {
				if o != nil {
					f.account(id).Organization = o
					f.account(id).MarkRead(model.AreaOrganization)
				}
			}
			who := c.who
			if who == "" {
				who = app
			}
			g := f.check(t, who, c.action, c.what)
			text := grantText(g)
			if g.Verdict != c.want || !strings.Contains(text, c.says) || c.not != "" && strings.Contains(text, c.not) {
				t.Errorf("%s, want %s with %q and without %q:\n%s", g.Verdict, c.want, c.says, c.not, text)
			}
		})
	}
}

// An organization only takes away: what is denied without it stays denied with it, and one more denial of it allows nothing.
func TestOrganizationOnlyTakesAway(t *testing.T) {
	conditions := []string{
		"", `"StringEquals":{"aws:PrincipalOrgID":"o-example123"}`, `"StringNotEquals":{"aws:RequestedRegion":"us-east-1"}`,
		`"StringNotEqualsIfExists":{"aws:ResourceOrgID":"o-other12345"}`, `"Bool":{"aws:MultiFactorAuthPresent":"true"}`,
	}
	some := func(t *rapid.T, what string, effects ...string) string {
		principal := ""
		if what == "RCP" {
			principal = `"Principal":"*",`
		}
		return `{"Effect":"` + rapid.SampledFrom(effects).Draw(t, what+" effect") + `",` + principal +
			`"Action":"` + rapid.SampledFrom([]string{"*", "s3:*", "s3:GetObject", "sts:AssumeRole", "dynamodb:*"}).Draw(t, what+" action") +
			`","Resource":"*","Condition":{` + rapid.SampledFrom(conditions).Draw(t, what+" condition") + `}}`
	}
	rapid.Check(t, func(t *rapid.T) {
		own := []string{some(t, "own", "Allow"), some(t, "own", "Allow", "Deny")}
		scps, rcps := []string{some(t, "SCP", "Allow", "Deny")}, []string{some(t, "RCP", "Deny")}
		action := rapid.SampledFrom([]string{"s3:GetObject", "dynamodb:GetItem", "sts:AssumeRole"}).Draw(t, "action")
		resource := map[string]string{"s3:GetObject": object, "dynamodb:GetItem": "arn:aws:dynamodb:us-east-1:" + home + ":table/t", "sts:AssumeRole": roleIn(home, "data")}[action]
		ask := func(o *model.Organization) Verdict {
			f := newFleet()
			f.role(home, "app", nobody, own...)
			f.role(home, "data", trusts("arn:aws:iam::"+home+":root"))
			if o != nil {
				f.account(home).Organization = o
				f.account(home).MarkRead(model.AreaOrganization)
			}
			id, err := ParseIdentity(roleIn(home, "app"))
			if err != nil {
				t.Fatal(err)
			}
			return New(f.snapshot).CheckAWS(id, AWSQuestion{Action: action, Resource: resource})[0].Verdict
		}
		without := ask(nil)
		with := ask(inOrganization([]model.Document{statements(scps...)}, []model.Document{statements(rcps...)}))
		more := ask(inOrganization([]model.Document{statements(append(scps, some(t, "SCP", "Deny"))...)}, []model.Document{statements(append(rcps, some(t, "RCP", "Deny"))...)}))
		if without == Denied && with != Denied || with == Denied && more != Denied || with == Unknown && more == Allowed {
			t.Errorf("without %s, with %s, with more denials %s", without, with, more)
		}
	})
}
