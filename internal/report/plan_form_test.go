package report

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	gocmp "github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
	"pgregory.net/rapid"

	"drawbridge/internal/access"
	"drawbridge/internal/authenticator"
	"drawbridge/internal/migrate"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// written is what a form says of the clusters, as plain values that every form is read back into.
type written struct {
	Entries      []model.AccessEntry
	Policies     []writtenPolicy
	Associations []writtenAssociation
}

type writtenPolicy struct {
	Cluster string
	model.PolicyAssociation
}

type writtenAssociation struct {
	Cluster string
	model.PodIdentityAssociation
}

// entry adds an access entry; ARN holds its cluster. A username that is not written is EKS's.
func (w *written) entry(cluster string, e model.AccessEntry) {
	if e.Username == "" && !e.IsNode() {
		e.Username, _ = authenticator.DefaultUsername(model.EntryStandard, e.PrincipalARN)
	}
	e.ARN = cluster
	e.Groups = slices.Sorted(slices.Values(e.Groups)) // a set
	w.Entries = append(w.Entries, e)
}

func (w *written) policy(cluster string, a model.PolicyAssociation) {
	a.Scope.Namespaces = slices.Sorted(slices.Values(a.Scope.Namespaces)) // a set
	w.Policies = append(w.Policies, writtenPolicy{cluster, a})
}

func (w *written) association(cluster string, a model.PodIdentityAssociation) {
	w.Associations = append(w.Associations, writtenAssociation{cluster, a})
}

func (w *written) sorted() *written {
	slices.SortFunc(w.Entries, func(a, b model.AccessEntry) int {
		return cmp.Or(strings.Compare(a.ARN, b.ARN), strings.Compare(a.PrincipalARN, b.PrincipalARN))
	})
	slices.SortFunc(w.Policies, func(a, b writtenPolicy) int {
		return cmp.Or(strings.Compare(a.Cluster, b.Cluster), strings.Compare(a.PrincipalARN, b.PrincipalARN), strings.Compare(a.PolicyARN, b.PolicyARN))
	})
	slices.SortFunc(w.Associations, func(a, b writtenAssociation) int {
		return cmp.Or(strings.Compare(a.Cluster, b.Cluster), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.ServiceAccount, b.ServiceAccount))
	})
	return w
}

// wanted is what a form has to say: what the migration leaves behind, of what it is about.
func wanted(r *migrate.Result, tool string) *written {
	w := &written{}
	for _, c := range r.After.Clusters {
		if r.Migration == migrationPods {
			for _, a := range c.PodIdentityAssociations {
				p := model.PodIdentityAssociation{
					Namespace: valid(a.Namespace), ServiceAccount: valid(a.ServiceAccount), RoleARN: valid(a.RoleARN), TargetRoleARN: valid(a.TargetRoleARN),
					DisableSessionTags: a.DisableSessionTags, Policy: model.Document(canonical(string(a.Policy))), Tags: validMap(a.Tags),
				}
				w.association(valid(c.Name), p)
			}
			continue
		}
		for _, e := range c.AccessEntries {
			if strings.Contains(e.PrincipalARN, ":role/aws-service-role/") {
				continue
			}
			entry := model.AccessEntry{PrincipalARN: valid(e.PrincipalARN), Type: e.Type, Tags: validMap(e.Tags)}
			if tool == "eksctl" {
				entry.Tags = nil
			}
			if !e.IsNode() {
				entry.Username = valid(e.Username)
				for _, g := range e.Groups {
					entry.Groups = append(entry.Groups, valid(g))
				}
			}
			w.entry(valid(c.Name), entry)
		}
		for _, a := range c.PolicyAssociations {
			w.policy(valid(c.Name), model.PolicyAssociation{PrincipalARN: valid(a.PrincipalARN), PolicyARN: valid(a.PolicyARN), Scope: a.Scope})
		}
	}
	return w.sorted()
}

// valid is text as any of these languages can hold it.
func valid(s string) string { return string([]rune(s)) }

