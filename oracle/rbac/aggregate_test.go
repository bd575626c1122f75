package oracle

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	_ "unsafe" // for go:linkname

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applyrbac "k8s.io/client-go/applyconfigurations/rbac/v1"
	"k8s.io/client-go/informers"
	client "k8s.io/client-go/kubernetes/typed/rbac/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/kubernetes/pkg/controller/clusterroleaggregation"

	"drawbridge/internal/rbac"
)

//go:linkname syncClusterRole k8s.io/kubernetes/pkg/controller/clusterroleaggregation.(*ClusterRoleAggregationController).syncClusterRole
func syncClusterRole(c *clusterroleaggregation.ClusterRoleAggregationController, ctx context.Context, key string) error

// writer stands for the API server: what the controller applies goes back into its cache.
type writer struct {
	client.ClusterRoleInterface
	cache cache.Indexer
}

func (w *writer) ClusterRoles() client.ClusterRoleInterface { return w }

func (w *writer) Apply(_ context.Context, a *applyrbac.ClusterRoleApplyConfiguration, _ metav1.ApplyOptions) (*rbacv1.ClusterRole, error) {
	old, found, err := w.cache.GetByKey(*a.Name)
	if !found || err != nil {
		return nil, fmt.Errorf("apply %s: found %v: %v", *a.Name, found, err)
	}
	next := old.(*rbacv1.ClusterRole).DeepCopy()
	next.Rules = nil
	for _, r := range a.Rules {
		next.Rules = append(next.Rules, rbacv1.PolicyRule{Verbs: r.Verbs, APIGroups: r.APIGroups, Resources: r.Resources, ResourceNames: r.ResourceNames, NonResourceURLs: r.NonResourceURLs})
	}
	return next, w.cache.Update(next)
}

// settle runs the real controller over the roles until it changes nothing more.
func settle(t *testing.T, roles []rbac.Role) map[string][]string {
	informer := informers.NewSharedInformerFactory(nil, 0).Rbac().V1().ClusterRoles()
	w := &writer{cache: informer.Informer().GetIndexer()}
	for _, r := range roles {
		if err := w.cache.Add(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: r.Name, Labels: r.Labels}, Rules: r.Rules, AggregationRule: r.Aggregation}); err != nil {
			t.Fatal(err)
		}
	}
	c := clusterroleaggregation.NewClusterRoleAggregation(informer, w)
	// In a circle the controller may swap the order of rules for ever; it is at rest once no rule comes or goes.
	for before := map[string][]string(nil); ; {
		for _, r := range roles {
			_ = syncClusterRole(c, context.Background(), r.Name) // an error is a selector that is not valid
		}
		after := map[string][]string{}
		for _, r := range w.cache.List() {
			cr := r.(*rbacv1.ClusterRole)
			after[cr.Name] = ruleSet(cr.Rules)
		}
		if cmp.Equal(before, after) {
			return after
		}
		before = after
	}
}

// ruleSet is order-free: with circles the order depends on whom the controller meets first.
func ruleSet(rules []rbacv1.PolicyRule) []string {
	out := []string{}
	for _, r := range rules {
		out = append(out, fmt.Sprintf("%q", [][]string{r.Verbs, r.APIGroups, r.Resources, r.ResourceNames, r.NonResourceURLs}))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (g gen) selector() metav1.LabelSelector {
	switch g.IntN(8) {
	case 0:
		return metav1.LabelSelector{}
	case 1:
		return metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: pick(g, "x", "y"), Operator: pick(g, metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist, "Near")}}}
	case 2:
		return metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "x", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"1"}}}}
	}
	return metav1.LabelSelector{MatchLabels: map[string]string{pick(g, "x", "y", "z"): pick(g, "1", "2")}}
}

func TestAggregationAgainstTheRealController(t *testing.T) {
	aggregated := 0
	for n := range *requests / 20 {
		g := gen{rand.New(rand.NewPCG(*seed, uint64(n)))}
		var roles []rbac.Role
		for i := range 2 + g.IntN(6) {
			r := rbac.Role{Name: fmt.Sprint("r", i), Labels: map[string]string{pick(g, "x", "y", "z"): pick(g, "1", "2")}}
			if g.IntN(2) == 0 {
				r.Aggregation = &rbacv1.AggregationRule{}
				for range g.IntN(3) {
					r.Aggregation.ClusterRoleSelectors = append(r.Aggregation.ClusterRoleSelectors, g.selector())
				}
				aggregated++
			} else {
				r.Rules = g.rules()
			}
			roles = append(roles, r)
		}
		got := map[string][]string{}
		for _, r := range rbac.Aggregate(roles) {
			got[r.Name] = ruleSet(r.Rules)
		}
		if d := cmp.Diff(settle(t, roles), got); d != "" {
			t.Fatalf("case %d, roles %+v (-real +ours):\n%s", n, roles, d)
		}
	}
	t.Logf("0 mismatches in %d aggregated ClusterRoles", aggregated)
}
