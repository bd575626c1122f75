package access

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drawbridge/internal/model"
)

// What the random fleets are made of. Few names, so that they meet.
var (
	somePermissions = []string{
		allows(getIt, "*"), allows("s3:*", "arn:aws:s3:::bucket/*"), allows("*", "*"), allows(assumeRole, "*"), allows(assumeRole, roleARN("b")),
		allows(assumeRole, "arn:aws:iam::*:role/*"), allows("sts:*", roleARN("c")), allows("ec2:*", "*"),
		`{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`,
		`{"Effect":"Allow","Action":"s3:GetObject","NotResource":"arn:aws:s3:::other/*"}`,
		`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/kubernetes-namespace":"shop"}}}`,
		`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"a"}}}`,
		`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/${aws:PrincipalTag/kubernetes-service-account}/*"}`,
		`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}`,
	}
	someDenials = []string{
		`{"Effect":"Deny","Action":"s3:*","Resource":"*"}`, `{"Effect":"Deny","NotAction":"s3:*","Resource":"*"}`, `{"Effect":"Deny","Action":"sts:TagSession","Resource":"*"}`,
		`{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalTag/kubernetes-namespace":"shop"}}}`,
		`{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"false"}}}`,
	}
	someTrusts = []string{
		nobody, trusts("arn:aws:iam::" + home + ":root"), trusts("arn:aws:iam::" + foreign + ":root"), trusts(roleARN("a")), trusts(roleARN("b")), trusts(roleIn(foreign, "c")),
		trustsTagged(roleARN("a")), trustsTagged("arn:aws:iam::" + home + ":root"), trusts("*"), trusts("arn:aws:iam::" + home + ":user/u"), trusts("AROAA"),
		trusts(roleARN("a"), `"StringEquals":{"sts:ExternalId":"x"}`), pods(""), pods(`"StringEquals":{"aws:RequestTag/kubernetes-namespace":"shop"}`),
		pods(`"StringEquals":{"aws:RequestTag/kubernetes-service-account":"api"}`), web(testIssuer, `"StringEquals":{"I:sub":"system:serviceaccount:shop:web"}`),
		service(`"sts:AssumeRole"`, ""), `{"Effect":"Allow","Principal":{"AWS":"` + roleARN("b") + `"},"Action":"sts:TagSession"}`,
	}
	roleNames = []string{"a", "b", "c"}
	accounts  = []string{"web", "api"}
)

// draw makes a random fleet.
func draw(t *rapid.T) *fleet {
	f := newFleet()
	if rapid.Bool().Draw(t, "simple") { // so that what decides is the rest
		somePermissions, someTrusts := somePermissions[:3], []string{pods(""), web(testIssuer, `"StringLike":{"I:sub":"system:serviceaccount:*"}`), trusts(roleARN("a"))}
		f.draw(t, somePermissions, someTrusts)
	} else {
		f.draw(t, somePermissions, someTrusts)
	}
	f.everyone = f.everybody()
	return f
}

