package apply

import (
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	lab "drawbridge/internal/lab/aws"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
	"drawbridge/internal/rbac"
)

// A step that lets somebody in is verified where the authorizer was asked and agreed, and read back otherwise, with the reason.
func TestConfirm(t *testing.T) {
	question := rbac.Request{User: "ops", Groups: []string{"ops"}, Verb: "get", Resource: "pods", Namespace: "shop"}
	entry := plan.CreateAccessEntry{Cluster: clusterARN, PrincipalARN: role("ops"), Username: "ops", Groups: []string{"ops"}}
	policy := plan.AssociateAccessPolicy{Cluster: clusterARN, PrincipalARN: role("ops"), PolicyARN: viewARN, Scope: model.AccessScope{Type: model.ScopeCluster}}
	for name, c := range map[string]struct {
		answer    func(rbac.Request) (bool, error)
		questions map[int][]rbac.Request
		noKube    bool
		stage     Stage
		said      string
		asked     int
		stopped   string
	}{
		"it agrees":         {questions: map[int][]rbac.Request{1: {question}}, stage: Verified, said: "lets ops in groups ops get pods in shop; that EKS takes the principal for that is not asked", asked: 1},
		"nothing to ask":    {stage: ReadBack, said: "nothing is known that it would allow"},
		"no Kubernetes API": {questions: map[int][]rbac.Request{1: {question}}, noKube: true, stage: ReadBack, said: "no access to the Kubernetes API"},
		"no right to ask": {questions: map[int][]rbac.Request{1: {question}}, answer: func(rbac.Request) (bool, error) {
			return false, apierrors.NewForbidden(reviews.GroupResource(), "", nil)
		}, stage: ReadBack, said: "no right to create subjectaccessreviews", asked: 1},
		"it does not answer": {questions: map[int][]rbac.Request{1: {question}}, answer: func(rbac.Request) (bool, error) { return false, errors.New("gone fishing") }, stage: ReadBack, said: "gone fishing", asked: 1},
		"it denies":          {questions: map[int][]rbac.Request{1: {question}}, answer: func(rbac.Request) (bool, error) { return false, nil }, asked: 1, stopped: "does not let ops in groups ops get pods in shop"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "API_AND_CONFIG_MAP", lab.Options{}, "ops")
			w.kube.answer = c.answer
			o := w.options()
			if o.Questions = c.questions; c.noKube {
				o.Clients.Kubernetes = nil
			}
			events := map[int]Event{}
			o.Progress = func(e Event) { events[e.Step] = e }
			_, err := Run(t.Context(), plan.Plan{entry, policy}, o)
			if len(w.kube.asked) != c.asked {
				t.Errorf("asked %v, want %d questions", w.kube.asked, c.asked)
			}
			if c.stopped != "" {
				mention(t, err, c.stopped)
				s, err := Undo(t.Context(), o)
				if err != nil || !s.Finished() {
					t.Fatalf("undo: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if e := events[1]; e.Stage != c.stage || !strings.Contains(e.Said, c.said) {
				t.Errorf("the entry: %s, %q; want %s, %q", e.Stage, e.Said, c.stage, c.said)
			}
			if e := events[2]; e.Stage != ReadBack || !strings.Contains(e.Said, "only the principal itself shows") {
				t.Errorf("the access policy: %s, %q", e.Stage, e.Said)
			}
		})
	}
}
