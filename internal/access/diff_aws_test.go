package access

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/model"
)

// inline is a policy document with one statement for each "actions on resources", and a condition after "if".
func inline(statements ...string) model.Document {
	var all []string
	for _, s := range statements {
		effect := "Allow"
		if rest, denies := strings.CutPrefix(s, "deny "); denies {
			effect, s = "Deny", rest
		}
		what, condition, _ := strings.Cut(s, " if ")
		actions, resources, _ := strings.Cut(what, " on ")
		list := func(s string) string { return `["` + strings.ReplaceAll(s, ",", `","`) + `"]` }
		text := `{"Effect":"` + effect + `","Action":` + list(actions) + `,"Resource":` + list(resources)
		if condition != "" {
			text += `,"Condition":` + condition
		}
		all = append(all, text+"}")
	}
	return model.Document(`{"Version":"2012-10-17","Statement":[` + strings.Join(all, ",") + `]}`)
}

func trusting(principal string) model.Document {
	return model.Document(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + principal + `,"Action":["sts:AssumeRole","sts:TagSession"]}]}`)
}

const podIdentityPrincipal = `{"Service":"pods.eks.amazonaws.com"}`

// awsWorld is a world with a service account that has an IAM role through Pod Identity, and a workload.
func awsWorld() *world {
	w := newWorld()
	w.role("app", longAgo)
	w.acct.Roles[0].Trust = trusting(podIdentityPrincipal)
	w.acct.Roles[0].Inline = []model.InlinePolicy{{Name: "p", Document: inline("s3:GetObject,s3:PutObject on arn:aws:s3:::data/*")}}
	w.c.ServiceAccounts = append(w.c.ServiceAccounts, &model.ServiceAccount{Meta: model.Meta{Namespace: "a", Name: "s"}})
	w.c.PodIdentityAssociations = append(w.c.PodIdentityAssociations, &model.PodIdentityAssociation{Namespace: "a", ServiceAccount: "s", RoleARN: roleARN("app")})
	d := &model.Workload{Meta: model.Meta{Namespace: "a", Name: "d"}, Kind: "Deployment"}
	d.PodSpec.ServiceAccount = "s"
	w.c.Workloads = append(w.c.Workloads, d)
	agent := &model.Workload{Meta: model.Meta{Namespace: "kube-system", Name: AgentName}, Kind: "DaemonSet"}
	w.c.Workloads = append(w.c.Workloads, agent)
	return w
}

func lines(d *Difference) []string {
	var all []string
	for _, one := range d.Identities {
		for _, c := range one.Gained {
			all = append(all, "+ "+one.Identity.String()+" "+c.What())
		}
		for _, c := range one.Lost {
			all = append(all, "- "+one.Identity.String()+" "+c.What())
		}
		for _, u := range one.Unknown {
			all = append(all, "? "+one.Identity.String()+" "+u.Side+" "+u.What+": "+u.Reason)
		}
	}
	slices.Sort(all)
	return all
}