func (f *fleet) draw(t *rapid.T, somePermissions, someTrusts []string) {
	pick := func(from []string, label string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 1, 3, rapid.ID[string]).Draw(t, label)
	}
	var roles []string
	for _, account := range []string{home, foreign} {
		for _, n := range roleNames {
			if rapid.IntRange(0, 3).Draw(t, "skip") == 0 {
				continue
			}
			r := f.role(account, n, strings.Join(pick(someTrusts, "trust"), ","), pick(somePermissions, "permissions")...)
			roles = append(roles, r.ARN)
			if rapid.IntRange(0, 3).Draw(t, "deny") == 0 {
				r.Inline = append(r.Inline, model.InlinePolicy{Name: "d", Document: statements(pick(someDenials, "denial")...)})
			}
			if rapid.IntRange(0, 4).Draw(t, "bounded") == 0 {
				r.Boundary = f.managed(fmt.Sprintf("limit-%s-%s", account, n), pick(somePermissions, "boundary")...)
			}
			if rapid.Bool().Draw(t, "tags") {
				r.Tags = map[string]string{"team": "a"}
			}
		}
	}
	if len(roles) < len(roleNames) && rapid.Bool().Draw(t, "poor") {
		f.role(home, "poor", strings.Join(someTrusts, ","))
		roles = append(roles, roleARN("poor"))
	}
	f.account(home).Users = []*model.IAMUser{{ARN: "arn:aws:iam::" + home + ":user/u", Name: "u", Inline: []model.InlinePolicy{{Name: "p", Document: statements(pick(somePermissions, "user")...)}}}}
	if len(roles) == 0 {
		return
	}
	role := rapid.SampledFrom(roles)
	if rapid.IntRange(0, 3).Draw(t, "no provider") == 0 {
		f.account(home).OIDCProviders = nil
	}
	if rapid.IntRange(0, 3).Draw(t, "Fargate") == 0 {
		f.cluster.FargateProfiles = []*model.FargateProfile{{Name: "f", Selectors: []model.FargateSelector{{Namespace: "shop"}}}}
	}
	for _, sa := range accounts {
		how := rapid.IntRange(0, 6).Draw(t, "how")
		if how > 3 {
			f.serviceAccount(sa).Annotations = map[string]string{RoleAnnotation: role.Draw(t, "irsa")}
		}
		switch how {
		case 0:
			f.serviceAccount(sa)
		case 1, 2, 3, 4:
			p := f.associate(sa, role.Draw(t, "association"))
			p.DisableSessionTags = rapid.Bool().Draw(t, "untagged")
			if rapid.IntRange(0, 3).Draw(t, "target") == 0 {
				p.TargetRoleARN = role.Draw(t, "target role")
			}
			if rapid.IntRange(0, 3).Draw(t, "limited") == 0 {
				p.Policy = statements(pick(somePermissions, "session policy")...)
			}
		}
		f.deploy(t, sa, role)
	}
}

// deploy runs a service account's workload on nodes of random kinds.
func (f *fleet) deploy(t *rapid.T, sa string, role *rapid.Generator[string]) {
	c, n := f.cluster, len(f.cluster.Nodes)
	node := &model.Node{Meta: model.Meta{Name: fmt.Sprintf("n%d", n), Labels: map[string]string{NodegroupLabel: fmt.Sprintf("g%d", n)}}, ProviderID: fmt.Sprintf("aws:///us-east-1a/i-%d", n)}
	c.Nodes = append(c.Nodes, node)
	ng := &model.Nodegroup{Name: fmt.Sprintf("g%d", n), NodeRoleARN: role.Draw(t, "node role"), LaunchTemplateID: "lt", LaunchTemplateVersion: "1"}
	c.Nodegroups = append(c.Nodegroups, ng)
	c.LaunchTemplates = []*model.LaunchTemplate{{ID: "lt", Version: "1", MetadataOptions: model.MetadataOptions{HTTPTokens: "optional"}}}
	hops := rapid.SampledFrom([]int{1, 2}).Draw(t, "hops")
	c.Instances = append(c.Instances, &model.Instance{ID: fmt.Sprintf("i-%d", n), MetadataOptions: model.MetadataOptions{HTTPTokens: "required", HTTPEndpoint: "enabled", HopLimit: hops}})
	spec := model.PodSpec{ServiceAccount: sa, Containers: []model.Container{{Name: "main"}}}
	w := &model.Workload{Meta: model.Meta{Namespace: "shop", Name: sa}, Kind: "Deployment", PodSpec: spec}
	if rapid.IntRange(0, 4).Draw(t, "opted out") == 0 {
		w.TemplateLabels = map[string]string{SkipWebhookLabel: ""}
	}
	c.Workloads = append(c.Workloads, w)
	if rapid.IntRange(0, 3).Draw(t, "no pods") == 0 {
		return
	}
	spec.NodeName, spec.HostNetwork = node.Name, rapid.IntRange(0, 3).Draw(t, "host") == 0
	switch rapid.IntRange(0, 4).Draw(t, "injected") {
	case 0:
		spec.Containers = []model.Container{{Name: "main", Env: []model.EnvVar{{Name: "AWS_CONTAINER_CREDENTIALS_FULL_URI"}}}}
	case 1:
		spec.Containers = []model.Container{{Name: "main", Env: []model.EnvVar{{Name: "AWS_WEB_IDENTITY_TOKEN_FILE"}}}}
	case 2:
		spec.Volumes = []model.Volume{{Name: "t", Tokens: []model.TokenProjection{{Audience: rapid.SampledFrom([]string{IRSAAudience, PodIdentityAudience, "vault"}).Draw(t, "audience")}}}}
	case 3:
		if rapid.IntRange(0, 3).Draw(t, "static") == 0 {
			spec.Containers = []model.Container{{Name: "main", Env: []model.EnvVar{{Name: "AWS_ACCESS_KEY_ID"}}}}
		}
	}
	c.Pods = append(c.Pods, &model.Pod{Meta: model.Meta{Namespace: "shop", Name: sa + "-0", Owner: "replicaset/" + sa + "-5d4", Labels: w.TemplateLabels}, PodSpec: spec, Phase: "Running"})
}

