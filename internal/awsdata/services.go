package awsdata

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

// servicesFile is written by gen from the Service Authorization Reference. Its first line is "package<tab>date". Every other
// line begins with its kind: S a service, and then of this service R its resource types, K its condition keys and A its
// actions. The fields are in the order of the types below; a list of keys is parted by spaces, a list of ARNs by commas.
//
//go:embed services.tsv.zst
var servicesFile string

// ServiceInfo is what the Service Authorization Reference says of a service.
type ServiceInfo struct {
	Prefix        string // as policies write it: "s3"
	Name          string // "Amazon S3"
	ResourceTypes []ResourceType
	ConditionKeys []ConditionKey

	actions []string // lines, sorted by name whatever its case
}

// ResourceType is one that statements about a service's actions may name.
type ResourceType struct {
	Name string
	// ARNs are forms with variables: "arn:${Partition}:s3:::${BucketName}/${ObjectName}".
	ARNs          []string
	ConditionKeys []string
}

// ConditionKey is a key of a service's own, or a global one that it sets. Its type is the reference's: String,
// ArrayOfString, ARN, ArrayOfARN, Bool, ArrayOfBool, Numeric, Date, IPAddress.
type ConditionKey struct{ Key, Type string }

// ActionInfo is what the reference says of an action. It is no complete list of what a request may carry: that a
// condition key is not named says nothing, and no answer stands on it.
type ActionInfo struct {
	Name        string // in AWS's spelling: "s3:GetObject"
	AccessLevel string // List, Read, Write, Permissions management or Tagging
	// ResourceTypes are those that a statement may name. Without any, the action supports no resource-level permissions:
	// only a statement on "*" allows it (Service Authorization Reference, "The actions table", 2026-11).
	ResourceTypes []ActionResource
	ConditionKeys []string // those of the action whatever its resource
}

// ActionResource is a resource type of an action.
type ActionResource struct {
	Type          string
	Required      bool // a statement must name one
	ConditionKeys []string
}

type serviceTable struct {
	date     string
	prefixes []string // sorted
	services map[string]func() *ServiceInfo
}

// services takes some 2 ms, once, for whoever asks first; a service is taken apart when it is asked for.
var services = sync.OnceValue(func() *serviceTable {
	head, rest, _ := strings.Cut(inflate("services", servicesFile), "\nS\t")
	_, date, _ := strings.Cut(head, "\t")
	t := &serviceTable{date: date, services: map[string]func() *ServiceInfo{}}
	for section := range strings.SplitSeq(rest, "\nS\t") {
		prefix, _, _ := strings.Cut(section, "\t")
		t.prefixes = append(t.prefixes, prefix)
		t.services[prefix] = sync.OnceValue(func() *ServiceInfo { return parseService(section) })
	}
	return t
})

func parseService(section string) *ServiceInfo {
	s := &ServiceInfo{}
	head, rest, _ := strings.Cut(section, "\n")
	s.Prefix, s.Name, _ = strings.Cut(head, "\t")
	for line := range strings.SplitSeq(rest, "\n") {
		kind, line, _ := strings.Cut(line, "\t")
		switch kind {
		case "R":
			f := strings.Split(line, "\t")
			s.ResourceTypes = append(s.ResourceTypes, ResourceType{f[0], strings.Split(f[1], ", "), strings.Fields(f[2])})
		case "K":
			key, of, _ := strings.Cut(line, "\t")
			s.ConditionKeys = append(s.ConditionKeys, ConditionKey{key, of})
		case "A":
			s.actions = append(s.actions, line)
		}
	}
	return s
}

// Services lists the prefixes of all services. The caller must not change the list.
func Services() []string { return services().prefixes }

// ServiceDataDate is the day, as 2006-01-02, of the copy of the Service Authorization Reference.
func ServiceDataDate() string { return services().date }

// Service returns what is known of the service with this prefix, whatever its case.
func Service(prefix string) (*ServiceInfo, bool) {
	s, ok := services().services[strings.ToLower(prefix)]
	if !ok {
		return nil, false
	}
	return s(), true
}

// Actions lists the service's actions with the prefix ("s3:GetObject"), sorted whatever their case.
func (s *ServiceInfo) Actions() []string {
	all := make([]string, len(s.actions))
	for i := range s.actions {
		all[i] = s.Prefix + ":" + s.operation(i)
	}
	return all
}

func (s *ServiceInfo) operation(i int) string {
	name, _, _ := strings.Cut(s.actions[i], "\t")
	return name
}

// Action returns what is known of an action, whatever the case of its name ("s3:getobject"). An action that is not known
// may be one that is newer than ServiceDataDate.
func Action(name string) (ActionInfo, bool) {
	prefix, operation, _ := strings.Cut(name, ":")
	s, ok := Service(prefix)
	if !ok {
		return ActionInfo{}, false
	}
	operation = strings.ToLower(operation)
	i, ok := slices.BinarySearchFunc(s.actions, operation, func(line, operation string) int {
		name, _, _ := strings.Cut(line, "\t")
		return strings.Compare(strings.ToLower(name), operation)
	})
	if !ok {
		return ActionInfo{}, false
	}
	f := strings.Split(s.actions[i], "\t")
	a := ActionInfo{Name: s.Prefix + ":" + f[0], AccessLevel: f[1], ConditionKeys: strings.Fields(f[2])}
	for _, field := range f[3:] {
		of, keys, _ := strings.Cut(field, "|")
		of, required := strings.CutSuffix(of, "*")
		a.ResourceTypes = append(a.ResourceTypes, ActionResource{of, required, strings.Fields(keys)})
	}
	return a, true
}

// Takes says whether an action may be about a resource with this ARN, by the forms that the reference gives. A variable of
// a form stands for any text, so that an ARN of the wrong kind may pass; one that does not pass is of the wrong kind. An
// action without resource types takes "*" only, and "*", which is no ARN, passes always.
func (a *ActionInfo) Takes(arn string) bool {
	if arn == "*" {
		return true
	}
	prefix, _, _ := strings.Cut(a.Name, ":")
	s, _ := Service(prefix)
	for _, r := range a.ResourceTypes {
		of := s.resourceType(r.Type)
		if of == nil || slices.ContainsFunc(of.ARNs, func(form string) bool { return hasForm(arn, form) }) {
			return true
		}
	}
	return false
}

func (s *ServiceInfo) resourceType(name string) *ResourceType {
	for i := range s.ResourceTypes {
		if strings.EqualFold(s.ResourceTypes[i].Name, name) {
			return &s.ResourceTypes[i]
		}
	}
	return nil
}

// hasForm compares an ARN with a form, each of whose variables stands for any text.
func hasForm(arn, form string) bool {
	var pattern strings.Builder
	for {
		literal, rest, more := strings.Cut(form, "${")
		pattern.WriteString(literal)
		if !more {
			return glob(pattern.String(), arn)
		}
		pattern.WriteByte('*')
		_, form, _ = strings.Cut(rest, "}")
	}
}
