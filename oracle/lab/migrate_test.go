package oracle

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"

	"drawbridge/internal/access"
	"drawbridge/internal/apply"
	"drawbridge/internal/lab/kube"
	"drawbridge/internal/migrate"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
	"drawbridge/oracle/promise"
)

var migrations = flag.Int("migrations", 6, "clusters to migrate")

// TestMigrationsInTheWholeLab moves whole clusters from aws-auth to access entries by `--apply`, phase by phase. What was planned
// is collected again, and what the real parts decide otherwise afterwards is in the proof.
func TestMigrationsInTheWholeLab(t *testing.T) {
	kube.Require(t)
	n := tally{outcomes: map[string]int{}}
	for i := range *migrations {
		mode := []string{model.ModeConfigMap, model.ModeAPIConfigMap}[i%2]
		t.Run(fmt.Sprintf("%d %s", i, mode), func(t *testing.T) {
			newWorld(t, *seed+uint64(i)<<32+1, mode).migrate(t, &n)
		})
		if n.mismatches > 0 {
			break
		}
	}
	t.Log(&n)
	if n.requests >= 2000 && (n.outcomes["as before, allowed"] < n.requests/20 || n.outcomes["as before, denied"] < n.requests/20) {
		t.Error("the requests tell nothing")
	}
}

// question is one request of a principal, with what was decided.
type question struct {
	*principal
	session string
	rbac.Request
	before, after answer
}

func (w *world) migrate(t *testing.T, n *tally) {
	t.Helper()
	m := migrate.AccessEntries(w.snapshot, access.New(w.snapshot), w.cluster, migrate.Options{TrustedAccounts: []string{near}})
	r, err := migrate.NewResult("access-entries", w.snapshot, []*migrate.Migration{m})
	if err != nil {
		t.Fatal(err)
	}
	questions := w.questions(t)
	w.carry(t, r)
	w.mode = r.After.Clusters[0].AuthenticationMode()
	authenticator, policies := w.stores(t, w.aws.Account(home, "aws").Region(region))
	if err := w.kube.Replace(t.Context(), authenticator, policies); err != nil {
		t.Fatal(err)
	}
	reader := w.sts.add("arn:aws:iam::"+home+":user/reader-by-row", home, "AIDAROW")
	w.awaitUser(t, reader, "reader-by-row")
	w.collect(t, reader)
	if p := migrate.Compare(r.After, w.snapshot); !p.Equal {
		t.Errorf("what is collected is not what was planned: %q, unknown %v", p.Witnesses, p.Unknown)
	}
	w.answer(t, questions, func(q *question) *answer { return &q.after })
	for _, q := range questions {
		outcome := "as before, denied"
		switch {
		case q.before.allowed() != q.after.allowed():
			said := promise.Of(r.Proof, q.arn, q.session, q.Request, q.after.allowed())
			if outcome = "differs, in the proof: " + string(said); said == promise.Nothing && !w.unknowable(q.principal) {
				n.mismatch(t, "%s may %s: %s before, %s after, and the proof (equal: %v) does not say so", q.sts(q.session), q.Request, q.before, q.after, r.Proof.Equal)
			}
		case q.after.allowed():
			outcome = "as before, allowed"
		}
		n.add(outcome)
	}
}

// unknowable says that nobody can tell what becomes of a principal: its access entry may be dead, and no snapshot of the home
// account tells; or its rows differ in the case of letters alone, and the authenticator takes the one or the other at random,
// before as after.
func (w *world) unknowable(p *principal) bool {
	if p.recreated && p.account != home {
		return true
	}
	id, err := access.ParseIdentity(p.arn)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(access.New(w.snapshot).Clusters()[0].Kubernetes(id).Open, func(why string) bool { return strings.Contains(why, "is random") })
}

// carry applies a plan phase by phase, each with a journal of its own.
func (w *world) carry(t *testing.T, r *migrate.Result) {
	t.Helper()
	config, err := w.kube.Config("admin", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	clients := apply.AWS(w.aws.Config(home, region))
	if clients.Kubernetes, err = apply.NewKubernetes(config); err != nil {
		t.Fatal(err)
	}
	first, confirmed, dir := 0, 0, t.TempDir()
	for _, p := range r.Phases {
		changes := r.Changes[first : first+len(p.Steps)]
		first += len(p.Steps)
		if len(changes) == 0 {
			continue
		}
		s, err := apply.Run(t.Context(), changes, apply.Options{
			Journal: filepath.Join(dir, p.ID), StateDir: dir, Clients: clients, Irreversible: true, Questions: migrate.Questions(r.After, changes),
			Progress: func(e apply.Event) {
				if e.Stage == apply.Verified && e.Said != "" {
					confirmed++
				}
			},
			Sleep: func(context.Context, time.Duration) error { return nil },
		})
		if err != nil || !s.Finished() {
			t.Fatalf("phase %s: %v", p.ID, err)
		}
	}
	t.Logf("%d entries confirmed by the authorizer", confirmed)
}

// questions asks what each principal may do before the migration.
func (w *world) questions(t *testing.T) []*question {
	t.Helper()
	var all []*question
	for _, a := range w.callers(t) {
		client, err := kubernetes.NewForConfig(a.config)
		if err != nil {
			t.Fatal(err)
		}
		if a.who, a.known, err = whoami(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		for range 8 {
			r := w.request(w.gen, a.who)
			if strings.ContainsAny(r.Verb+r.Resource, "*") && w.chance(2) {
				r.Verb, r.Resource = "get", "pods"
			}
			all = append(all, &question{principal: a.principal, session: a.session, Request: r})
		}
	}
	w.answer(t, all, func(q *question) *answer { return &q.before })
	return all
}

// answer puts questions to the API server, with new tokens.
func (w *world) answer(t *testing.T, questions []*question, to func(*question) *answer) {
	t.Helper()
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(8)
	for _, a := range w.callers(t) {
		g.Go(func() error {
			client, err := kubernetes.NewForConfig(a.config)
			if err != nil {
				return err
			}
			who, _, err := whoami(ctx, client)
			if err != nil {
				return err
			}
			for _, q := range questions {
				if q.principal == a.principal && q.session == a.session {
					if *to(q), err = ask(ctx, client, who, q.Request); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}