func validMap(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	out := map[string]string{}
	for k, v := range m {
		out[valid(k)] = valid(v)
	}
	return out
}

// canonical is JSON with its members in order, so that documents can be compared.
func canonical(text string) string {
	var v any
	if text == "" || json.Unmarshal([]byte(text), &v) != nil {
		return valid(text)
	}
	b, _ := json.Marshal(v, json.Deterministic(true))
	return string(b)
}

// readers read each form back.
var readers = map[string]func(string) (*written, error){"terraform": readTerraform, "cloudformation": readCloudFormation, "eksctl": readEksctl}

// TestPlanReread holds every form to the snapshot that the migration leaves behind.
func TestPlanReread(t *testing.T) {
	for name, r := range plans(t) {
		for tool, read := range readers {
			t.Run(name+"/"+tool, func(t *testing.T) {
				got, err := read(renderPlan(t, tool, r, Options{}))
				if err != nil {
					t.Fatal(err)
				}
				want := wanted(r, tool)
				if len(want.Entries)+len(want.Associations) == 0 {
					t.Fatal("nothing to compare")
				}
				if diff := gocmp.Diff(want, got.sorted()); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		}
	}
}

func readTerraform(text string) (*written, error) {
	root, err := hclRead(text)
	if err != nil {
		return nil, err
	}
	w, named, seen := &written{}, map[reference]string{}, map[string]bool{}
	of := func(b *hclBlock, key string) string {
		s, _ := b.values[key].(string)
		return s
	}
	for _, b := range root.blocks {
		if id := strings.Join(b.labels, "."); b.kind == "resource" && seen[id] {
			return nil, fmt.Errorf("two resources %s", id)
		} else {
			seen[id] = true
		}
		switch {
		case b.kind == "resource" && b.labels[0] == "aws_eks_access_entry":
			named[reference("aws_eks_access_entry."+b.labels[1]+".principal_arn")] = of(b, "principal_arn")
			w.entry(of(b, "cluster_name"), model.AccessEntry{
				PrincipalARN: of(b, "principal_arn"), Type: of(b, "type"), Username: of(b, "user_name"), Groups: stringsOf(b.values["kubernetes_groups"]), Tags: tagsOf(b.values["tags"]),
			})
		case b.kind == "resource" && b.labels[0] == "aws_eks_access_policy_association":
			principal, ok := named[b.values["principal_arn"].(reference)]
			if !ok || len(b.blocks) != 1 || b.blocks[0].kind != "access_scope" {
				return nil, fmt.Errorf("association %s has no entry or no scope", b.labels[1])
			}
			w.policy(of(b, "cluster_name"), model.PolicyAssociation{PrincipalARN: principal, PolicyARN: of(b, "policy_arn"), Scope: model.AccessScope{Type: of(b.blocks[0], "type"), Namespaces: stringsOf(b.blocks[0].values["namespaces"])}})
		case b.kind == "resource":
			tagsOff, _ := b.values["disable_session_tags"].(bool)
			w.association(of(b, "cluster_name"), model.PodIdentityAssociation{
				Namespace: of(b, "namespace"), ServiceAccount: of(b, "service_account"), RoleARN: of(b, "role_arn"), TargetRoleARN: of(b, "target_role_arn"),
				DisableSessionTags: tagsOff, Policy: model.Document(canonical(of(b, "policy"))), Tags: tagsOf(b.values["tags"]),
			})
		case b.kind == "import" || b.kind == "provider" || b.kind == "locals":
		default:
			return nil, fmt.Errorf("block %s", b.kind)
		}
	}
	return w, moduleAgrees(root, w)
}

// moduleAgrees holds the module's map to the resources.
func moduleAgrees(root *hclBlock, w *written) error {
	m := &written{}
	for _, b := range root.blocks {
		clusters, ok := b.values[terraformMap].(map[string]any)
		if b.kind != "locals" || !ok {
			continue
		}
		for cluster, entries := range clusters {
			for _, e := range entries.(map[string]any) {
				entry := &hclBlock{values: e.(map[string]any)}
				of := func(key string) string { s, _ := entry.values[key].(string); return s }
				m.entry(cluster, model.AccessEntry{PrincipalARN: of("principal_arn"), Type: of("type"), Username: of("user_name"), Groups: stringsOf(entry.values["kubernetes_groups"]), Tags: tagsOf(entry.values["tags"])})
				policies, _ := entry.values["policy_associations"].(map[string]any)
				for _, p := range policies {
					policy := p.(map[string]any)
					scope := policy["access_scope"].(map[string]any)
					m.policy(cluster, model.PolicyAssociation{PrincipalARN: of("principal_arn"), PolicyARN: policy["policy_arn"].(string), Scope: model.AccessScope{Type: scope["type"].(string), Namespaces: stringsOf(scope["namespaces"])}})
				}
			}
		}
	}
	want := (&written{Entries: slices.Clone(w.Entries), Policies: slices.Clone(w.Policies)}).sorted()
	if diff := gocmp.Diff(want, m.sorted()); diff != "" {
		return fmt.Errorf("the module's map differs from the resources (-resources +map):\n%s", diff)
	}
	return nil
}

func stringsOf(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, s := range list {
		out = append(out, s.(string))
	}
	return out
}

func tagsOf(v any) map[string]string {
	m, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	out := map[string]string{}
	for k, s := range m {
		out[k] = s.(string)
	}
	return out
}

// documents are the documents of a YAML stream.
func documents[T any](text string) ([]T, error) {
	dec := yaml.NewDecoder(strings.NewReader(text))
	var out []T
	for {
		var node any
		if err := dec.Decode(&node); err != nil {
			if err.Error() == "EOF" {
				return out, nil
			}
			return nil, err
		}
		if node == nil {
			continue
		}
		b, err := json.Marshal(node, json.Deterministic(true))
		if err != nil {
			return nil, err
		}
		var v T
		if err := json.Unmarshal(b, &v, json.RejectUnknownMembers(true)); err != nil {
			return nil, fmt.Errorf("%w: %s", err, b)
		}
		out = append(out, v)
	}
}

func readCloudFormation(text string) (*written, error) {
	type resource struct {
		Type, DeletionPolicy, UpdateReplacePolicy string
		Properties                                struct {
			ClusterName, PrincipalArn, Type, Username                 string
			KubernetesGroups                                          []string
			AccessPolicies                                            []cfnPolicy
			Tags                                                      []cfnTag
			Namespace, ServiceAccount, RoleArn, TargetRoleArn, Policy string
			DisableSessionTags                                        bool
		}
	}
	templates, err := documents[struct {
		AWSTemplateFormatVersion, Description string
		Resources                             map[string]resource
	}](text)
	w := &written{}
	for _, template := range templates {
		for _, x := range template.Resources {
			p := x.Properties
			var tags map[string]string
			for _, tag := range p.Tags {
				if tags == nil {
					tags = map[string]string{}
				}
				tags[tag.Key] = tag.Value
			}
			if x.Type == "AWS::EKS::PodIdentityAssociation" {
				w.association(p.ClusterName, model.PodIdentityAssociation{
					Namespace: p.Namespace, ServiceAccount: p.ServiceAccount, RoleARN: p.RoleArn, TargetRoleARN: p.TargetRoleArn,
					DisableSessionTags: p.DisableSessionTags, Policy: model.Document(canonical(p.Policy)), Tags: tags,
				})
				continue
			}
			w.entry(p.ClusterName, model.AccessEntry{PrincipalARN: p.PrincipalArn, Type: p.Type, Username: p.Username, Groups: p.KubernetesGroups, Tags: tags})
			for _, a := range p.AccessPolicies {
				w.policy(p.ClusterName, model.PolicyAssociation{PrincipalARN: p.PrincipalArn, PolicyARN: a.PolicyArn, Scope: model.AccessScope(a.AccessScope)})
			}
		}
	}
	return w, err
}

func readEksctl(text string) (*written, error) {
	configs, err := documents[eksctlConfig](text)
	w := &written{}
	for _, c := range configs {
		if c.AccessConfig != nil {
			for _, e := range c.AccessConfig.AccessEntries {
				w.entry(c.Metadata.Name, model.AccessEntry{PrincipalARN: e.PrincipalARN, Type: e.Type, Username: e.KubernetesUsername, Groups: e.KubernetesGroups})
				for _, p := range e.AccessPolicies {
					w.policy(c.Metadata.Name, model.PolicyAssociation{PrincipalARN: e.PrincipalARN, PolicyARN: p.PolicyARN, Scope: p.AccessScope})
				}
			}
		}
		if c.IAM != nil {
			for _, a := range c.IAM.PodIdentityAssociations {
				w.association(c.Metadata.Name, model.PodIdentityAssociation{
					Namespace: a.Namespace, ServiceAccount: a.ServiceAccountName, RoleARN: a.RoleARN, TargetRoleARN: a.TargetRoleARN,
					DisableSessionTags: a.DisableSessionTags, Policy: model.Document(canonical(a.Policy)), Tags: a.Tags,
				})
			}
		}
	}
	return w, err
}

// TestFormNames has objects whose names look alike: each gets a legal name of its own, the same in whatever order they come.
func TestFormNames(t *testing.T) {
	prod := planCluster1("prod", "eu-central-1", model.ModeAPI)
	c, twin := formCluster{Cluster: prod, label: "prod"}, formCluster{Cluster: prod, label: prod.ARN}
	arns := []string{
		"arn:aws:iam::111122223333:role/dev", "arn:aws:iam::111122223333:role/team/dev", "arn:aws:iam::111122223333:user/dev", "arn:aws:iam::444455556666:role/dev",
		"arn:aws-cn:iam::111122223333:role/dev", "arn:aws:iam::111122223333:role/dev@", "arn:aws:iam::111122223333:role/dev+", "arn:aws:iam::111122223333:role/",
	}
	for tool, n := range map[string]func() *names{"terraform": terraformNames, "cloudformation": func() *names { return &names{illegal: cfnIllegal, legal: cfnName, taken: map[string]string{}} }} {
		given := map[string]string{}
		for _, order := range [][]string{arns, {arns[7], arns[3], arns[0], arns[6], arns[1], arns[5], arns[2], arns[4]}} {
			list := n()
			for _, arn := range order {
				for i, c := range []formCluster{c, twin} {
					name, whole := c.principalName(arn)
					got := list.of(fmt.Sprint(i, arn), whole, c.Name, name)
					if before := given[fmt.Sprint(i, arn)]; before != "" && before != got {
						t.Errorf("%s: %s is %s, and was %s", tool, arn, got, before)
					}
					given[fmt.Sprint(i, arn)] = got
					if n().illegal.MatchString(got) {
						t.Errorf("%s: %s is no name", tool, got)
					}
				}
			}
		}
		seen := map[string]string{}
		for id, name := range given {
			if other := seen[name]; other != "" {
				t.Errorf("%s: %s is %s and %s", tool, name, id, other)
			}
			seen[name] = id
		}
	}
}

// hostilePlan is a migration in which everything that others name has a hostile name.
func hostilePlan() *rapid.Generator[*migrate.Result] {
	return rapid.Custom(func(t *rapid.T) *migrate.Result {
		s := func(name string) string {
			return rapid.OneOf(hostileString(), rapid.SampledFrom([]string{"$(touch canary)", "`touch canary`", "'; touch canary; '", "${x}", "%{ if }", "$${x}", "{{resolve:ssm:x}}", "\nEND\ntouch canary\n", "-x", "--help"})).Draw(t, name)
		}
		c := planCluster1(s("cluster"), "eu-central-1", model.ModeAPIConfigMap)
		other := planCluster1("edge", rapid.SampledFrom([]string{"us-east-1", "eu-central-1"}).Draw(t, "region"), model.ModeAPIConfigMap)
		snapshot := &model.Snapshot{Clusters: []*model.Cluster{c, other}}
		kind := rapid.SampledFrom([]string{migrationEntries, migrationPods}).Draw(t, "kind")
		arn := func(name string) string { return "arn:aws:iam::" + own + ":role/" + s(name) }
		c.AccessEntries = []*model.AccessEntry{{PrincipalARN: arn("existing") + "0", Type: model.EntryStandard, Username: s("username") + "u", Groups: []string{s("g1"), s("g2")}, Tags: map[string]string{s("tag"): s("value")}}}
		c.PolicyAssociations = []*model.PolicyAssociation{{PrincipalARN: c.AccessEntries[0].PrincipalARN, PolicyARN: "arn:aws:eks::aws:cluster-access-policy/" + valid(s("policy")), Scope: model.AccessScope{Type: model.ScopeNamespace, Namespaces: []string{valid(s("scope")), "*"}}}}
		c.PodIdentityAssociations = []*model.PodIdentityAssociation{{ID: s("id"), ARN: s("arn"), Namespace: s("namespace"), ServiceAccount: s("account") + "0", RoleARN: arn("role"), TargetRoleARN: s("target"), Policy: model.Document(s("document")), Tags: map[string]string{s("tag"): s("value")}}}
		id := c.ID()
		changes := plan.Plan{plan.CreateAccessEntry{Cluster: id, PrincipalARN: arn("new") + "1", Username: s("new username"), Groups: []string{"g" + s("new group")}}}
		if kind == migrationPods {
			changes = plan.Plan{plan.CreatePodIdentityAssociation{Cluster: id, Namespace: "n" + s("n"), ServiceAccount: s("s") + "1", RoleARN: arn("r") + "1"}}
		}
		a := access.New(snapshot)
		r, err := migrate.NewResult(kind, snapshot, []*migrate.Migration{{
			Cluster: a.Clusters()[0], Blockers: []string{s("blocker")}, Warnings: []string{s("warning")},
			Phases: []migrate.Phase{{ID: s("phase"), Title: s("title"), Plan: changes, Wait: s("wait")}},
		}, {Cluster: a.Clusters()[1]}})
		if err != nil {
			t.Skip(err) // EKS would refuse such names
		}
		r.Items = append(r.Items, migrate.Item{Cluster: s("item cluster"), Becomes: migrate.Outcome(s("becomes")), Principal: s("principal"), Why: s("why"), Notes: []string{s("note")}, Offers: []string{s("offer")}})
		r.Items[0].Subject.Name = s("subject")
		r.Tool.Version = s("version")
		r.Proof = &migrate.Proof{Gained: []access.Grant{{Identity: access.Identity{Kind: access.KindUser, Name: s("user")}, Scope: s("scope")}}, Witnesses: []string{s("witness")}}
		return r
	})
}

// TestPlanHostile holds every format to being harmless and every form to being read back, whatever things are called.
func TestPlanHostile(t *testing.T) {
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		r := hostilePlan().Draw(t, "plan")
		for _, f := range PlanFormats {
			var out bytes.Buffer
			if err := f.Write(&out, r, Options{Unicode: true}); err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
			text := out.String()
			if err := clean(strings.ReplaceAll(text, "\t", "")); err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
			if read := readers[f.Name]; read != nil {
				got, err := read(text)
				if err != nil {
					t.Fatalf("%s: %v\n%s", f.Name, err, text)
				}
				if f.Name == "cloudformation" && strings.Contains(text, "dynamic reference") {
					continue
				}
				if diff := gocmp.Diff(wanted(r, f.Name), got.sorted()); diff != "" {
					t.Fatalf("%s (-want +got):\n%s\n%s", f.Name, diff, text)
				}
				compared++
			}
		}
	})
	if compared == 0 {
		t.Error("no form was compared")
	}
}
