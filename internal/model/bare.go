package model

import (
	"strings"
	"time"
	"unicode/utf8"

	rbacv1 "k8s.io/api/rbac/v1"
)

// bareAreas are the areas whose objects a bare reading knows, with what is kept of each. They are the ones that make up
// the bulk of a snapshot; of aggregated Roles, which the table does not know, the general way reads the section.
var bareAreas = map[Area]func(*bareReader, any){
	AreaRoles:               func(r *bareReader, to any) { *to.(*[]*Role) = bareList(r, r.role) },
	AreaRoleBindings:        func(r *bareReader, to any) { *to.(*[]*Binding) = bareList(r, r.binding) },
	AreaClusterRoleBindings: func(r *bareReader, to any) { *to.(*[]*Binding) = bareList(r, r.binding) },
	AreaServiceAccounts:     func(r *bareReader, to any) { *to.(*[]*ServiceAccount) = bareList(r, r.serviceAccount) },
	AreaPods:                func(r *bareReader, to any) { *to.(*[]*Pod) = bareList(r, r.pod) },
	AreaWorkloads:           func(r *bareReader, to any) { *to.(*[]*Workload) = bareList(r, r.workload) },
	AreaIAMRoles:            func(r *bareReader, to any) { *to.(*[]*IAMRole) = bareList(r, r.iamRole) },
}

// bareReader reads objects out of a section as Write wrote it: JSON without space between its tokens. It copies nothing.
// Whatever it does not expect makes it give up, and the section is then read in the general way, which says what is wrong.
type bareReader struct {
	s       string
	i       int
	gaveUp  bool
	strings []string // from which lists of strings are cut
}

// readBare decodes the items of a section into a list, and returns false where it gave up.
func readBare(area Area, text string, to any) bool {
	if !utf8.ValidString(text) {
		return false
	}
	r := &bareReader{s: text}
	bareAreas[area](r, to)
	return !r.gaveUp && r.i == len(r.s)
}

// bareList reads an array of objects, whose members it hands to fill.
func bareList[T any](r *bareReader, fill func(*T, string)) []*T {
	list := make([]*T, 0, min(chunk, len(r.s)/64+1))
	var slab []T
	r.array(func() {
		if len(slab) == cap(slab) {
			slab = make([]T, 0, 256)
		}
		slab = append(slab, *new(T))
		item := &slab[len(slab)-1]
		r.object(func(key string) { fill(item, key) })
		list = append(list, item)
	})
	return list
}

func (r *bareReader) meta(m *Meta, key string) bool {
	switch key {
	case "namespace":
		m.Namespace = r.text()
	case "name":
		m.Name = r.text()
	case "owner":
		m.Owner = r.text()
	default:
		return false
	}
	return true
}

func (r *bareReader) role(o *Role, key string) {
	switch key {
	case "rules":
		r.array(func() {
			o.Rules = append(o.Rules, rbacv1.PolicyRule{})
			rule := &o.Rules[len(o.Rules)-1]
			r.object(func(key string) { r.rule(rule, key) })
		})
	case "aggregation":
		r.gaveUp = true
	default:
		r.metaOrSkip(&o.Meta, key)
	}
}

func (r *bareReader) rule(o *rbacv1.PolicyRule, key string) {
	switch key {
	case "verbs":
		o.Verbs = r.texts()
	case "apiGroups":
		o.APIGroups = r.texts()
	case "resources":
		o.Resources = r.texts()
	case "resourceNames":
		o.ResourceNames = r.texts()
	case "nonResourceURLs":
		o.NonResourceURLs = r.texts()
	default:
		r.skip()
	}
}

func (r *bareReader) binding(o *Binding, key string) {
	switch key {
	case "roleRef":
		r.object(func(key string) {
			switch key {
			case "kind":
				o.RoleRef.Kind = r.text()
			case "name":
				o.RoleRef.Name = r.text()
			case "apiGroup":
				o.RoleRef.APIGroup = r.text()
			default:
				r.skip()
			}
		})
	case "subjects":
		r.array(func() {
			o.Subjects = append(o.Subjects, rbacv1.Subject{})
			s := &o.Subjects[len(o.Subjects)-1]
			r.object(func(key string) { r.subject(s, key) })
		})
	default:
		r.metaOrSkip(&o.Meta, key)
	}
}

func (r *bareReader) subject(o *rbacv1.Subject, key string) {
	switch key {
	case "kind":
		o.Kind = r.text()
	case "name":
		o.Name = r.text()
	case "namespace":
		o.Namespace = r.text()
	case "apiGroup":
		o.APIGroup = r.text()
	default:
		r.skip()
	}
}

func (r *bareReader) serviceAccount(o *ServiceAccount, key string) {
	if key == "automount" {
		o.Automount = r.boolean()
		return
	}
	r.metaOrSkip(&o.Meta, key)
}

func (r *bareReader) pod(o *Pod, key string) {
	if key == "phase" {
		o.Phase = r.text()
	} else if !r.podSpec(&o.PodSpec, key) {
		r.metaOrSkip(&o.Meta, key)
	}
}

