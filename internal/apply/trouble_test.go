package apply

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"drawbridge/internal/authenticator"
	lab "drawbridge/internal/lab/aws"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// at calls do when a run is about to make the call of a step.
func at(o Options, step int, do func()) Options {
	told := false
	o.Progress = func(e Event) {
		if e.Step == step && (e.Stage == Verified || e.Stage == ReadBack) && !told {
			told = true
			do()
		}
	}
	return o
}

// mention fails the test unless an error says all of this.
func mention(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
}

func (w *world) editAWSAuth(data map[string]any) {
	u := w.kube.objects[key("configmaps", "kube-system", "aws-auth")]
	if err := unstructured.SetNestedMap(u.Object, data, "data"); err != nil {
		panic(err)
	}
	w.kube.put("configmaps", u.Object)
}

func rows() plan.Plan {
	return plan.Plan{
		plan.RemoveAWSAuthRow{Cluster: clusterARN, Kind: authenticator.KindRole, Index: 1, ARN: role("dev"), Username: "dev", Groups: []string{"dev"}},
		plan.RemoveAWSAuthRow{Cluster: clusterARN, Kind: authenticator.KindRole, Index: 0, ARN: role("ops"), Username: "ops", Groups: []string{"ops"}},
	}
}

func TestAWSAuthEditedMeanwhile(t *testing.T) {
	w := full(t)
	o := at(w.options(), 1, func() {
		w.editAWSAuth(map[string]any{"mapRoles": strings.Replace(mapRoles, "- rolearn: arn:aws:iam::111122223333:role/dev\n  username: dev   # who builds\n  groups: [dev]\n", "", 1), "mapUsers": "- {userarn: x}"})
	})
	s, err := Run(t.Context(), rows(), o)
	mention(t, err, "step 2 of 2", "aws-auth was edited")
	if changed, ok := errors.AsType[*Changed](err); !ok || s.Count(Done) != 1 {
		t.Errorf("%v, %+v", changed, s)
	}
	if _, err := Resume(t.Context(), w.options()); err == nil {
		t.Error("resumed as if nothing had been edited")
	}
	_, err = Undo(t.Context(), w.options())
	mention(t, err, "changed by somebody else")
}

func TestAWSAuthEditedSinceThePlan(t *testing.T) {
	w := full(t)
	o := w.options()
	c := named(clusterARN)
	c.AWSAuth = &model.AWSAuth{ResourceVersion: "1"}
	o.Planned = &model.Snapshot{Clusters: []*model.Cluster{c}}
	s, err := Run(t.Context(), rows(), o)
	mention(t, err, "edited since the plan was made")
	if _, missing := os.Stat(o.Journal); s != nil || missing == nil || w.kube.writes != 0 {
		t.Error("the run began")
	}
}

// Node rows stay until the entries on which nodes depend stand.
func TestNodeEntriesFirst(t *testing.T) {
	w := full(t)
	o := w.options()
	o.Nodes = []NodeEntry{{role("dev"), "EC2_LINUX"}}
	_, err := Run(t.Context(), rows(), o)
	mention(t, err, "nodes depend", "found none")
	w.region.PutAccessEntry(lab.AccessEntry{ClusterName: "prod", PrincipalARN: role("dev")})
	_, err = Run(t.Context(), rows(), o)
	mention(t, err, "nodes depend", "found type STANDARD")
	w.region.PutAccessEntry(lab.AccessEntry{ClusterName: "prod", PrincipalARN: role("dev"), Type: "EC2_LINUX"})
	if _, err := Run(t.Context(), rows(), o); err != nil {
		t.Error(err)
	}
}

