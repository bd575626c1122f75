package plan

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// CreateBinding makes a RoleBinding, or a ClusterRoleBinding where the namespace is empty.
type CreateBinding struct {
	Cluster     string            `json:"cluster"`
	Namespace   string            `json:"namespace,omitzero"`
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels,omitzero"`
	Annotations map[string]string `json:"annotations,omitzero"`
	RoleRef     rbacv1.RoleRef    `json:"roleRef"`
	Subjects    []rbacv1.Subject  `json:"subjects"`
}

// Apply adds the binding.
func (c CreateBinding) Apply(s *model.Snapshot) error {
	list, err := c.find(s)
	if err != nil {
		return err
	}
	b := &model.Binding{RoleRef: c.RoleRef, Subjects: slices.Clone(c.Subjects)}
	b.Namespace, b.Name, b.Labels, b.Annotations = c.Namespace, c.Name, maps.Clone(c.Labels), maps.Clone(c.Annotations)
	*list = added(*list, b)
	return nil
}

func (c CreateBinding) find(s *model.Snapshot) (*[]*model.Binding, error) {
	list, i, err := bindings(s, c.Cluster, c.Namespace, c.Name)
	switch object := bindingName(c.Namespace, c.Name); {
	case err != nil:
		return nil, err
	case i >= 0:
		return nil, &Unmet{object, "none", "one"}
	case c.Name == "" || c.RoleRef.Name == "" || c.Namespace == "" && c.RoleRef.Kind != "ClusterRole":
		return nil, &Unmet{object, "a name and a role that it can bind", orNone(c.RoleRef.Kind + " " + c.RoleRef.Name)}
	}
	return list, nil
}

// Inverse deletes the binding.
func (c CreateBinding) Inverse(before *model.Snapshot) ([]Change, error) {
	if _, err := c.find(before); err != nil {
		return nil, err
	}
	return []Change{DeleteBinding{c.Cluster, c.Namespace, c.Name}}, nil
}

func (c CreateBinding) String() string {
	return "create " + bindingName(c.Namespace, c.Name) + " of " + c.RoleRef.Kind + " " + c.RoleRef.Name + " for " + subjectsText(c.Subjects)
}

func (c CreateBinding) details() details {
	meta := map[string]any{"name": c.Name}
	if c.Namespace != "" {
		meta["namespace"] = c.Namespace
	}
	if len(c.Labels) > 0 {
		meta["labels"] = c.Labels
	}
	if len(c.Annotations) > 0 {
		meta["annotations"] = c.Annotations
	}
	object := jsonText(map[string]any{
		"apiVersion": rbacv1.SchemeGroupVersion.String(), "kind": bindingKind(c.Namespace), "metadata": meta, "roleRef": c.RoleRef, "subjects": c.Subjects,
	})
	return details{
		target: bindingTarget(c.Cluster, c.Namespace, c.Name), command: Shell("printf", "%s", object) + " | kubectl create -f -",
		precondition: "there is no binding of that name", verify: showBinding(c.Namespace, c.Name),
	}
}

// DeleteBinding deletes a RoleBinding, or a ClusterRoleBinding where the namespace is empty.
type DeleteBinding struct {
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace,omitzero"`
	Name      string `json:"name"`
}

// Apply removes the binding.
func (c DeleteBinding) Apply(s *model.Snapshot) error {
	list, i, err := findBinding(s, c.Cluster, c.Namespace, c.Name)
	if err != nil {
		return err
	}
	*list = without(*list, i)
	return nil
}

// Inverse makes the binding again, without the annotations that no snapshot keeps.
func (c DeleteBinding) Inverse(before *model.Snapshot) ([]Change, error) {
	list, i, err := findBinding(before, c.Cluster, c.Namespace, c.Name)
	if err != nil {
		return nil, err
	}
	b := (*list)[i]
	return undoing(before, c, CreateBinding{
		Cluster: c.Cluster, Namespace: b.Namespace, Name: b.Name, Labels: b.Labels, Annotations: b.Annotations, RoleRef: b.RoleRef, Subjects: b.Subjects,
	})
}