// everybody are the identities of a fleet as it was drawn.
func (f *fleet) everybody() []Identity {
	var all []Identity
	for _, acct := range f.snapshot.Accounts {
		for _, r := range acct.Roles {
			all = append(all, Identity{Kind: KindIAMRole, ARN: r.ARN})
		}
	}
	all = append(all, Identity{Kind: KindIAMUser, ARN: "arn:aws:iam::" + home + ":user/u"}, Identity{Kind: KindRoot, ARN: "arn:aws:iam::" + home + ":root"})
	for _, sa := range accounts {
		all = append(
			all, Identity{Kind: KindServiceAccount, Cluster: "lab", Namespace: "shop", Name: sa}, Identity{Kind: KindWorkload, Cluster: "lab", Namespace: "shop", Name: "deployment/" + sa},
			Identity{Kind: KindPod, Cluster: "lab", Namespace: "shop", Name: sa + "-0"},
		)
	}
	return all
}

func drawQuestion(t *rapid.T) AWSQuestion {
	return AWSQuestion{
		Action:   rapid.SampledFrom([]string{getIt, getIt, getIt, "ec2:DescribeInstances", assumeRole}).Draw(t, "action"),
		Resource: rapid.SampledFrom([]string{object, object, "arn:aws:s3:::bucket/web/x", "", roleARN("b")}).Draw(t, "resource"),
	}
}

// verdicts are what everybody may do.
func (f *fleet) verdicts(q AWSQuestion) map[Identity]Grant {
	a, all := New(f.snapshot), map[Identity]Grant{}
	for _, id := range f.everyone {
		all[id] = a.CheckAWS(id, q)[0]
	}
	return all
}

// TestWhoCanIsCheck holds the answer about everybody to those about each.
func TestWhoCanIsCheck(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, q := draw(t), drawQuestion(t)
		each := f.verdicts(q)
		who := map[Identity]Grant{}
		for _, g := range New(f.snapshot).WhoCanAWS(q) {
			if _, twice := who[g.Identity]; twice {
				t.Errorf("%s is there twice", g.Identity)
			}
			who[g.Identity] = g
		}
		for id, g := range each {
			got, there := who[id]
			switch {
			case id.Kind == KindPod && !there: // it holds what its workload does
			case there && got.Verdict != g.Verdict, !there && g.Verdict == Allowed, !there && g.Verdict == Unknown && !unreadRole(g):
				t.Errorf("%s: %s, but asked alone\n%s\n-- who can:\n%s", id, got.Verdict, grantText(g), grantText(got))
			}
		}
	})
}

// unreadRole says whether an answer is unknown because it is not known which role somebody has: who can leaves that to the gaps.
func unreadRole(g Grant) bool {
	return slices.ContainsFunc(g.Conditions, func(c string) bool { return strings.HasPrefix(c, "which role") })
}

// unchanged fails where somebody may do what they could not.
func unchanged(t *rapid.T, before, after map[Identity]Grant, what string, worse func(before, after Verdict) bool) {
	for id, b := range before {
		if a, ok := after[id]; ok && worse(b.Verdict, a.Verdict) {
			t.Errorf("%s: %s\n-- before:\n%s\n-- after:\n%s", what, id, grantText(b), grantText(a))
		}
	}
}

func adds(before, after Verdict) bool { return before == Denied && after != Denied }

