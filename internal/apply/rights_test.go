package apply

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/plan"
)

// RightsOf names what a plan's steps call, and nothing else.
func TestRights(t *testing.T) {
	w, p := full(t), everything()
	for i, c := range p {
		w.ForgetCalls()
		o := w.options()
		o.Journal += string(rune('A' + i))
		if _, err := Run(t.Context(), plan.Plan{c}, o); err != nil {
			t.Fatal(err)
		}
		rights, err := RightsOf(plan.Plan{c})
		if err != nil {
			t.Fatal(err)
		}
		var called []string
		for _, call := range w.Calls() {
			called = append(called, call.Action)
		}
		slices.Sort(called)
		called = slices.Compact(called)
		named := slices.DeleteFunc(rights.Actions, func(a string) bool { return a == "iam:PassRole" })
		// What is not there is not asked further.
		named = slices.DeleteFunc(named, func(a string) bool {
			return !slices.Contains(called, a) && (a == "eks:ListAssociatedAccessPolicies" || a == "eks:DescribePodIdentityAssociation")
		})
		if diff := cmp.Diff(named, called); diff != "" {
			t.Errorf("%s (-named +called):\n%s", c, diff)
		}
		if k, ok := ofKubernetes(c); ok != (len(rights.Rules) > 0) {
			t.Errorf("%s touches %v, with rules %v", c, k, rights.Rules)
		}
	}
}

func TestRightsByChange(t *testing.T) {
	var got []string
	for _, r := range RightsByChange() {
		if len(r.Actions)+len(r.Rules) == 0 {
			t.Errorf("%s needs nothing", r.Change)
		}
		got = append(got, r.Change)
	}
	want := changeNames(t)
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes with rights (-want +got):\n%s", diff)
	}
}
