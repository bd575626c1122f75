package access

import (
	"testing"

	"drawbridge/internal/model"
)

// FuzzCheckAWS asks about a fleet whose policies, ARNs and question are anything at all: it must come to an end, and say
// allowed only with a chain.
func FuzzCheckAWS(f *testing.F) {
	f.Add(string(statements(allows(getIt, "*"))), string(statements(trusts(roleARN("app")))), roleARN("data"), getIt, object)
	f.Add(`{"Statement":{"Effect":"Allow","NotAction":[],"NotResource":"${aws:username}"}}`, `{"Version":"x","Statement":[]}`, "arn:aws:iam::1:role/", "", "arn:::::")
	f.Add(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${a,'*'}/?*"}]}`, `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:*"}]}`, "arn:aws:iam::111122223333:role/a/b", assumeRole, "")
	f.Fuzz(func(t *testing.T, policy, trust, arn, action, resource string) {
		fl := newFleet()
		app := fl.role(home, "app", pods(""))
		app.Inline, app.Attached, app.Boundary = []model.InlinePolicy{{Name: "p", Document: model.Document(policy)}}, []string{arn}, resource
		data := fl.role(home, "data", "")
		data.Trust, data.ARN = model.Document(trust), arn
		data.Inline = app.Inline
		p := fl.associate("web", app.ARN)
		p.TargetRoleARN, p.Policy = resource, model.Document(policy)
		fl.associate("api", arn).TargetRoleARN = arn
		a, q := New(fl.snapshot), AWSQuestion{Action: action, Resource: resource, Given: map[string][]string{arn: {policy}}}
		grants := a.WhoCanAWS(q)
		for _, s := range []string{"sa/shop/web", "sa/shop/api", app.ARN, arn} {
			if id, err := ParseIdentity(s); err == nil {
				grants = append(grants, a.CheckAWS(id, q)...)
			}
		}
		for _, g := range grants {
			if g.Verdict == Allowed && len(g.Chain) == 0 {
				t.Errorf("%s is allowed without a chain", g.Identity)
			}
		}
	})
}