func TestDiffInAWS(t *testing.T) {
	t.Parallel()
	app := func(w *world) *model.IAMRole { return w.acct.Roles[0] }
	everybody := func(sign, what string) []string {
		return []string{sign + " " + roleARN("app") + " " + what, sign + " deployment/a/d " + what, sign + " sa/a/s " + what}
	}
	for name, tc := range map[string]struct {
		change func(*world)
		want   []string
	}{
		"nothing": {func(*world) {}, nil},
		"renamed and split": {func(w *world) {
			app(w).Inline = []model.InlinePolicy{{Name: "q", Document: inline("s3:PutObject on arn:aws:s3:::data/*")}, {Name: "r", Document: inline("s3:getobject on arn:aws:s3:::data/*")}}
		}, nil},
		"from inline to managed": {func(w *world) {
			app(w).Attached = []string{"arn:aws:iam::" + home + ":policy/p"}
			w.acct.Policies = append(w.acct.Policies, &model.IAMPolicy{ARN: app(w).Attached[0], Document: app(w).Inline[0].Document})
			app(w).Inline = nil
		}, nil},
		"one action more": {func(w *world) {
			app(w).Inline[0].Document = inline("s3:GetObject,s3:PutObject,s3:DeleteObject on arn:aws:s3:::data/*")
		}, everybody("+", "s3:DeleteObject on arn:aws:s3:::data/*")},
		"one action less": {func(w *world) { app(w).Inline[0].Document = inline("s3:GetObject on arn:aws:s3:::data/*") }, everybody("-", "s3:PutObject on arn:aws:s3:::data/*")},
		"a deny": {func(w *world) {
			app(w).Inline = append(app(w).Inline, model.InlinePolicy{Name: "d", Document: inline("deny s3:PutObject on *")})
		}, everybody("-", "s3:PutObject on arn:aws:s3:::data/*")},
		"a condition": {func(w *world) {
			app(w).Inline[0].Document = inline(`s3:GetObject,s3:PutObject on arn:aws:s3:::data/* if {"Bool":{"aws:MultiFactorAuthPresent":"true"}}`)
		}, everybody("-", "s3:GetObject, s3:PutObject on arn:aws:s3:::data/*")},
		"one that holds for pods of this namespace": {func(w *world) {
			app(w).Inline[0].Document = inline(`s3:GetObject,s3:PutObject on arn:aws:s3:::data/* if {"StringEquals":{"aws:PrincipalTag/kubernetes-namespace":"a"}}`)
		}, []string{"- " + roleARN("app") + " s3:GetObject, s3:PutObject on arn:aws:s3:::data/*"}},
		"no association any more": {func(w *world) { w.c.PodIdentityAssociations = nil }, everybody("-", "s3:GetObject, s3:PutObject on arn:aws:s3:::data/*")[1:]},
		"another role that may do the same": {func(w *world) {
			w.role("new", longAgo)
			w.acct.Roles[1].Trust, w.acct.Roles[1].Inline = app(w).Trust, app(w).Inline
			w.c.PodIdentityAssociations[0].RoleARN = roleARN("new")
		}, []string{
			"+ " + roleARN("new") + " s3:GetObject, s3:PutObject on arn:aws:s3:::data/*",
			"? deployment/a/d gained what policies of resources give to " + roleARN("new") + ": it is another principal than " + roleARN("app") + ", and policies of resources are not read",
			"? deployment/a/d lost what policies of resources give to " + roleARN("app") + ": it is another principal than " + roleARN("new") + ", and policies of resources are not read",
			"? sa/a/s gained what policies of resources give to " + roleARN("new") + ": it is another principal than " + roleARN("app") + ", and policies of resources are not read",
			"? sa/a/s lost what policies of resources give to " + roleARN("app") + ": it is another principal than " + roleARN("new") + ", and policies of resources are not read",
		}},
		"from Pod Identity to IRSA with the same role": {func(w *world) {
			w.c.PodIdentityAssociations = nil
			w.c.Description.Issuer = "https://oidc.eks.eu-central-1.amazonaws.com/id/ABC"
			provider := "arn:aws:iam::" + home + ":oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/ABC"
			w.acct.OIDCProviders = append(w.acct.OIDCProviders, &model.OIDCProvider{ARN: provider, URL: IssuerOf(w.c.Description.Issuer), ClientIDs: []string{IRSAAudience}})
			app(w).Trust = model.Document(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + provider + `"},"Action":"sts:AssumeRoleWithWebIdentity"}]}`)
			w.c.ServiceAccounts[0].Annotations = map[string]string{RoleAnnotation: roleARN("app")}
		}, nil},
		"a boundary": {func(w *world) {
			app(w).Boundary = "arn:aws:iam::" + home + ":policy/b"
			w.acct.Policies = append(w.acct.Policies, &model.IAMPolicy{ARN: app(w).Boundary, Document: inline("s3:Get* on *")})
		}, everybody("-", "s3:PutObject on arn:aws:s3:::data/*")},
		"a boundary that was not read": {func(w *world) {
			app(w).Boundary = "arn:aws:iam::" + home + ":policy/b"
		}, []string{"? " + roleARN("app") + " lost : not read in full on one side: permissions boundary", "? deployment/a/d lost", "? sa/a/s lost"}},
		"associations that were read on one side only": {func(w *world) {
			w.fail(model.AreaPodIdentityAssociations)
			w.c.PodIdentityAssociations = nil
		}, []string{
			"? deployment/a/d gained what its AWS identity may do: which role service account a/s holds: its association and annotation were not read",
			"? deployment/a/d lost s3:GetObject, s3:PutObject on arn:aws:s3:::data/*: which AWS identity it has on the other side is not certain", "? sa/a/s gained", "? sa/a/s lost",
		}},
		"a role that lets it in": {func(w *world) {
			w.role("admin", longAgo)
			w.acct.Roles[1].Trust = trusting(`{"AWS":"` + roleARN("app") + `"}`)
		}, everybody("+", "sts:AssumeRole on "+roleARN("admin"))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, w := awsWorld(), awsWorld()
			tc.change(w)
			d := Diff(New(before.Snapshot), New(w.Snapshot))
			got := lines(d)
			if strings.Contains(name, "read") {
				for _, want := range tc.want {
					if !slices.ContainsFunc(got, func(l string) bool { return strings.HasPrefix(l, want) }) {
						t.Errorf("no line %q in %q", want, got)
					}
				}
				return
			}
			if x := cmp.Diff(tc.want, got); x != "" {
				t.Error(x)
			}
			if d.Equal != (len(tc.want) == 0) {
				t.Errorf("equal: %v", d.Equal)
			}
		})
	}
}

