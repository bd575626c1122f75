package plan

import (
	"maps"
	"slices"
	"strings"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// CreateServiceAccount makes a service account.
type CreateServiceAccount struct {
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Apply adds the service account.
func (c CreateServiceAccount) Apply(s *model.Snapshot) error {
	k, err := c.find(s)
	if err != nil {
		return err
	}
	sa := &model.ServiceAccount{}
	sa.Namespace, sa.Name = c.Namespace, c.Name
	k.ServiceAccounts = added(k.ServiceAccounts, sa)
	return nil
}

func (c CreateServiceAccount) find(s *model.Snapshot) (*model.Cluster, error) {
	k, err := cluster(s, c.Cluster)
	if err != nil {
		return nil, err
	}
	object := thing("ServiceAccount", c.Namespace, c.Name)
	switch {
	case c.Namespace == "" || c.Name == "":
		return nil, &Unmet{object, "a namespace and a name", "none"}
	case slices.IndexFunc(k.ServiceAccounts, accountNamed(c.Namespace, c.Name)) >= 0:
		return nil, &Unmet{object, "none", "one"}
	case k.Read[model.AreaNamespaces] && slices.IndexFunc(k.Namespaces, func(n *model.Namespace) bool { return n.Name == c.Namespace }) < 0:
		return nil, &Unmet{object, "its namespace", "none"}
	}
	return k, nil
}

// Inverse deletes the service account.
func (c CreateServiceAccount) Inverse(before *model.Snapshot) ([]Change, error) {
	if _, err := c.find(before); err != nil {
		return nil, err
	}
	return []Change{DeleteServiceAccount(c)}, nil
}

func (c CreateServiceAccount) String() string {
	return "create " + thing("ServiceAccount", c.Namespace, c.Name)
}

func (c CreateServiceAccount) details() details {
	return details{
		target:       accountTarget(c.Cluster, c.Namespace, c.Name),
		command:      Shell("kubectl", "create", "serviceaccount", "-n", c.Namespace, "--", c.Name),
		precondition: "the namespace is there and has no such service account", verify: showAccount(c.Namespace, c.Name),
	}
}

// DeleteServiceAccount deletes a service account.
type DeleteServiceAccount struct {
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Apply removes the service account.
func (c DeleteServiceAccount) Apply(s *model.Snapshot) error {
	k, i, err := findAccount(s, c.Cluster, c.Namespace, c.Name)
	if err != nil {
		return err
	}
	k.ServiceAccounts = without(k.ServiceAccounts, i)
	return nil
}

// Inverse makes a service account again that has nothing but its name. One with more cannot come back: its Secrets and image
// pull secrets are in no snapshot.
func (c DeleteServiceAccount) Inverse(before *model.Snapshot) ([]Change, error) {
	k, i, err := findAccount(before, c.Cluster, c.Namespace, c.Name)
	if err != nil {
		return nil, err
	}
	if sa := k.ServiceAccounts[i]; sa.UID != "" || len(sa.Labels)+len(sa.Annotations) > 0 || sa.Automount != nil || sa.Owner != "" {
		return nil, &Irreversible{"what the service account holds is in no snapshot, and its tokens die with it"}
	}
	return undoing(before, c, CreateServiceAccount(c))
}

func (c DeleteServiceAccount) String() string {
	return "delete " + thing("ServiceAccount", c.Namespace, c.Name)
}

func (c DeleteServiceAccount) details() details {
	return details{
		target: accountTarget(c.Cluster, c.Namespace, c.Name), command: kubectl("delete", "serviceaccount", c.Namespace, c.Name),
		precondition: "the service account is there", verify: showAccount(c.Namespace, c.Name),
	}
}

// AnnotateServiceAccount sets an annotation of IRSA on a service account.
type AnnotateServiceAccount struct {
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Key       string `json:"key"`
	Value     string `json:"value"`
}

// irsaAnnotations is what all annotations begin with that decide about IRSA; they are the ones that a snapshot holds in full.
const irsaAnnotations = "eks.amazonaws.com/"

// Apply sets the annotation.
func (c AnnotateServiceAccount) Apply(s *model.Snapshot) error {
	k, i, err := c.find(s)
	if err != nil {
		return err
	}
	setAnnotation(k, i, c.Key, &c.Value)
	return nil
}

func (c AnnotateServiceAccount) find(s *model.Snapshot) (*model.Cluster, int, error) {
	k, i, err := findAnnotated(s, c.Cluster, c.Namespace, c.Name, c.Key)
	if err != nil {
		return nil, 0, err
	}
	if has, there := k.ServiceAccounts[i].Annotations[c.Key]; there && has == c.Value {
		return nil, 0, &Unmet{thing("ServiceAccount", c.Namespace, c.Name), "another annotation " + c.Key, "it already"}
	}
	return k, i, nil
}

// Inverse sets the old value, or takes the annotation away.
func (c AnnotateServiceAccount) Inverse(before *model.Snapshot) ([]Change, error) {
	k, i, err := c.find(before)
	if err != nil {
		return nil, err
	}
	if old, there := k.ServiceAccounts[i].Annotations[c.Key]; there {
		return []Change{AnnotateServiceAccount{c.Cluster, c.Namespace, c.Name, c.Key, old}}, nil
	}
	return []Change{UnannotateServiceAccount{c.Cluster, c.Namespace, c.Name, c.Key}}, nil
}

func (c AnnotateServiceAccount) String() string {
	return "annotate " + thing("ServiceAccount", c.Namespace, c.Name) + " with " + c.Key + ": " + c.Value
}

func (c AnnotateServiceAccount) details() details {
	return details{
		target:       accountTarget(c.Cluster, c.Namespace, c.Name),
		command:      Shell("kubectl", "annotate", "--overwrite", "-n", c.Namespace, "serviceaccount/"+c.Name, c.Key+"="+c.Value),
		precondition: "the service account is there and differs", verify: showAccount(c.Namespace, c.Name),
	}
}

// UnannotateServiceAccount takes an annotation of IRSA away from a service account.
type UnannotateServiceAccount struct {
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Key       string `json:"key"`
}

// Apply removes the annotation.
func (c UnannotateServiceAccount) Apply(s *model.Snapshot) error {
	k, i, err := c.find(s)
	if err != nil {
		return err
	}
	setAnnotation(k, i, c.Key, nil)
	return nil
}

func (c UnannotateServiceAccount) find(s *model.Snapshot) (*model.Cluster, int, error) {
	k, i, err := findAnnotated(s, c.Cluster, c.Namespace, c.Name, c.Key)
	if err != nil {
		return nil, 0, err
	}
	if _, there := k.ServiceAccounts[i].Annotations[c.Key]; !there {
		return nil, 0, &Unmet{thing("ServiceAccount", c.Namespace, c.Name), "annotation " + c.Key, "none"}
	}
	return k, i, nil
}

// Inverse sets the annotation again.
func (c UnannotateServiceAccount) Inverse(before *model.Snapshot) ([]Change, error) {
	k, i, err := c.find(before)
	if err != nil {
		return nil, err
	}
	return []Change{AnnotateServiceAccount{c.Cluster, c.Namespace, c.Name, c.Key, k.ServiceAccounts[i].Annotations[c.Key]}}, nil
}

func (c UnannotateServiceAccount) String() string {
	return "take annotation " + c.Key + " away from " + thing("ServiceAccount", c.Namespace, c.Name)
}

func (c UnannotateServiceAccount) details() details {
	return details{
		target:       accountTarget(c.Cluster, c.Namespace, c.Name),
		command:      Shell("kubectl", "annotate", "-n", c.Namespace, "serviceaccount/"+c.Name, c.Key+"-"),
		precondition: "the service account has the annotation", verify: showAccount(c.Namespace, c.Name),
	}
}

// findAnnotated finds a service account for a change of one of its annotations.
func findAnnotated(s *model.Snapshot, id, namespace, name, key string) (*model.Cluster, int, error) {
	k, i, err := findAccount(s, id, namespace, name)
	if err == nil && !strings.HasPrefix(key, irsaAnnotations) {
		err = &Unmet{thing("ServiceAccount", namespace, name), "an annotation of " + irsaAnnotations, orNone(key)}
	}
	return k, i, err
}

// setAnnotation sets an annotation of a service account, or removes it where the value is nil.
func setAnnotation(k *model.Cluster, i int, key string, value *string) {
	sa := *k.ServiceAccounts[i]
	sa.Annotations = maps.Clone(sa.Annotations)
	if value == nil {
		delete(sa.Annotations, key)
	} else {
		if sa.Annotations == nil {
			sa.Annotations = map[string]string{}
		}
		sa.Annotations[key] = *value
	}
	k.ServiceAccounts = replaced(k.ServiceAccounts, i, &sa)
}

func accountNamed(namespace, name string) func(*model.ServiceAccount) bool {
	return func(sa *model.ServiceAccount) bool { return sa.Name == name && sa.Namespace == namespace }
}

// findAccount finds a service account and its cluster.
func findAccount(s *model.Snapshot, id, namespace, name string) (*model.Cluster, int, error) {
	k, err := cluster(s, id)
	if err != nil {
		return nil, 0, err
	}
	i := slices.IndexFunc(k.ServiceAccounts, accountNamed(namespace, name))
	if i < 0 {
		return nil, 0, &Unmet{thing("ServiceAccount", namespace, name), "one", "none"}
	}
	return k, i, nil
}

func accountTarget(cluster, namespace, name string) finding.Target {
	return finding.Target{Cluster: cluster, Subject: finding.Subject{Kind: "ServiceAccount", Namespace: namespace, Name: name}}
}

func showAccount(namespace, name string) string {
	return kubectl("get", "serviceaccount", namespace, name, "-o", "yaml")
}