func (r *bareReader) workload(o *Workload, key string) {
	if key == "kind" {
		o.Kind = r.text()
	} else if !r.podSpec(&o.PodSpec, key) {
		r.metaOrSkip(&o.Meta, key)
	}
}

func (r *bareReader) podSpec(o *PodSpec, key string) bool {
	switch key {
	case "serviceAccount":
		o.ServiceAccount = r.text()
	case "automount":
		o.Automount = r.boolean()
	case "nodeName":
		o.NodeName = r.text()
	case "volumes":
		r.array(func() {
			var v Volume
			r.object(func(key string) { r.volume(&v, key) })
			if len(v.Tokens) > 0 {
				o.Volumes = append(o.Volumes, v)
			}
		})
	default:
		return false
	}
	return true
}

func (r *bareReader) volume(o *Volume, key string) {
	if key != "tokens" {
		r.skip()
		return
	}
	r.array(func() {
		var t TokenProjection
		r.object(func(key string) {
			if key == "audience" {
				t.Audience = r.text()
			} else {
				r.skip()
			}
		})
		o.Tokens = append(o.Tokens, t)
	})
}

func (r *bareReader) iamRole(o *IAMRole, key string) {
	switch key {
	case "arn":
		o.ARN = r.text()
	case "id":
		o.ID = r.text()
	case "name":
		o.Name = r.text()
	case "instanceProfiles":
		o.InstanceProfiles = r.texts()
	case "created":
		t, err := time.Parse(time.RFC3339Nano, r.text())
		o.Created = t
		r.gaveUp = r.gaveUp || err != nil
	default:
		r.skip()
	}
}

func (r *bareReader) metaOrSkip(m *Meta, key string) {
	if !r.meta(m, key) {
		r.skip()
	}
}

// take steps over a character that must come next.
func (r *bareReader) take(c byte) bool {
	if r.i < len(r.s) && r.s[r.i] == c {
		r.i++
		return true
	}
	return false
}

// object hands each member's name to a function that reads its value.
func (r *bareReader) object(member func(key string)) {
	if !r.take('{') {
		r.gaveUp = true
		return
	}
	for first := true; !r.gaveUp && !r.take('}'); first = false {
		if !first && !r.take(',') {
			r.gaveUp = true
			return
		}
		key := r.text()
		if !r.take(':') {
			r.gaveUp = true
			return
		}
		member(key)
	}
}

// array calls a function that reads each item.
func (r *bareReader) array(item func()) {
	if !r.take('[') {
		r.gaveUp = true
		return
	}
	for first := true; !r.gaveUp && !r.take(']'); first = false {
		if !first && !r.take(',') {
			r.gaveUp = true
			return
		}
		item()
	}
}

// text reads a string of plain characters; any other is left to the general way.
func (r *bareReader) text() string {
	if !r.take('"') {
		r.gaveUp = true
		return ""
	}
	n := strings.IndexByte(r.s[r.i:], '"')
	if n < 0 {
		r.gaveUp = true
		return ""
	}
	s := r.s[r.i : r.i+n]
	for i := range len(s) {
		if s[i] < ' ' || s[i] == '\\' {
			r.gaveUp = true
		}
	}
	r.i += n + 1
	return s
}

// texts reads a list of strings. It is cut from a larger one, so that not each is allocated by itself.
func (r *bareReader) texts() []string {
	from := len(r.strings)
	r.array(func() {
		if len(r.strings) == cap(r.strings) {
			more := make([]string, 0, max(1024, 2*(len(r.strings)-from)))
			r.strings, from = append(more, r.strings[from:]...), 0
		}
		r.strings = append(r.strings, r.text())
	})
	return r.strings[from:len(r.strings):len(r.strings)]
}

func (r *bareReader) boolean() *bool {
	yes := strings.HasPrefix(r.s[r.i:], "true")
	switch {
	case yes:
		r.i += len("true")
	case strings.HasPrefix(r.s[r.i:], "false"):
		r.i += len("false")
	default:
		r.gaveUp = true
	}
	return &yes
}

// skip steps over a value of any kind.
func (r *bareReader) skip() {
	for depth := 0; r.i < len(r.s); {
		switch r.s[r.i] {
		case '"':
			r.skipString()
		case '{', '[':
			depth++
			r.i++
			continue
		case '}', ']':
			depth--
			r.i++
		case ',', ':':
			r.i++
			continue
		default:
			for r.i < len(r.s) && !strings.ContainsRune(`,:]}"`, rune(r.s[r.i])) {
				r.i++
			}
		}
		if depth == 0 || r.gaveUp {
			return
		}
	}
	r.gaveUp = true
}

func (r *bareReader) skipString() {
	for r.i++; ; {
		n := strings.IndexByte(r.s[r.i:], '"')
		if n < 0 {
			r.gaveUp = true
			return
		}
		end := r.i + n
		r.i = end + 1
		back := end
		for r.s[back-1] == '\\' {
			back--
		}
		if (end-back)%2 == 0 {
			return
		}
	}
}