func TestDiffPairsClusters(t *testing.T) {
	t.Parallel()
	grant := func(w *world) {
		w.clusterRole("cluster-admin", clusterAdmin.Rules...)
		w.bind("", "cluster-admin", user("u"))
	}
	for name, tc := range map[string]struct {
		change func(before, after *world)
		want   []string
		notes  int
	}{
		"the only one, renamed": {
			func(_, after *world) {
				after.c.Name, after.c.ARN = "blue", strings.Replace(after.c.ARN, "prod", "blue", 1)
				grant(after)
			},
			[]string{"+ user:u * on *", "+ user:u * on * of *"},
			1,
		},
		"in another order": {func(before, after *world) {
			for _, w := range []*world{before, after} {
				other := newWorld().c
				other.Name, other.ARN = "blue", strings.Replace(other.ARN, "prod", "blue", 1)
				w.Clusters = append(w.Clusters, other)
			}
			slices.Reverse(after.Clusters)
		}, nil, 0},
		"two without ARNs, by name": {func(before, after *world) {
			for _, w := range []*world{before, after} {
				other := newWorld().c
				other.Name, other.ARN, w.c.ARN = "blue", "", ""
				w.Clusters = append(w.Clusters, other)
			}
			slices.Reverse(after.Clusters)
			grant(before)
			grant(after)
		}, nil, 0},
		"one more": {func(_, after *world) {
			other := newWorld()
			other.c.Name, other.c.ARN = "blue", strings.Replace(other.c.ARN, "prod", "blue", 1)
			grant(other)
			after.Clusters = append(after.Clusters, other.c)
		}, []string{"+ user:u * on *", "+ user:u * on * of *"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, after := newWorld(), newWorld()
			tc.change(before, after)
			d := Diff(New(before.Snapshot), New(after.Snapshot))
			if x := cmp.Diff(tc.want, lines(d)); x != "" || len(d.Notes) != tc.notes {
				t.Errorf("%s%q", x, d.Notes)
			}
		})
	}
}

// The same policies may allow less at another time.
func TestDiffHeedsTime(t *testing.T) {
	t.Parallel()
	at := func(day int) *Access {
		w := awsWorld()
		w.Time = time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC)
		w.acct.Roles[0].Inline[0].Document = inline(`s3:GetObject on arn:aws:s3:::data/* if {"DateLessThan":{"aws:CurrentTime":"2026-11-20T00:00:00Z"}}`)
		return New(w.Snapshot)
	}
	want := []string{"- " + roleARN("app") + " s3:GetObject on arn:aws:s3:::data/*", "- deployment/a/d s3:GetObject on arn:aws:s3:::data/*", "- sa/a/s s3:GetObject on arn:aws:s3:::data/*"}
	if x := cmp.Diff(want, lines(Diff(at(19), at(21)))); x != "" {
		t.Error(x)
	}
	if x := cmp.Diff([]string(nil), lines(Diff(at(18), at(19)))); x != "" {
		t.Error(x)
	}
}
