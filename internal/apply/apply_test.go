package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/google/go-cmp/cmp"

	lab "drawbridge/internal/lab/aws"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// The fixtures are synthetic.
const (
	account    = "111122223333"
	foreign    = "444455556666"
	region     = "eu-central-1"
	clusterARN = "arn:aws:eks:" + region + ":" + account + ":cluster/prod"
	adminARN   = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
	viewARN    = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
	trust      = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`
)

func role(name string) string { return "arn:aws:iam::" + account + ":role/" + name }

// world is the lab's AWS with a cluster, and a fake of its Kubernetes API.
type world struct {
	*lab.Server
	region *lab.Region
	kube   *fakeKube
	dir    string
	slept  time.Duration
	events []Event
}

func newWorld(t testing.TB, mode string, options lab.Options, roles ...string) *world {
	t.Helper()
	s := lab.New(options)
	a := s.Account(account, "aws")
	for _, r := range roles {
		a.PutRole(lab.Role{RoleName: r, AssumeRolePolicyDocument: trust})
	}
	w := &world{Server: s, region: a.Region(region), kube: newFakeKube(), dir: t.TempDir()}
	w.region.PutCluster(lab.Cluster{Name: "prod", AccessConfig: &lab.AccessConfig{AuthenticationMode: mode}})
	s.Start(t)
	return w
}

// options are those of a run; the SDK's back-off is left out, as are all waits.
func (w *world) options() Options {
	cfg := w.Config(account, region)
	cfg.Retryer = func() awssdk.Retryer {
		return retry.AddWithMaxBackoffDelay(retry.AddWithMaxAttempts(retry.NewStandard(func(o *retry.StandardOptions) { o.RateLimiter = unlimited{} }), maxAttempts), time.Nanosecond)
	}
	clients := AWS(cfg)
	clients.Kubernetes = w.kube
	return Options{
		Journal: filepath.Join(w.dir, "journal"), StateDir: w.dir, Clients: clients,
		Now:      func() time.Time { return lab.Epoch },
		Sleep:    func(ctx context.Context, d time.Duration) error { w.slept += d; return ctx.Err() },
		Progress: func(e Event) { w.events = append(w.events, e) },
		sink:     func(f *os.File) sink { return unsynced{f} }, // disks are slow, and no test pulls a plug
	}
}

type unsynced struct{ *os.File }

func (unsynced) Sync() error { return nil }

// unlimited is a retryer's budget that does not run out.
type unlimited struct{}

func (unlimited) GetToken(context.Context, uint) (func() error, error) {
	return func() error { return nil }, nil
}
func (unlimited) AddTokens(uint) error { return nil }

// state is everything that plans of these tests change, as text.
func (w *world) state(t testing.TB, p plan.Plan) *model.Snapshot {
	t.Helper()
	r, err := reachOfAll(p)
	if err != nil {
		t.Fatal(err)
	}
	v, err := w.options().Clients.read(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return v.Snapshot
}

// equal fails the test where two snapshots are not the same.
func equal(t testing.TB, what string, want, got *model.Snapshot) {
	t.Helper()
	ok, err := same(want, got)
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		a, _ := snapshotText(plainly(want))
		b, _ := snapshotText(plainly(got))
		t.Fatalf("%s: the state differs (-want +got):\n%s", what, cmp.Diff(strings.ReplaceAll(string(a), ",", ",\n"), strings.ReplaceAll(string(b), ",", ",\n")))
	}
}

// entries is a plan as that of a migration: entries, access policies, and rows of aws-auth that go.
func entries(n int) plan.Plan {
	var p plan.Plan
	for i := range n {
		arn := role(fmt.Sprintf("r%d", i))
		p = append(p, plan.CreateAccessEntry{Cluster: clusterARN, PrincipalARN: arn, Username: fmt.Sprintf("user-%d", i), Groups: []string{"ops", "dev"}})
		if i%2 == 0 {
			p = append(p, plan.AssociateAccessPolicy{Cluster: clusterARN, PrincipalARN: arn, PolicyARN: adminARN, Scope: model.AccessScope{Type: model.ScopeCluster}})
		}
	}
	return p
}

func roleNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("r%d", i)
	}
	return names
}

func TestRunAndUndo(t *testing.T) {
	w := newWorld(t, "API_AND_CONFIG_MAP", lab.Options{PageSize: 2}, roleNames(3)...)
	p := entries(3)
	before := w.state(t, p)
	s, err := Run(t.Context(), p, w.options())
	if err != nil {
		t.Fatal(err)
	}
	if !s.Finished() || s.Count(Done) != len(p) {
		t.Errorf("after the run: %+v", s)
	}
	want, err := p.Simulate(before)
	if err != nil {
		t.Fatal(err)
	}
	after := w.state(t, p)
	equal(t, "after the run", want, after)
	if n := len(w.Writes()); n != len(p) {
		t.Errorf("%d writes for %d steps", n, len(p))
	}
	if info, err := os.Stat(w.options().Journal); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("journal: %v, %v", info.Mode(), err)
	}
	if s, err = Verify(t.Context(), w.options()); err != nil || s.Count(Done) != len(p) || s.Steps[0].Drift != "" {
		t.Errorf("verify: %+v, %v", s, err)
	}
	if s, err = Undo(t.Context(), w.options()); err != nil || !s.Finished() || s.Count(Undone) != len(p) {
		t.Fatalf("undo: %+v, %v", s, err)
	}
	equal(t, "after undoing", before, w.state(t, p))
	if _, err := Resume(t.Context(), w.options()); !errors.Is(err, ErrUndoing) {
		t.Errorf("resuming what was undone: %v", err)
	}
	if s, err = Verify(t.Context(), w.options()); err != nil || s.Steps[0].Drift != "" {
		t.Errorf("verify after undoing: %+v, %v", s, err)
	}
}