// TestDenyNeverAdds adds a Deny statement somewhere.
func TestDenyNeverAdds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, q := draw(t), drawQuestion(t)
		before := f.verdicts(q)
		denial := rapid.SampledFrom(someDenials).Draw(t, "new denial")
		roles := slices.Concat(f.account(home).Roles, f.account(foreign).Roles)
		if len(roles) == 0 {
			return
		}
		r := rapid.SampledFrom(roles).Draw(t, "role")
		if rapid.Bool().Draw(t, "of the trust policy") {
			r.Trust = model.Document(strings.Replace(string(r.Trust), `"Statement":[`, `"Statement":[{"Effect":"Deny","Principal":"*","Action":"sts:*"},`, 1))
		} else {
			r.Inline = append(r.Inline, model.InlinePolicy{Name: "new", Document: statements(denial)})
		}
		unchanged(t, before, f.verdicts(q), "a denial on "+r.ARN+" adds", adds)
	})
}

// TestRemovingNeverAdds takes away a policy, a trust policy, a role, or an association.
func TestRemovingNeverAdds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, q := draw(t), drawQuestion(t)
		before := f.verdicts(q)
		acct := f.account(rapid.SampledFrom([]string{home, foreign}).Draw(t, "account"))
		if len(acct.Roles) == 0 {
			return
		}
		i := rapid.IntRange(0, len(acct.Roles)-1).Draw(t, "role")
		switch rapid.IntRange(0, 3).Draw(t, "what") {
		case 0:
			acct.Roles[i].Inline = slices.DeleteFunc(acct.Roles[i].Inline, func(p model.InlinePolicy) bool { return p.Name == "p" })
		case 1:
			acct.Roles[i].Trust = statements(nobody)
		case 2:
			acct.Roles = slices.Delete(acct.Roles, i, i+1)
		default: // but not where an annotation then counts
			f.cluster.PodIdentityAssociations = slices.DeleteFunc(f.cluster.PodIdentityAssociations, func(p *model.PodIdentityAssociation) bool {
				return !slices.ContainsFunc(f.cluster.ServiceAccounts, func(sa *model.ServiceAccount) bool { return sa.Name == p.ServiceAccount && IRSARole(sa) != "" })
			})
		}
		unchanged(t, before, f.verdicts(q), "removing adds", adds)
	})
}

// only is the fleet's snapshot with some areas.
func (f *fleet) only(t *rapid.T, areas []model.Area) *model.Snapshot {
	var file bytes.Buffer
	if err := model.Write(&file, f.snapshot); err != nil {
		t.Fatal(err)
	}
	s, err := model.Read(&file, areas...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestAreasAreEnough reads no more of a snapshot than commands do.
func TestAreasAreEnough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, q := draw(t), drawQuestion(t)
		for id, want := range f.verdicts(q) {
			got := New(f.only(t, AreasOfCheckAWS(id))).CheckAWS(id, q)[0]
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-all +areas of the question)\n%s", id, diff)
			}
		}
		want, got := New(f.snapshot).WhoCanAWS(q), New(f.only(t, AreasOfAWSSessions())).WhoCanAWS(q)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-all +areas of the question)\n%s", diff)
		}
	})
}

// TestUnreadNeverAllows drops areas from a snapshot.
func TestUnreadNeverAllows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, q := draw(t), drawQuestion(t)
		before := f.verdicts(q)
		dropped := rapid.SliceOfNDistinct(rapid.SampledFrom([]model.Area{
			model.AreaCluster, model.AreaPodIdentityAssociations, model.AreaNodegroups, model.AreaFargateProfiles, model.AreaInstances, model.AreaLaunchTemplates,
			model.AreaServiceAccounts, model.AreaPods, model.AreaWorkloads, model.AreaNodes, model.AreaIAMRoles, model.AreaIAMUsers, model.AreaIAMPolicies, model.AreaOIDCProviders,
		}), 1, 3, rapid.ID).Draw(t, "areas")
		var kept []model.Area
		for _, info := range model.Areas {
			if !slices.Contains(dropped, info.Area) {
				kept = append(kept, info.Area)
			}
		}
		f.snapshot = f.only(t, kept)
		unchanged(t, before, f.verdicts(q), "unread", func(before, after Verdict) bool { return before == Denied && after == Allowed })
	})
}
