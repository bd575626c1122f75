package oracle

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/aws-iam-authenticator/pkg/metrics"

	"drawbridge/internal/access"
	"drawbridge/internal/migrate"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
	"drawbridge/internal/rbac"
	"drawbridge/oracle/authenticator/real"
)

var (
	clusters = flag.Int("clusters", 2000, "clusters to migrate")
	requests = flag.Int("requests", 40, "requests of each actor, before and after each phase")
	seed     = flag.Uint64("seed", 1, "seed of the generator")
	most     = flag.Int("mismatches", 20, "mismatches after which there is nothing to learn from more")
)

func TestMain(m *testing.M) {
	flag.Parse()
	metrics.InitMetrics(prometheus.NewRegistry()) // the authenticator panics without
	logrus.SetOutput(io.Discard)
	os.Exit(m.Run())
}

// tally counts what was compared, so that a generator that only makes dull clusters is noticed.
type tally struct {
	mu                   sync.Mutex
	clusters, mismatches int
	counts
}

type counts struct{ decisions, allowed, differ, unknown, equal, gained, lost, steps, blocked, phases, entries int }

func (c *counts) all() []*int {
	return []*int{&c.decisions, &c.allowed, &c.differ, &c.unknown, &c.equal, &c.gained, &c.lost, &c.steps, &c.blocked, &c.phases, &c.entries}
}

// TestMigrationsKeepTheirPromise migrates random clusters and asks reality what it decides before and after each phase. Every
// second plan is carried out with a mistake in it, so that there are gains and losses, which the comparison has to find.
func TestMigrationsKeepTheirPromise(t *testing.T) {
	var n tally
	var all errgroup.Group
	all.SetLimit(runtime.GOMAXPROCS(0))
	for i := range *clusters {
		all.Go(func() error {
			w, one := newWorld(gen{rand.New(rand.NewPCG(*seed, uint64(i)))}), &tally{}
			wrong := w.migrate(t, one, i%2 == 1)
			return n.add(t, one, i, wrong, w)
		})
	}
	if err := all.Wait(); err != nil {
		t.Error(err)
	}
	t.Logf("%d mismatches in %d clusters: %+v", n.mismatches, n.clusters, n.counts)
	if *clusters >= 500 {
		n.check(t)
	}
}

// add adds up what a cluster came to; after some mismatches there is nothing to learn from more.
func (n *tally) add(t *testing.T, one *tally, i int, wrong []string, w *world) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mismatches >= *most {
		return errors.New("too many mismatches")
	}
	if len(wrong) > 0 {
		t.Errorf("cluster %d: %s\n%s", i, strings.Join(wrong, "\n"), w)
	}
	n.mismatches += len(wrong)
	n.clusters++
	for i, more := range one.all() {
		*n.all()[i] += *more
	}
	return nil
}

func (n *tally) check(t *testing.T) {
	t.Helper()
	switch {
	case n.allowed < n.decisions/10 || n.allowed > n.decisions*9/10:
		t.Errorf("%d of %d decisions allow: too few or too many", n.allowed, n.decisions)
	case n.differ < n.clusters, n.lost < n.clusters/2, n.gained < n.clusters/10, n.equal < n.clusters/6, n.blocked < n.clusters, n.entries < n.clusters:
		t.Errorf("the generator misses something: %+v", n.counts)
	case n.unknown > n.differ/4:
		t.Errorf("of the decisions that differ too many are left unknown: %+v", n.counts)
	}
}

// migrate plans the migration of a world, carries it out, and returns in what reality differs from what the proof says.
func (w *world) migrate(t *testing.T, n *tally, mistaken bool) []string {
	a := access.New(w.snapshot)
	m := migrate.AccessEntries(w.snapshot, a, a.Clusters()[0], w.options)
	r, err := migrate.NewResult("access-entries", w.snapshot, []*migrate.Migration{m})
	if err != nil {
		return []string{err.Error()}
	}
	n.steps += len(r.Steps)
	n.blocked += len(m.Blockers)
	if mistaken {
		w.mistake(r)
	}
	stages, wrong := w.carry(r)
	if wrong != "" {
		return []string{wrong}
	}
	n.phases += len(stages) - 1
	questions := w.questions()
	for i := range stages {
		stages[i].ask(t, w, questions)
		n.count(stages[i].decisions)
	}
	last := &stages[len(stages)-1]
	n.entries += len(last.state.entries)
	j := &judge{world: w, planned: !mistaken, questions: questions, tally: n}
	if mistaken {
		j.compare(t, "a plan with a mistake", migrate.Compare(w.snapshot, last.snapshot), &stages[0], last)
		return j.wrong
	}
	if r.Proof.Equal {
		n.equal++
	}
	j.compare(t, "the whole", r.Proof, &stages[0], last)
	for i := 1; i < len(stages); i++ {
		one, now := migrate.Compare(stages[i-1].snapshot, stages[i].snapshot), &stages[i]
		if said, ok := r.Proof.Phase(now.id); !ok || said.Equal != one.Equal || said.Gained != len(one.Gained) || said.Lost != len(one.Lost) || said.Unknown != len(one.Unknown) {
			j.say("of phase %s the proof says %+v, and by itself it gives %d, %d, %d", now.id, said, len(one.Gained), len(one.Lost), len(one.Unknown))
		}
		j.compare(t, "phase "+now.id, one, &stages[i-1], now)
	}
	return j.wrong
}

