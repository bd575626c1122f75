package plan

import (
	"slices"
	"strings"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// SetAutomount sets automountServiceAccountToken of a service account or of a workload's pod template: true, false, or, with
// nil, not set. It is about the token for the Kubernetes API alone: those of Pod Identity and IRSA come all the same.
type SetAutomount struct {
	Cluster string `json:"cluster"`
	// Kind is ServiceAccount or Workload; a workload's name is kind/name, as findings name it.
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Value     *bool  `json:"value"`
}

// Apply sets the field. Running pods keep what they have; new ones follow it.
func (c SetAutomount) Apply(s *model.Snapshot) error {
	k, i, _, err := c.find(s)
	if err != nil {
		return err
	}
	if c.Kind == "ServiceAccount" {
		sa := *k.ServiceAccounts[i]
		sa.Automount = clone(c.Value)
		k.ServiceAccounts = replaced(k.ServiceAccounts, i, &sa)
		return nil
	}
	w := *k.Workloads[i]
	w.Automount = clone(c.Value)
	k.Workloads = replaced(k.Workloads, i, &w)
	return nil
}

// find finds the object's place in its list, and what the field says now.
func (c SetAutomount) find(s *model.Snapshot) (k *model.Cluster, i int, now *bool, err error) {
	if k, i, now, err = c.field(s); err != nil {
		return nil, 0, nil, err
	}
	if c.Value == nil && now == nil || c.Value != nil && now != nil && *c.Value == *now {
		return nil, 0, nil, &Unmet{thing(c.Kind, c.Namespace, c.Name), "another automountServiceAccountToken", "it already"}
	}
	return k, i, now, nil
}

// field is find, whatever the field says. Templates of Jobs cannot be changed (Kubernetes documentation, "Jobs", 2026-11), and
// what a controller owns it would change back.
func (c SetAutomount) field(s *model.Snapshot) (*model.Cluster, int, *bool, error) {
	object := thing(c.Kind, c.Namespace, c.Name)
	switch c.Kind {
	case "ServiceAccount":
		k, i, err := findAccount(s, c.Cluster, c.Namespace, c.Name)
		if err != nil {
			return nil, 0, nil, err
		}
		return k, i, k.ServiceAccounts[i].Automount, nil
	case "Workload":
		k, err := cluster(s, c.Cluster)
		if err != nil {
			return nil, 0, nil, err
		}
		kind, name, _ := strings.Cut(c.Name, "/")
		i := slices.IndexFunc(k.Workloads, func(w *model.Workload) bool {
			return w.Name == name && w.Namespace == c.Namespace && strings.EqualFold(w.Kind, kind)
		})
		switch {
		case i < 0:
			return nil, 0, nil, &Unmet{object, "one", "none"}
		case k.Workloads[i].Kind == "Job" || k.Workloads[i].Owner != "":
			return nil, 0, nil, &Unmet{object, "a template that can be changed", "one of a Job, or of a workload that has an owner"}
		}
		return k, i, k.Workloads[i].Automount, nil
	}
	return nil, 0, nil, &Unmet{object, "a service account or a workload", orNone(c.Kind)}
}

// Inverse sets what was set before.
func (c SetAutomount) Inverse(before *model.Snapshot) ([]Change, error) {
	_, _, now, err := c.find(before)
	if err != nil {
		return nil, err
	}
	c.Value = clone(now)
	return []Change{c}, nil
}

func (c SetAutomount) String() string {
	if c.Value == nil {
		return "take automountServiceAccountToken out of " + thing(c.Kind, c.Namespace, c.Name)
	}
	return "set automountServiceAccountToken: " + jsonText(*c.Value) + " in " + thing(c.Kind, c.Namespace, c.Name)
}

func (c SetAutomount) details() details {
	kind, name := "serviceaccount", c.Name
	var patch any = map[string]any{"automountServiceAccountToken": c.Value}
	if c.Kind == "Workload" {
		kind, name, _ = strings.Cut(c.Name, "/")
		patch = map[string]any{"spec": map[string]any{"template": map[string]any{"spec": patch}}}
		if kind == "cronjob" {
			patch = map[string]any{"spec": map[string]any{"jobTemplate": patch}}
		}
	}
	return details{
		target:       finding.Target{Cluster: c.Cluster, Subject: finding.Subject{Kind: c.Kind, Namespace: c.Namespace, Name: c.Name}},
		command:      kubectl("patch", kind, c.Namespace, name, "-p", jsonText(patch)),
		precondition: "the object is there and its field differs", verify: kubectl("get", kind, c.Namespace, name, "-o", "yaml"),
	}
}

func clone(b *bool) *bool {
	if b == nil {
		return nil
	}
	v := *b
	return &v
}