func TestEntryMadeBySomebodyElse(t *testing.T) {
	w := newWorld(t, "API", lab.Options{}, roleNames(3)...)
	p := entries(3)
	o := at(w.options(), 1, func() {
		w.region.PutAccessEntry(lab.AccessEntry{ClusterName: "prod", PrincipalARN: role("r1"), Username: "somebody"})
	})
	s, err := Run(t.Context(), p, o)
	mention(t, err, "step 3 of 5", "access entry of "+role("r1"), "expected none, found one")
	if unmet, ok := errors.AsType[*plan.Unmet](err); !ok || s.Count(Done) != 2 {
		t.Errorf("%v, %+v", unmet, s)
	}
	// What this run made goes, what others made stays.
	if _, err := Undo(t.Context(), w.options()); err != nil {
		t.Fatal(err)
	}
	if e := w.region.AccessEntries("prod"); len(e) != 1 || e[0].Username != "somebody" {
		t.Errorf("after undoing: %+v", e)
	}
}

// What others changed since is not undone over their heads.
func TestUndoStopsAtWhatOthersChanged(t *testing.T) {
	w := newWorld(t, "API", lab.Options{}, roleNames(2)...)
	if _, err := Run(t.Context(), entries(2), w.options()); err != nil {
		t.Fatal(err)
	}
	w.region.PutAccessEntry(lab.AccessEntry{ClusterName: "prod", PrincipalARN: role("r1"), Username: "user-1", KubernetesGroups: []string{"dev", "more", "ops"}})
	s, err := Verify(t.Context(), w.options())
	if err != nil || s.Steps[2].Drift == "" || s.Steps[0].Drift != "" {
		t.Errorf("verify: %+v, %v", s, err)
	}
	s, err = Undo(t.Context(), w.options())
	mention(t, err, "undoing step 3 of 3", "changed by somebody else")
	if s.Count(Done) != 3 || len(w.region.AccessEntries("prod")) != 2 {
		t.Errorf("%+v", s)
	}
}