// mistake changes one of the entries that a plan makes, or gives it an access policy more.
func (w *world) mistake(r *migrate.Result) {
	for _, i := range w.Perm(len(r.Changes)) {
		switch c := r.Changes[i].(type) {
		case plan.CreateAccessEntry:
			if c.Type != "" {
				continue
			}
			switch w.IntN(4) {
			case 0:
				c.Groups = w.some(0, 2, groups)
			case 1:
				c.Username = pick(w.gen, "alice", "bob", "user:{{SessionName}}", "")
			case 2:
				more := plan.AssociateAccessPolicy{Cluster: c.Cluster, PrincipalARN: c.PrincipalARN, PolicyARN: policyPrefix + pick(w.gen, policies...), Scope: model.AccessScope{Type: model.ScopeCluster}}
				if slices.ContainsFunc(r.Changes, func(other plan.Change) bool { return fmt.Sprint(other) == more.String() }) {
					return
				}
				r.Changes = slices.Insert(r.Changes, i+1, plan.Change(more))
				r.Phases = []migrate.PhaseResult{{ID: "all", Steps: make([]string, len(r.Changes))}}
				return
			default:
				c.Groups = append(slices.Clone(c.Groups), pick(w.gen, groups...))
			}
			r.Changes[i] = c
			return
		case plan.AssociateAccessPolicy:
			if c.PolicyARN = policyPrefix + pick(w.gen, policies...); w.chance(2) {
				c.Scope = model.AccessScope{Type: model.ScopeNamespace, Namespaces: w.some(1, 2, []string{"shop", "dev-*", "*"})}
			}
			r.Changes[i] = c
			return
		}
	}
}

// stage is a world after a phase.
type stage struct {
	id        string
	state     state
	snapshot  *model.Snapshot
	handler   *real.Handler
	authority authority
	decisions []bool
}

// carry carries a plan out as EKS would, a stage for each phase that changes something.
func (w *world) carry(r *migrate.Result) (stages []stage, wrong string) {
	now, snapshot := w.state, r.Before
	stages = []stage{{id: "before", state: now, snapshot: snapshot}}
	first := 0
	for _, p := range r.Phases {
		changes := r.Changes[first : first+len(p.Steps)]
		first += len(p.Steps)
		if len(changes) == 0 {
			continue
		}
		var err error
		for _, c := range changes {
			if now, err = now.apply(c, w.principals); err != nil {
				return nil, fmt.Sprintf("phase %s, %s: EKS refuses: %v", p.ID, c, err)
			}
		}
		if snapshot, err = changes.Simulate(snapshot); err != nil {
			return nil, err.Error()
		}
		stages = append(stages, stage{id: p.ID, state: now, snapshot: snapshot})
	}
	return stages, ""
}

// question is one that is put before and after.
type question struct {
	actor
	rbac.Request
}

func (w *world) questions() []question {
	var all []question
	for _, a := range w.actors() {
		for _, r := range w.requests(*requests) {
			all = append(all, question{a, r})
		}
	}
	return all
}

func (s *stage) ask(t *testing.T, w *world, questions []question) {
	s.handler, s.authority = s.state.authenticator(t), w.authority(s.state)
	seen := map[actor]who{}
	for _, q := range questions {
		as, ok := seen[q.actor]
		if !ok {
			as = s.who(t, q.actor)
			seen[q.actor] = as
		}
		s.decisions = append(s.decisions, s.authority.allows(q.unique, as, q.Request))
	}
}

func (s *stage) who(t *testing.T, a actor) who {
	username, groups, err := s.handler.Map(a.caller(t))
	return who{err == nil, username, groups}
}

func (n *tally) count(decisions []bool) {
	n.decisions += len(decisions)
	for _, d := range decisions {
		if d {
			n.allowed++
		}
	}
}

func (w *world) String() string {
	return fmt.Sprintf("mode %s, trusted %v, accounts read %d\nentries %+v\npolicies %+v\n--- mapRoles\n%s--- mapUsers\n%s--- mapAccounts\n%s", w.state.mode, w.options.TrustedAccounts, len(w.snapshot.Accounts),
		w.state.entries, w.state.policies, w.state.awsAuth["mapRoles"], w.state.awsAuth["mapUsers"], w.state.awsAuth["mapAccounts"])
}
