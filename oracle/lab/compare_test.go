package oracle

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sync/errgroup"
	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/kubernetes"

	"drawbridge/internal/access"
	"drawbridge/internal/awsdata"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// compare puts requests of every actor to both sides.
func (w *world) compare(t *testing.T, n *tally) {
	t.Helper()
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(8)
	for _, a := range w.actors(t) {
		random := gen{rand.New(rand.NewPCG(w.Uint64(), 0))}
		g.Go(func() error { return w.compareActor(ctx, t, n, random, a) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

func (w *world) compareActor(ctx context.Context, t *testing.T, n *tally, g gen, a *actor) error {
	client, err := kubernetes.NewForConfig(a.config)
	if err != nil {
		return err
	}
	if a.who, a.known, err = whoami(ctx, client); err != nil {
		return err
	}
	count := 12
	switch {
	case !a.known:
		count = 2 // what they may is the same for all requests: nothing
	case isNode(a.who):
		count = 40
	}
	id, err := access.ParseIdentity(a.name)
	if err != nil {
		return err
	}
	if wrong := w.judgeIdentity(a, id); wrong != "" {
		n.mismatch(t, "%s\nmode    %s\nactor   %s", wrong, w.mode, a.name)
	}
	for i := range count {
		var r rbac.Request
		var real answer
		if i%6 == 1 { // so that what is asked about is what is done
			r, real, err = do(ctx, client, g)
		} else {
			r = w.request(g, a.who)
			real, err = ask(ctx, client, a.who, r)
		}
		if err != nil {
			return err
		}
		ours := w.cluster.Check(id, r)
		outcome, wrong, err := w.judge(ctx, a, r, real, ours)
		if err != nil {
			return err
		}
		n.add(outcome)
		if wrong == "" && a.broader != "" {
			wrong, err = w.judgeRole(a, r, real)
			if err != nil {
				return err
			}
		}
		if wrong == "" && real.allowed() && !w.listed(a, r) {
			wrong = "who-can lists neither the actor nor a group of its"
		}
		if wrong != "" {
			n.mismatch(t, "%s\nmode    %s\nactor   %s\nrequest %+v\nreally  %s %s\n        as %+v\nours    %s %q\n%s", wrong, w.mode, a.name, r, real.by, real.reason, a.who, ours.Verdict, ours.Conditions, chain(ours))
		}
	}
	return nil
}

// judgeIdentity compares as whom an actor comes in, where that is known to both sides. Who has a certificate comes in as
// the test made it.
func (w *world) judgeIdentity(a *actor, id access.Identity) string {
	ours := w.cluster.Kubernetes(id)
	unsettled := a.principal != nil && (a.principal.unsettled != "" || a.recreatedElsewhere())
	if !a.known || unsettled || ours.Verdict != access.Allowed || id.Kind == access.KindUser || id.Kind == access.KindGroup {
		return ""
	}
	real := rbac.Holder{User: a.who.Username, Groups: a.who.Groups}
	sorted := cmpopts.SortSlices(func(a, b string) bool { return a < b })
	if d := cmp.Diff(real, ours.Holder, sorted, cmpopts.EquateEmpty()); d != "" {
		return "comes in as somebody else (-really +ours):\n" + d
	}
	return ""
}

func isNode(who authenticationv1.UserInfo) bool {
	return strings.HasPrefix(who.Username, "system:node:") && slices.Contains(who.Groups, "system:nodes")
}

func chain(g access.Grant) string {
	var b strings.Builder
	for _, e := range g.Chain {
		fmt.Fprintf(&b, "        %s: %s\n", e.Source, e.Text)
	}
	return b.String()
}

// judge compares one answer and says how it is counted, and what is wrong with it if anything is.
func (w *world) judge(ctx context.Context, a *actor, r rbac.Request, real answer, ours access.Grant) (outcome, wrong string, err error) {
	switch {
	case ours.Verdict == access.Unknown:
		why := w.excuse(a, r, real)
		if why == "" {
			if why, err = w.ifRecreated(ctx, a, r, real); err != nil {
				return "", "", err
			}
		}
		if why == "" {
			return "unknown without reason", "unknown, though reality is certain", nil
		}
		return real.by + ", unknown to us: " + why, "", nil
	case a.recreatedElsewhere() && ours.Verdict == access.Allowed && says(ours.Conditions, "was not created again"):
		return real.by + ", allowed by us if the principal was not created again", "", nil
	case (ours.Verdict == access.Allowed) != real.allowed():
		return "mismatch", "different verdicts", nil
	}
	return real.by, wrongProof(real, ours), nil
}

// recreatedElsewhere says that an access entry of the actor may be dead, and that drawbridge cannot know: it did not read
// the principal's account.
func (a *actor) recreatedElsewhere() bool {
	return a.principal != nil && a.principal.recreated && a.principal.account != home
}

// wrongProof compares who decided: the authorizers are asked in order, so an access policy that really decided must be
// in our chain, and a binding in our chain must really have decided.
func wrongProof(real answer, ours access.Grant) string {
	sources := chain(ours)
	byPolicy := strings.Contains(sources, " associatedAccessPolicies: ")
	switch {
	case real.by == byDoing:
	case real.by == byAccessPolicy && !byPolicy:
		return "really an access policy allowed it, which our proof does not name"
	case (real.by == byRBAC || real.by == byNode || real.by == byMasters) && byPolicy:
		return "our proof names an access policy, though Kubernetes alone allows it"
	case real.by == byRBAC && !strings.Contains(sources, "Binding "):
		return "really a binding allowed it, which our proof does not name"
	case real.by == byMasters && !strings.Contains(sources, "Group system:masters"):
		return "really system:masters allowed it, which our proof does not name"
	}
	return ""
}

// judgeRole asks about the role of a session: what a session may, the role may, and what the role may whatever the
// session is called, the session may.
func (w *world) judgeRole(a *actor, r rbac.Request, real answer) (string, error) {
	id, err := access.ParseIdentity(a.broader)
	if err != nil {
		return "", err
	}
	ours := w.cluster.Check(id, r)
	switch {
	case real.allowed() && ours.Verdict == access.Denied:
		return "a session may, and yet the role may not: " + chain(ours), nil
	case !real.allowed() && ours.Verdict == access.Allowed && !says(ours.Conditions, "the session is named") && !a.recreatedElsewhere():
		return "every session of the role may, it is said, and yet this one may not: " + chain(ours), nil
	}
	return "", nil
}

// listed says whether who-can names an actor, its role, its username or one of its groups.
func (w *world) listed(a *actor, r rbac.Request) bool {
	names := []string{a.name, a.broader, access.IdentityOfUser(a.who.Username).String()}
	for _, g := range a.who.Groups {
		names = append(names, "group:"+g)
	}
	return slices.ContainsFunc(w.cluster.WhoCan(r, false), func(g access.Grant) bool { return slices.Contains(names, g.Identity.String()) })
}

func says(conditions []string, words string) bool {
	return slices.ContainsFunc(conditions, func(c string) bool { return strings.Contains(c, words) })
}

// excuse says why a snapshot cannot decide a request, as far as this side of the comparison can tell it: by what it made,
// never by what drawbridge says. Empty is no excuse.
func (w *world) excuse(a *actor, r rbac.Request, real answer) string {
	if a.recreatedElsewhere() {
		return "whether it was created again"
	}
	if p := a.principal; p != nil {
		switch {
		case p.unsettled != "" && w.mode != model.ModeAPI:
			return p.unsettled
		case w.mode == model.ModeConfigMap && p.account == home && !real.allowed():
			return "whether it created the cluster"
		case !real.allowed() && w.hasUnpublished(p, r):
			return "an access policy without published rules"
		}
	}
	if !real.allowed() && w.boundToNothing(a.who, r) {
		return "a binding to a role that does not exist"
	}
	if isNode(a.who) && slices.Contains([]string{"secrets", "configmaps", "persistentvolumeclaims", "persistentvolumes", "volumeattachments", "resourceclaims", "resourceslices"}, r.Resource) {
		return "what the pods of a node refer to"
	}
	return ""
}

// ifRecreated asks for a principal of the same ARN whose access entry is dead. Of accounts that drawbridge did not read, it
// cannot know that the actor is not such a one.
func (w *world) ifRecreated(ctx context.Context, a *actor, r rbac.Request, real answer) (string, error) {
	if a.principal == nil || a.principal.account == home || w.mode != model.ModeAPIConfigMap || real.allowed() {
		return "", nil
	}
	client, err := kubernetes.NewForConfig(a.recreated)
	if err != nil {
		return "", err
	}
	who, known, err := whoami(ctx, client)
	if err != nil || !known {
		return "", err
	}
	as, err := ask(ctx, client, who, r)
	if err != nil || !as.allowed() && !w.boundToNothing(who, r) {
		return "", err
	}
	return "whether it was created again, which aws-auth would let do it", nil
}

// hasUnpublished says whether an access policy whose rules nobody published has a say in a request.
func (w *world) hasUnpublished(p *principal, r rbac.Request) bool {
	for _, a := range w.associations {
		policy, known := awsdata.LookupAccessPolicy(a.PolicyARN)
		if a.UniqueID != p.unique || known && policy.RulesPublished {
			continue
		}
		if len(a.Namespaces) == 0 {
			return true
		}
		for _, pattern := range a.Namespaces {
			if ok, _ := path.Match(pattern, r.Namespace); ok && r.Namespace != "" {
				return true
			}
		}
	}
	return false
}

// boundToNothing says whether a binding that counts for a request refers to a role that is not there.
func (w *world) boundToNothing(who authenticationv1.UserInfo, r rbac.Request) bool {
	for _, b := range w.objects.wide {
		if named(b.Subjects, who) && b.RoleRef.Name == "gone" {
			return true
		}
	}
	for _, b := range w.objects.narrow {
		if named(b.Subjects, who) && b.RoleRef.Name == "gone" && b.Namespace == r.Namespace {
			return true
		}
	}
	return false
}

// named says whether one of the subjects is the user.
func named(subjects []rbacv1.Subject, who authenticationv1.UserInfo) bool {
	return slices.ContainsFunc(subjects, func(s rbacv1.Subject) bool {
		switch s.Kind {
		case rbacv1.GroupKind:
			return slices.Contains(who.Groups, s.Name)
		case rbacv1.ServiceAccountKind:
			return who.Username == "system:serviceaccount:"+s.Namespace+":"+s.Name
		}
		return who.Username == s.Name
	})
}