func (c DeleteBinding) String() string { return "delete " + bindingName(c.Namespace, c.Name) }

func (c DeleteBinding) details() details {
	return details{
		target: bindingTarget(c.Cluster, c.Namespace, c.Name), command: kubectl("delete", bindingKind(c.Namespace), c.Namespace, c.Name),
		precondition: "the binding is there", verify: showBinding(c.Namespace, c.Name),
	}
}

// RemoveSubject takes one subject out of a binding that has others.
type RemoveSubject struct {
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace,omitzero"`
	Name      string `json:"name"`
	// Index is the subject's place in the binding, from 0; if another stands there, the change does not fit.
	Index   int            `json:"index"`
	Subject rbacv1.Subject `json:"subject"`
}

// Apply removes the subject. The only one stays: a binding of nobody is to be deleted.
func (c RemoveSubject) Apply(s *model.Snapshot) error {
	list, i, err := c.find(s)
	if err != nil {
		return err
	}
	b := *(*list)[i]
	b.Subjects = without(b.Subjects, c.Index)
	*list = replaced(*list, i, &b)
	return nil
}

func (c RemoveSubject) find(s *model.Snapshot) (*[]*model.Binding, int, error) {
	list, i, err := findBinding(s, c.Cluster, c.Namespace, c.Name)
	if err != nil {
		return nil, 0, err
	}
	object, subjects := bindingName(c.Namespace, c.Name), (*list)[i].Subjects
	switch {
	case c.Index < 0 || c.Index >= len(subjects):
		return nil, 0, &Unmet{object, "subject " + strconv.Itoa(c.Index+1), strconv.Itoa(len(subjects)) + " subjects"}
	case subjects[c.Index] != c.Subject:
		return nil, 0, &Unmet{object, subjectText(c.Subject) + " as subject " + strconv.Itoa(c.Index+1), subjectText(subjects[c.Index])}
	case len(subjects) == 1:
		return nil, 0, &Unmet{object, "more subjects than this", "no other"}
	}
	return list, i, nil
}

// Inverse puts the subject back in its place.
func (c RemoveSubject) Inverse(before *model.Snapshot) ([]Change, error) {
	if _, _, err := c.find(before); err != nil {
		return nil, err
	}
	return []Change{AddSubject(c)}, nil
}

func (c RemoveSubject) String() string {
	return "take " + subjectText(c.Subject) + " out of " + bindingName(c.Namespace, c.Name)
}

func (c RemoveSubject) details() details {
	path := "/subjects/" + strconv.Itoa(c.Index)
	return details{
		target: bindingTarget(c.Cluster, c.Namespace, c.Name),
		command: patchJSON(bindingKind(c.Namespace), c.Namespace, c.Name,
			patchStep{"test", path, defaulted(c.Subject)}, patchStep{Op: "remove", Path: path}),
		precondition: "the binding has the subject, in that place", verify: showBinding(c.Namespace, c.Name),
	}
}

// AddSubject puts a subject into a binding, at a place from 0.
type AddSubject struct {
	Cluster   string         `json:"cluster"`
	Namespace string         `json:"namespace,omitzero"`
	Name      string         `json:"name"`
	Index     int            `json:"index"`
	Subject   rbacv1.Subject `json:"subject"`
}

// Apply inserts the subject.
func (c AddSubject) Apply(s *model.Snapshot) error {
	list, i, err := c.find(s)
	if err != nil {
		return err
	}
	b := *(*list)[i]
	b.Subjects = slices.Insert(slices.Clone(b.Subjects), c.Index, c.Subject)
	*list = replaced(*list, i, &b)
	return nil
}