func TestRightsLostHalfWay(t *testing.T) {
	w := newWorld(t, "API", lab.Options{}, roleNames(3)...)
	p := entries(3)
	s, err := Run(t.Context(), p, at(w.options(), 2, func() { w.Deny("eks:CreateAccessEntry") }))
	mention(t, err, "step 3 of 5", "eks:CreateAccessEntry", "not authorized")
	if stopped, ok := errors.AsType[*Stopped](err); !ok || stopped.Sent || s.Count(Done) != 2 || s.Steps[2].State != Pending {
		t.Errorf("%v, %+v", stopped, s)
	}
	w.Allow()
	if s, err = Resume(t.Context(), w.options()); err != nil || !s.Finished() {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestClusterBeingUpgraded(t *testing.T) {
	w := newWorld(t, "API", lab.Options{}, roleNames(3)...)
	upgrade := func(status string) func() {
		return func() {
			w.region.PutCluster(lab.Cluster{Name: "prod", Status: status, AccessConfig: &lab.AccessConfig{AuthenticationMode: "API"}})
		}
	}
	s, err := Run(t.Context(), entries(3), at(w.options(), 2, upgrade("UPDATING")))
	mention(t, err, "step 3 of 5", "UPDATING", "wait until it is ACTIVE")
	if s.Count(Done) != 2 {
		t.Errorf("%+v", s)
	}
	upgrade("ACTIVE")()
	if s, err = Resume(t.Context(), w.options()); err != nil || !s.Finished() {
		t.Errorf("%+v, %v", s, err)
	}
}

// What a run has left half-done, no other builds on: an entry without its access policy is worse than none.
func TestUnfinishedRunFirst(t *testing.T) {
	w := newWorld(t, "API", lab.Options{}, roleNames(3)...)
	p := entries(3)
	if _, err := Run(t.Context(), p, at(w.options(), 2, func() { w.Deny("eks:CreateAccessEntry") })); err == nil {
		t.Fatal("not denied")
	}
	w.Allow()
	other := w.options()
	other.Journal += "2"
	_, err := Run(t.Context(), p[4:], other)
	if first, ok := errors.AsType[*Unfinished](err); !ok || first.Journal != w.options().Journal {
		t.Errorf("another run: %v", err)
	}
	if s, err := Resume(t.Context(), w.options()); err != nil || !s.Finished() {
		t.Fatalf("%+v, %v", s, err)
	}
	if _, err = Undo(t.Context(), w.options()); err != nil {
		t.Fatal(err)
	}
	if s, err := Run(t.Context(), p, other); err != nil || !s.Finished() {
		t.Errorf("after undoing: %+v, %v", s, err)
	}
}

// The mode goes on in EKS's own time, and never back: what follows can be undone, it cannot.
func TestAuthenticationMode(t *testing.T) {
	w := newWorld(t, "CONFIG_MAP", lab.Options{Steps: 6}, roleNames(1)...)
	p := append(plan.Plan{plan.SetAuthenticationMode{Cluster: clusterARN, Mode: "API_AND_CONFIG_MAP"}}, entries(1)...)
	_, err := Run(t.Context(), p, w.options())
	mention(t, err, "step 1 of 3", "cannot be undone")
	if len(w.Writes()) > 0 {
		t.Fatal("written all the same")
	}
	o := w.options()
	o.Irreversible = true
	if s, err := Run(t.Context(), p, o); err != nil || !s.Finished() || s.Steps[0].Irreversible == "" {
		t.Fatalf("%+v, %v", s, err)
	}
	if w.slept < 10*time.Second {
		t.Errorf("waited %s for the mode", w.slept)
	}
	s, err := Undo(t.Context(), w.options())
	if _, stuck := errors.AsType[*plan.Irreversible](err); !stuck || s.Count(Undone) != 2 || s.Count(Done) != 1 {
		t.Errorf("%v, %+v", err, s)
	}
	if n := len(w.region.AccessEntries("prod")); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

func TestSecondRunIsLockedOut(t *testing.T) {
	w := newWorld(t, "API", lab.Options{}, roleNames(2)...)
	o := w.options()
	var during []error
	o = at(o, 1, func() {
		other := w.options()
		_, err := Resume(t.Context(), other)
		during = append(during, err)
		_, err = Undo(t.Context(), other)
		during = append(during, err)
		other.Journal += "2"
		_, err = Run(t.Context(), entries(2), other)
		during = append(during, err)
		if s, err := Verify(t.Context(), w.options()); err != nil || s.Count(Done) != 1 {
			t.Errorf("verify beside a run: %+v, %v", s, err)
		}
	})
	if _, err := Run(t.Context(), entries(2), o); err != nil {
		t.Fatal(err)
	}
	for i, err := range during {
		if !errors.Is(err, ErrLocked) {
			t.Errorf("attempt %d beside a run: %v", i, err)
		}
	}
	_, err := Run(t.Context(), entries(2), w.options())
	mention(t, err, "is there already")
}

func TestJournalThatIsNone(t *testing.T) {
	w := newWorld(t, "API", lab.Options{}, roleNames(2)...)
	o := w.options()
	if _, err := Run(t.Context(), entries(2), o); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(o.Journal)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(good, []byte("\n"))
	w.ForgetCalls()
	for name, test := range map[string]struct {
		text []byte
		want string
	}{
		"empty":                {nil, "no whole line"},
		"binary":               {[]byte("\x00\x01\n"), "line 1"},
		"another file":         {[]byte("{}\n"), "line 1"},
		"altered":              {bytes.Replace(good, []byte("user-0"), []byte("user-9"), 1), "altered"},
		"a line taken out":     {bytes.Join(append(lines[:2:2], lines[3:]...), nil), "line 3"},
		"lines in a new order": {bytes.Join([][]byte{lines[0], lines[2], lines[1]}, nil), "line 2"},
	} {
		t.Run(name, func(t *testing.T) {
			o := w.options()
			o.Journal = filepath.Join(t.TempDir(), "journal")
			if err := os.WriteFile(o.Journal, test.text, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, do := range []func(context.Context, Options) (*Status, error){Resume, Undo, Verify} {
				_, err := do(t.Context(), o)
				mention(t, err, test.want)
			}
		})
	}
	if n := len(w.Calls()); n > 0 {
		t.Errorf("%d calls for journals that are none", n)
	}
}

func TestJournalOfAnotherCluster(t *testing.T) {
	w, other := full(t), full(t)
	if _, err := Run(t.Context(), rows(), w.options()); err != nil {
		t.Fatal(err)
	}
	o := w.options()
	o.Clients.Kubernetes = other.kube
	other.kube.put("namespaces", map[string]any{"metadata": map[string]any{"name": "kube-system", "uid": "another"}})
	_, err := Undo(t.Context(), o)
	mention(t, err, "about another cluster")
	if other.kube.writes > 0 {
		t.Error("written to it all the same")
	}
	// A cluster of the same name in another account is another one.
	twin := w.Account(foreign, "aws").Region(region)
	twin.PutCluster(lab.Cluster{Name: "prod", AccessConfig: &lab.AccessConfig{AuthenticationMode: "API"}})
	o = w.options()
	o.Journal += "2"
	o.Clients = AWS(w.Config(foreign, region))
	_, err = Run(t.Context(), entries(1), o)
	mention(t, err, "not the one of the plan", foreign)
}

// fullDisk takes so many writes and no more.
type fullDisk struct {
	*os.File
	left *int
}

func (f fullDisk) Write(b []byte) (int, error) {
	if *f.left--; *f.left < 0 {
		n, _ := f.File.Write(b[:1])
		return n, &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
	}
	return f.File.Write(b)
}

func TestDiskFull(t *testing.T) {
	w := newWorld(t, "API", lab.Options{}, roleNames(2)...)
	o, left := w.options(), 1 // the beginning, and no intent
	o.sink = func(f *os.File) sink { return fullDisk{f, &left} }
	s, err := Run(t.Context(), entries(2), o)
	if !errors.Is(err, syscall.ENOSPC) || len(w.Writes()) > 0 || s.Count(Pending) != 3 {
		t.Errorf("%v, %d calls, %+v", err, len(w.Writes()), s)
	}
	if s, err = Resume(t.Context(), w.options()); err != nil || !s.Finished() {
		t.Errorf("resumed with room on the disk: %+v, %v", s, err)
	}
}

// What cannot be carried out is refused before anything is.
func TestRefusedBeforeItStarts(t *testing.T) {
	for name, test := range map[string]struct {
		plan plan.Plan
		want string
	}{
		"no steps":                  {nil, "no steps"},
		"an unknown workload":       {append(entries(1), plan.SetAutomount{Cluster: clusterARN, Kind: "Workload", Namespace: "shop", Name: "rollout/x"}), "step 3: SetAutomount"},
		"two clusters":              {append(entries(1), plan.DeleteAccessEntry{Cluster: clusterARN + "2", PrincipalARN: role("r0")}), "a run is about one cluster"},
		"a step that cannot fit":    {append(entries(1), entries(1)...), "step 3"},
		"a hostile namespace":       {plan.Plan{plan.CreateServiceAccount{Cluster: clusterARN, Namespace: "../../x", Name: "a/b"}}, "ServiceAccount"},
		"text that is none":         {plan.Plan{plan.CreateAccessEntry{Cluster: clusterARN, PrincipalARN: role("r0"), Username: "a\xff"}}, "UTF-8"},
		"a role of another account": {plan.Plan{plan.UpdateTrustPolicy{RoleARN: "arn:aws:iam::444455556666:role/r0", Before: trust, After: podTrust}}, "another account"},
		"a role that is not there":  {plan.Plan{plan.UpdateTrustPolicy{RoleARN: role("gone"), Before: trust, After: podTrust}}, "found none"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "API", lab.Options{}, roleNames(1)...)
			_, err := Run(t.Context(), test.plan, w.options())
			mention(t, err, test.want)
			if _, missing := os.Stat(w.options().Journal); missing == nil || len(w.Writes())+w.kube.writes > 0 {
				t.Error("the run began")
			}
		})
	}
}

// Names are chosen by others: none reaches another path than its own, and what is refused leaves nothing.
func TestHostileNames(t *testing.T) {
	for _, name := range []string{"\n\x1b[31mred", "r0/../../../clusters/other", "r0?force=true#x", "'; rm -rf ~", "%2e%2e%2f", strings.Repeat("x", 5000)} {
		w := newWorld(t, "API", lab.Options{}, roleNames(1)...)
		_, err := Run(t.Context(), plan.Plan{plan.CreateAccessEntry{Cluster: clusterARN, PrincipalARN: role(name)}}, w.options())
		if _, ok := errors.AsType[*Stopped](err); err != nil && !ok {
			t.Errorf("%q: %v", name, err)
		}
		for _, c := range w.Writes() {
			if c.Action != "eks:CreateAccessEntry" || c.Parameters["principalArn"] != role(name) {
				t.Errorf("%q: called %s with %v", name, c.Action, c.Parameters)
			}
		}
		if s, err := Undo(t.Context(), w.options()); err != nil || !s.Finished() || len(w.region.AccessEntries("prod")) > 0 {
			t.Errorf("%q: undone: %v", name, err)
		}
	}
}

// Changes are waited for, and not for ever.
func TestEventualConsistency(t *testing.T) {
	w := newWorld(t, "API", lab.Options{}, roleNames(1)...)
	o := w.options()
	stale := 3
	cfg := w.Config(account, region)
	cfg.HTTPClient = &http.Client{Transport: staleReads{w, &stale}}
	o.Clients = AWS(cfg)
	if s, err := Run(t.Context(), entries(1), o); err != nil || !s.Finished() {
		t.Fatalf("%+v, %v", s, err)
	}
	if w.slept < 3*time.Second {
		t.Errorf("waited %s", w.slept)
	}
	never := 1 << 30
	w = newWorld(t, "API", lab.Options{}, roleNames(1)...)
	o = w.options()
	cfg = w.Config(account, region)
	cfg.HTTPClient = &http.Client{Transport: staleReads{w, &never}}
	o.Clients = AWS(cfg)
	s, err := Run(t.Context(), entries(1), o)
	mention(t, err, "not to be seen after", "as before")
	if s.Steps[0].State != Intended || w.slept < 2*time.Minute || w.slept > 3*time.Minute {
		t.Errorf("waited %s, %+v", w.slept, s)
	}
	if s, err = Resume(t.Context(), w.options()); err != nil || !s.Finished() || len(w.Writes()) != 2 {
		t.Errorf("resumed: %+v, %v", s, err)
	}
}

// staleReads answers that there is no access entry for so many reads after one was made.
type staleReads struct {
	w    *world
	left *int
}

func (s staleReads) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/access-entries/") && len(s.w.Writes()) > 0 && *s.left > 0 {
		*s.left--
		r.URL.Path, r.URL.RawPath = strings.Replace(r.URL.Path, "r0", "not-yet", 1), strings.Replace(r.URL.RawPath, "r0", "not-yet", 1)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// A principal that was recreated since its entry was made does not get the entry back, so its deletion needs leave.
func TestBackupOfWhatCannotComeBack(t *testing.T) {
	w := newWorld(t, "API", lab.Options{})
	w.region.PutAccessEntry(lab.AccessEntry{ClusterName: "prod", PrincipalARN: role("gone")})
	p := plan.Plan{plan.DeleteAccessEntry{Cluster: clusterARN, PrincipalARN: role("gone")}}
	_, err := Run(t.Context(), p, w.options())
	mention(t, err, "cannot be undone", "the principal is gone")
	o := w.options()
	o.Irreversible = true
	if s, err := Run(t.Context(), p, o); err != nil || s.Steps[0].Irreversible == "" {
		t.Errorf("%+v, %v", s, err)
	}
}
