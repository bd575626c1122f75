package model

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"drawbridge/internal/finding"
)

// rich has in every area that a bare reading knows an object with everything that a source fills in.
func rich() *Snapshot {
	yes, no := true, false
	full := func(n string) Meta {
		return Meta{
			Namespace: "a", Name: n, UID: "u", Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Labels: map[string]string{"l": `"{[\`}, Annotations: map[string]string{"x": "y"},
			Owner: "replicaset/r", At: At{&finding.Location{File: "f.yaml", Line: 3}},
		}
	}
	spec := PodSpec{
		ServiceAccount: "s", Automount: &no, NodeName: "n", NodeSelector: map[string]string{"k": "v"}, HostNetwork: true,
		Containers: []Container{{Name: "c", Env: []EnvVar{{Name: "E", From: "secret/s/k"}}}},
		Volumes:    []Volume{{Name: "v", Secret: "s"}, {Name: "t", Tokens: []TokenProjection{{Audience: "x", Path: "p"}, {}}}, {Name: "h", HostPath: "/"}},
	}
	c := &Cluster{
		Name: "prod", Account: "111122223333",
		Roles: []*Role{
			{Meta: full("r"), Rules: []rbacv1.PolicyRule{{Verbs: []string{"get", "list"}, APIGroups: []string{""}, Resources: []string{"pods"}, ResourceNames: []string{"x"}}, {Verbs: []string{"get"}, NonResourceURLs: []string{"/x/*"}}, {}}},
			{Meta: Meta{Namespace: "a", Name: "none"}, Rules: []rbacv1.PolicyRule{}},
		},
		RoleBindings:        []*Binding{{Meta: full("b"), RoleRef: rbacv1.RoleRef{APIGroup: "g", Kind: "Role", Name: "r"}, Subjects: []rbacv1.Subject{{Kind: "User", APIGroup: "g", Name: "u"}, {Kind: "ServiceAccount", Name: "s", Namespace: "n"}}}},
		ClusterRoleBindings: []*Binding{{Meta: Meta{Name: "ünï"}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "r"}}},
		ServiceAccounts:     []*ServiceAccount{{Meta: full("s"), Automount: &yes}, {Meta: Meta{Namespace: "b", Name: "t"}}},
		Pods:                []*Pod{{Meta: full("p"), PodSpec: spec, Phase: "Running", Started: time.Now().UTC()}},
		Workloads:           []*Workload{{Meta: full("w"), Kind: "Deployment", TemplateLabels: map[string]string{"a": "b"}, PodSpec: spec}},
		Namespaces:          []*Namespace{{Meta: full("n")}},
	}
	c.MarkRead(AreaRoles, AreaRoleBindings, AreaClusterRoleBindings, AreaServiceAccounts, AreaPods, AreaWorkloads, AreaNamespaces)
	a := &Account{ID: "111122223333", Roles: []*IAMRole{{
		ARN: "arn:aws:iam::111122223333:role/x", ID: "AROA", Name: "x", Created: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Trust: `{"Statement":[{"Effect":"Allow"}]}`,
		Inline: []InlinePolicy{{Name: "i", Document: `{}`}}, Attached: []string{"arn"}, Boundary: "b", InstanceProfiles: []string{"p"}, Tags: map[string]string{"k": "v"},
	}}}
	a.MarkRead(AreaIAMRoles)
	return &Snapshot{Clusters: []*Cluster{c}, Accounts: []*Account{a}}
}

// strip leaves of a snapshot what ReadBare says that it reads.
func strip(s *Snapshot) {
	meta := func(m *Meta) { *m = Meta{Namespace: m.Namespace, Name: m.Name, Owner: m.Owner} }
	spec := func(p *PodSpec) {
		*p = PodSpec{ServiceAccount: p.ServiceAccount, Automount: p.Automount, NodeName: p.NodeName, Volumes: p.Volumes}
		p.Volumes = slices.DeleteFunc(slices.Clone(p.Volumes), func(v Volume) bool { return len(v.Tokens) == 0 })
		if len(p.Volumes) == 0 {
			p.Volumes = nil
		}
		for i, v := range p.Volumes {
			p.Volumes[i] = Volume{Tokens: slices.Clone(v.Tokens)}
			for j, t := range p.Volumes[i].Tokens {
				p.Volumes[i].Tokens[j] = TokenProjection{Audience: t.Audience}
			}
		}
	}
	for _, c := range s.Clusters {
		for _, r := range c.Roles {
			meta(&r.Meta)
		}
		for _, b := range slices.Concat(c.RoleBindings, c.ClusterRoleBindings) {
			meta(&b.Meta)
		}
		for _, a := range c.ServiceAccounts {
			meta(&a.Meta)
		}
		for _, p := range c.Pods {
			meta(&p.Meta)
			spec(&p.PodSpec)
			p.Started = time.Time{}
		}
		for _, w := range c.Workloads {
			meta(&w.Meta)
			spec(&w.PodSpec)
			w.TemplateLabels, w.TemplateAnnotations = nil, nil
		}
	}
	for _, a := range s.Accounts {
		for i, r := range a.Roles {
			a.Roles[i] = &IAMRole{ARN: r.ARN, ID: r.ID, Name: r.Name, Created: r.Created, InstanceProfiles: r.InstanceProfiles}
		}
	}
}

func TestReadBare(t *testing.T) {
	t.Parallel()
	for n, s := range map[string]*Snapshot{"rich": rich(), "large": sample()} {
		t.Run(n, func(t *testing.T) {
			t.Parallel()
			text := encode(t, s)
			want, err := Read(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			strip(want)
			got, err := ReadBare(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-whole, stripped +bare):\n%s", diff)
			}
		})
	}
}

// TestReadBareOtherwise: what Write would not have written is read whole, or refused as well.
func TestReadBareOtherwise(t *testing.T) {
	t.Parallel()
	s := rich()
	s.Clusters[0].Roles[0].Aggregation = &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{"a": "b"}}}}
	text := string(encode(t, s))
	for n, in := range map[string]string{
		"aggregated":     text,
		"escaped name":   strings.ReplaceAll(text, `"name":"r"`, `"name":"\u0072"`),
		"space":          strings.ReplaceAll(text, `"name":"b"`, `"name": "b"`),
		"another member": strings.ReplaceAll(text, `]},`+"\n", `],"later":[1]},`+"\n"),
		"null item":      strings.ReplaceAll(text, `"items":[{"namespace":"a","name":"b"`, `"items":[null,{"namespace":"a","name":"b"`),
		"wrong type":     strings.ReplaceAll(text, `"name":"b"`, `"name":7`),
		"bad time":       strings.ReplaceAll(text, `"created":"2026-01-02T03:04:05.000000006Z"`, `"created":"yesterday"`),
		"bad UTF-8":      strings.ReplaceAll(text, `"name":"b"`, "\"name\":\"\xff\""),
		"cut off":        text[:len(text)/2],
	} {
		t.Run(n, func(t *testing.T) {
			t.Parallel()
			if in == text && n != "aggregated" {
				t.Fatal("nothing was changed")
			}
			want, wantErr := Read(strings.NewReader(in))
			got, err := ReadBare(strings.NewReader(in))
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("%v, want %v", err, wantErr)
			}
			if err != nil {
				return
			}
			for _, s := range []*Snapshot{want, got} {
				strip(s)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-whole +bare):\n%s", diff)
			}
		})
	}
}

// FuzzReadBare: nothing that a file may hold is read otherwise than whole, as far as it can be read whole.
func FuzzReadBare(f *testing.F) {
	s := rich()
	for _, line := range bytes.Split(encode(f, s), []byte("\n")) {
		if _, _, _, items, ok := sectionOf(bytes.TrimSuffix(line, []byte(","))); ok {
			f.Add(items)
		}
	}
	f.Fuzz(func(t *testing.T, items []byte) {
		for area := range bareAreas {
			info, _ := area.Info()
			c, a := &Cluster{}, &Account{}
			field := func() any {
				if info.OfAccount {
					return info.ofAccount(a)
				}
				return info.ofCluster(c)
			}
			if !readBare(area, string(items), field()) {
				continue
			}
			got := Snapshot{Clusters: []*Cluster{c}, Accounts: []*Account{a}}
			c, a = &Cluster{}, &Account{}
			if err := json.Unmarshal(items, field()); err != nil {
				continue
			}
			want := Snapshot{Clusters: []*Cluster{c}, Accounts: []*Account{a}}
			for _, role := range c.Roles {
				if role == nil {
					t.Fatalf("%s: null was read as something", area)
				}
			}
			strip(&want)
			strip(&got)
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s (-whole +bare):\n%s", area, diff)
			}
		}
	})
}