func (c AddSubject) find(s *model.Snapshot) (*[]*model.Binding, int, error) {
	list, i, err := findBinding(s, c.Cluster, c.Namespace, c.Name)
	if err != nil {
		return nil, 0, err
	}
	object, subjects := bindingName(c.Namespace, c.Name), (*list)[i].Subjects
	switch {
	case c.Index < 0 || c.Index > len(subjects):
		return nil, 0, &Unmet{object, "place " + strconv.Itoa(c.Index+1), strconv.Itoa(len(subjects)) + " subjects"}
	case len(subjects) == 0:
		return nil, 0, &Unmet{object, "a subject beside which to add one", "none"}
	}
	return list, i, nil
}

// Inverse takes the subject out.
func (c AddSubject) Inverse(before *model.Snapshot) ([]Change, error) {
	if _, _, err := c.find(before); err != nil {
		return nil, err
	}
	return []Change{RemoveSubject(c)}, nil
}

func (c AddSubject) String() string {
	return "add " + subjectText(c.Subject) + " to " + bindingName(c.Namespace, c.Name)
}

func (c AddSubject) details() details {
	return details{
		target: bindingTarget(c.Cluster, c.Namespace, c.Name),
		command: patchJSON(bindingKind(c.Namespace), c.Namespace, c.Name,
			patchStep{"add", "/subjects/" + strconv.Itoa(c.Index), defaulted(c.Subject)}),
		precondition: "the binding is there", verify: showBinding(c.Namespace, c.Name),
	}
}

// patchStep is one operation of a JSON patch (RFC 6902).
type patchStep struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitzero"`
}

func patchJSON(kind, namespace, name string, steps ...patchStep) string {
	return kubectl("patch", kind, namespace, name, "--type", "json", "-p", jsonText(steps))
}

// defaulted is a subject as the API server stores it: with its API group, which manifests may leave out (Kubernetes API
// reference, Subject, 2026-11).
func defaulted(s rbacv1.Subject) rbacv1.Subject {
	if s.APIGroup == "" && (s.Kind == rbacv1.UserKind || s.Kind == rbacv1.GroupKind) {
		s.APIGroup = rbacv1.GroupName
	}
	return s
}

func subjectText(s rbacv1.Subject) string { return thing(s.Kind, s.Namespace, s.Name) }

func subjectsText(subjects []rbacv1.Subject) string {
	names := make([]string, len(subjects))
	for i, s := range subjects {
		names[i] = subjectText(s)
	}
	return listed(names)
}

func bindingKind(namespace string) string {
	if namespace == "" {
		return "ClusterRoleBinding"
	}
	return "RoleBinding"
}

func bindingName(namespace, name string) string {
	return thing(bindingKind(namespace), namespace, name)
}

func bindingTarget(cluster, namespace, name string) finding.Target {
	return finding.Target{Cluster: cluster, Subject: finding.Subject{Kind: bindingKind(namespace), Namespace: namespace, Name: name}}
}

func showBinding(namespace, name string) string {
	return kubectl("get", strings.ToLower(bindingKind(namespace)), namespace, name, "-o", "yaml")
}

// bindings returns the list in which a binding stands, and its place there or -1.
func bindings(s *model.Snapshot, id, namespace, name string) (*[]*model.Binding, int, error) {
	k, err := cluster(s, id)
	if err != nil {
		return nil, 0, err
	}
	list := &k.ClusterRoleBindings
	if namespace != "" {
		list = &k.RoleBindings
	}
	return list, slices.IndexFunc(*list, func(b *model.Binding) bool { return b.Name == name && b.Namespace == namespace }), nil
}

func findBinding(s *model.Snapshot, id, namespace, name string) (*[]*model.Binding, int, error) {
	list, i, err := bindings(s, id, namespace, name)
	if err == nil && i < 0 {
		err = &Unmet{bindingName(namespace, name), "one", "none"}
	}
	return list, i, err
}
