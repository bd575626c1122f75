package plan

import (
	"fmt"
	"reflect"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"pgregory.net/rapid"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// The small world of these tests: few names, so that changes and objects meet, some of them hostile.
var (
	clusterIDs = []string{"arn:aws:eks:us-east-1:111122223333:cluster/lab", "bare", "twin", "absent"}
	roleARNs   = []string{
		"arn:aws:iam::111122223333:role/team/a", "arn:aws:iam::111122223333:role/b", "arn:aws:iam::444455556666:role/c",
		"arn:aws:iam::111122223333:role/aws-service-role/eks.amazonaws.com/x",
	}
	principalARNs = append([]string{"arn:aws:iam::111122223333:user/u", "arn:aws:sts::111122223333:assumed-role/a/s", "no arn"}, roleARNs...)
	policyARNs    = []string{"arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", "arn:aws:eks::aws:cluster-access-policy/AmazonEKSAdminPolicy", ""}
	entryTypes    = []string{"", model.EntryStandard, model.EntryEC2Linux, model.EntryFargate, model.EntryEC2, model.EntryHyperpod, "ODD"}
	usernames     = []string{"", "jane", "a:{{SessionName}}", "{{SessionName}}", "system:node:x", "eks:managed"}
	groupNames    = []string{"devs", "ops", "system:masters", ""}
	namespaces    = []string{"shop", "kube-system", "$(reboot)"}
	objectNames   = []string{"default", "web", "--all", "'; rm -rf ~ #"}
	documents     = []model.Document{
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`,
		`{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`, `{"Statement":[]}`, "{", "",
	}
	blocks = []string{
		"- {rolearn: \"arn:aws:iam::111122223333:role/a\", username: jane, groups: [devs]}\n- rolearn: arn:aws:iam::111122223333:role/b\n  username: b\n",
		"[{\"rolearn\": \"arn:aws:iam::111122223333:role/a\", \"groups\": [\"ops\", \"devs\"]}]", "# nobody\n", ": : :", "",
	}
	logTypes    = []string{"api", "audit", "authenticator"}
	annotations = []string{"eks.amazonaws.com/role-arn", "eks.amazonaws.com/audience", "other"}
	subjects    = []rbacv1.Subject{
		{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "jane"},
		{Kind: rbacv1.GroupKind, Name: "system:unauthenticated"},
		{Kind: rbacv1.ServiceAccountKind, Namespace: "shop", Name: "web"},
	}
	ruleSets = [][]rbacv1.PolicyRule{
		nil,
		{},
		{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"secrets"}}},
		{{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}, ResourceNames: []string{}}, {Verbs: []string{"get"}, NonResourceURLs: []string{"/"}}},
	}
)

func pick[T any](t *rapid.T, of []T) T { return rapid.SampledFrom(of).Draw(t, fmt.Sprintf("%T", of)) }

func some[T any](t *rapid.T, of []T) []T {
	return rapid.SliceOfN(rapid.SampledFrom(of), 0, 3).Draw(t, fmt.Sprintf("some %T", of))
}

func maybe(t *rapid.T) bool { return rapid.Bool().Draw(t, "maybe") }

func boolean(t *rapid.T) *bool { return pick(t, []*bool{nil, new(bool), ptr(true)}) }

func ptr[T any](v T) *T { return &v }

func instant(t *rapid.T) time.Time {
	return pick(t, []time.Time{{}, time.Unix(1e9, 0).UTC(), time.Unix(2e9, 0).UTC()})
}

func tags(t *rapid.T) map[string]string {
	return pick(t, []map[string]string{nil, {"team": "a"}, {"a b": "'"}})
}

// distinct draws a list without two items of one key.
func distinct[T any](t *rapid.T, draw func(*rapid.T) (key string, item T)) []T {
	var items []T
	seen := map[string]bool{}
	for range rapid.IntRange(0, 4).Draw(t, "n") {
		if key, item := draw(t); !seen[key] {
			seen[key] = true
			items = append(items, item)
		}
	}
	return items
}

func drawSnapshot(t *rapid.T) *model.Snapshot {
	s := &model.Snapshot{Accounts: []*model.Account{drawAccount(t)}}
	for _, id := range []string{clusterIDs[0], "bare", "twin", "twin"} {
		c := &model.Cluster{Name: id}
		if id == clusterIDs[0] {
			c.Name, c.ARN, c.Account, c.Region = "lab", id, "111122223333", "us-east-1"
		}
		if id != "twin" {
			drawCluster(t, c)
		}
		s.Clusters = append(s.Clusters, c)
	}
	if maybe(t) {
		s.Gaps = []finding.Gap{{Area: string(model.AreaIAMRoles), Account: "111122223333"}}
	}
	return s
}

func drawCluster(t *rapid.T, c *model.Cluster) {
	if maybe(t) {
		c.Description = &model.Description{
			AuthenticationMode: pick(t, []string{"", model.ModeConfigMap, model.ModeAPIConfigMap, model.ModeAPI}), EnabledLogs: some(t, logTypes[:1]),
		}
	}
	if maybe(t) {
		c.LogGroup = &model.LogGroup{Name: "/aws/eks/lab/cluster", RetentionDays: pick(t, []int{0, 7, 365})}
	}
	c.AccessEntries = distinct(t, func(t *rapid.T) (string, *model.AccessEntry) {
		e := &model.AccessEntry{PrincipalARN: pick(t, principalARNs), Type: pick(t, entryTypes), Username: pick(t, usernames), ARN: "arn", Created: instant(t), Tags: tags(t)}
		if maybe(t) {
			e.Groups = some(t, groupNames)
		}
		return e.PrincipalARN, e
	})
	c.PolicyAssociations = distinct(t, func(t *rapid.T) (string, *model.PolicyAssociation) {
		a := &model.PolicyAssociation{PrincipalARN: pick(t, principalARNs), PolicyARN: pick(t, policyARNs[:2]), Scope: drawScope(t), Associated: instant(t)}
		return a.PrincipalARN + a.PolicyARN, a
	})
	c.PodIdentityAssociations = distinct(t, func(t *rapid.T) (string, *model.PodIdentityAssociation) {
		a := &model.PodIdentityAssociation{
			Namespace: pick(t, namespaces), ServiceAccount: pick(t, objectNames), RoleARN: pick(t, roleARNs), TargetRoleARN: pick(t, []string{"", roleARNs[2]}),
			ID: "a-1", ExternalID: "x", DisableSessionTags: maybe(t), Policy: pick(t, []model.Document{"", documents[1]}), OwnerARN: pick(t, []string{"", "", "arn:addon"}), Tags: tags(t),
		}
		return a.Namespace + "/" + a.ServiceAccount, a
	})
	if maybe(t) {
		c.AWSAuth = &model.AWSAuth{Data: pick(t, []map[string]string{nil, {}, {"mapRoles": pick(t, blocks), "mapUsers": pick(t, blocks), "odd": ""}})}
	}
	for _, list := range []*[]*model.Binding{&c.ClusterRoleBindings, &c.RoleBindings} {
		*list = distinct(t, func(t *rapid.T) (string, *model.Binding) {
			b := &model.Binding{RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: pick(t, objectNames)}, Subjects: some(t, subjects)}
			if b.Name, b.UID, b.Labels = pick(t, objectNames), "uid", tags(t); list == &c.RoleBindings {
				b.Namespace = pick(t, namespaces)
			}
			return b.Namespace + "/" + b.Name, b
		})
	}
	for _, list := range []*[]*model.Role{&c.ClusterRoles, &c.Roles} {
		*list = distinct(t, func(t *rapid.T) (string, *model.Role) {
			r := &model.Role{Rules: pick(t, ruleSets)}
			if r.Name = pick(t, objectNames); list == &c.Roles {
				r.Namespace = pick(t, namespaces)
			} else if maybe(t) {
				r.Aggregation = &rbacv1.AggregationRule{}
			}
			return r.Namespace + "/" + r.Name, r
		})
	}
	c.ServiceAccounts = distinct(t, func(t *rapid.T) (string, *model.ServiceAccount) {
		sa := &model.ServiceAccount{Automount: boolean(t)}
		sa.Namespace, sa.Name = pick(t, namespaces), pick(t, objectNames)
		if maybe(t) {
			sa.UID, sa.Annotations = "uid", map[string]string{pick(t, annotations): "v"}
		}
		return sa.Namespace + "/" + sa.Name, sa
	})
	c.Workloads = distinct(t, func(t *rapid.T) (string, *model.Workload) {
		w := &model.Workload{Kind: pick(t, []string{"Deployment", "Job", "CronJob"})}
		w.Namespace, w.Name, w.Automount = pick(t, namespaces), pick(t, objectNames), boolean(t)
		w.Owner = pick(t, []string{"", "", "deployment/x"})
		return w.Namespace + "/" + w.Kind + w.Name, w
	})
}

func drawAccount(t *rapid.T) *model.Account {
	a := &model.Account{ID: "111122223333"}
	if maybe(t) {
		a.MarkRead(model.AreaIAMRoles, model.AreaIAMUsers)
	}
	inline := func() []model.InlinePolicy {
		return distinct(t, func(t *rapid.T) (string, model.InlinePolicy) {
			p := model.InlinePolicy{Name: pick(t, objectNames), Document: pick(t, documents)}
			return p.Name, p
		})
	}
	attached := func() []string {
		return distinct(t, func(t *rapid.T) (string, string) { p := pick(t, policyARNs); return p, p })
	}
	a.Roles = distinct(t, func(t *rapid.T) (string, *model.IAMRole) {
		r := &model.IAMRole{ARN: pick(t, roleARNs), Trust: pick(t, documents), Created: instant(t), Attached: attached(), Inline: inline()}
		return r.ARN, r
	})
	if maybe(t) {
		a.Users = []*model.IAMUser{{ARN: principalARNs[0], Attached: attached(), Inline: inline()}}
	}
	return a
}

func drawScope(t *rapid.T) model.AccessScope {
	return pick(t, []model.AccessScope{{Type: model.ScopeCluster}, {Type: model.ScopeNamespace, Namespaces: []string{"shop", "dev-*"}}, {Type: model.ScopeNamespace}, {}})
}

// drawChange draws a change of one type, whose fields meet the snapshot now and then.
func drawChange(t *rapid.T, like Change, s *model.Snapshot) Change {
	id := pick(t, append([]string{clusterIDs[0], clusterIDs[0], clusterIDs[0], clusterIDs[0]}, clusterIDs...))
	k := &model.Cluster{}
	for _, c := range s.Clusters {
		if c.ID() == id {
			k = c
		}
	}
	if met := meet(t, like, k, id, s.Accounts[0]); met != nil {
		return met
	}
	for _, draw := range []func(*rapid.T, Change, *model.Cluster, string) Change{drawEKS, drawKubernetes, drawIAM} {
		if c := draw(t, like, k, id); c != nil {
			return c
		}
	}
	t.Fatalf("the test does not know %T", like)
	return nil
}

func drawEKS(t *rapid.T, like Change, _ *model.Cluster, id string) Change {
	name := pick(t, objectNames)
	switch like.(type) {
	case CreateAccessEntry:
		c := CreateAccessEntry{Cluster: id, PrincipalARN: pick(t, principalARNs), Type: pick(t, entryTypes), Username: pick(t, usernames), Tags: tags(t)}
		if maybe(t) {
			c.Groups = some(t, groupNames)
		}
		return c
	case UpdateAccessEntry:
		c := UpdateAccessEntry{Cluster: id, PrincipalARN: pick(t, principalARNs), Username: pick(t, usernames)}
		if maybe(t) {
			c.Groups = some(t, groupNames)
		}
		return c
	case DeleteAccessEntry:
		return DeleteAccessEntry{id, pick(t, principalARNs)}
	case AssociateAccessPolicy:
		return AssociateAccessPolicy{id, pick(t, principalARNs), pick(t, policyARNs[:2]), drawScope(t)}
	case DisassociateAccessPolicy:
		return DisassociateAccessPolicy{id, pick(t, principalARNs), pick(t, policyARNs[:2])}
	case SetAuthenticationMode:
		return SetAuthenticationMode{id, pick(t, []string{model.ModeConfigMap, model.ModeAPIConfigMap, model.ModeAPI, "ODD"})}
	case UpdateClusterLogging:
		return UpdateClusterLogging{id, some(t, logTypes), some(t, logTypes)}
	case SetLogRetention:
		return SetLogRetention{id, pick(t, []string{"/aws/eks/lab/cluster", "other"}), pick(t, []int{-1, 0, 7, 90, 400})}
	case CreatePodIdentityAssociation:
		return CreatePodIdentityAssociation{
			Cluster: id, Namespace: pick(t, namespaces), ServiceAccount: name, RoleARN: pick(t, principalARNs), TargetRoleARN: pick(t, []string{"", roleARNs[2]}),
			DisableSessionTags: maybe(t), Policy: pick(t, documents), Tags: tags(t),
		}
	case UpdatePodIdentityAssociation:
		return UpdatePodIdentityAssociation{
			Cluster: id, Namespace: pick(t, namespaces), ServiceAccount: name, ID: pick(t, []string{"", "a-1", "a-2"}), RoleARN: pick(t, []string{"", roleARNs[0], roleARNs[1]}),
			TargetRoleARN: pick(t, []string{"", roleARNs[2]}), DisableSessionTags: boolean(t), Policy: pick(t, documents),
		}
	case DeletePodIdentityAssociation:
		return DeletePodIdentityAssociation{id, pick(t, namespaces), name, pick(t, []string{"", "a-1", "a-2"})}
	}
	return nil
}

func drawKubernetes(t *rapid.T, like Change, k *model.Cluster, id string) Change {
	namespace, name := pick(t, namespaces), pick(t, objectNames)
	if maybe(t) {
		namespace = ""
	}
	switch like.(type) {
	case RemoveAWSAuthRow:
		c := RemoveAWSAuthRow{Cluster: id, Kind: authenticator.KindRole, Index: rapid.IntRange(-1, 2).Draw(t, "index"), ARN: "arn:aws:iam::111122223333:role/b", Username: "b"}
		if k.AWSAuth != nil && maybe(t) {
			if row := authenticator.ParseConfigMap(k.AWSAuth.Data).Row(authenticator.RowRef{Kind: c.Kind, Index: c.Index}); row != nil {
				c.ARN, c.Username, c.Groups = row.Written.ARN, row.Written.Username, row.Written.Groups
			}
		}
		return c
	case PutAWSAuth:
		c := PutAWSAuth{Cluster: id, After: map[string]string{}}
		for _, key := range append([]string{"odd"}, awsAuthBlocks...) {
			if k.AWSAuth != nil && maybe(t) {
				if text, ok := k.AWSAuth.Data[key]; ok {
					c.Before = made(c.Before)
					c.Before[key] = text
				}
			}
			if maybe(t) && key != "odd" {
				c.After[key] = pick(t, blocks)
			}
		}
		return c
	case CreateBinding:
		return CreateBinding{Cluster: id, Namespace: namespace, Name: name, Labels: tags(t), RoleRef: rbacv1.RoleRef{Kind: pick(t, []string{"Role", "ClusterRole"}), Name: "x"}, Subjects: some(t, subjects)}
	case DeleteBinding:
		return DeleteBinding{id, namespace, name}
	case AddSubject:
		return AddSubject{id, namespace, name, rapid.IntRange(-1, 3).Draw(t, "index"), pick(t, subjects)}
	case RemoveSubject:
		return RemoveSubject{id, namespace, name, rapid.IntRange(-1, 3).Draw(t, "index"), pick(t, subjects)}
	case PutRoleRules:
		return PutRoleRules{id, namespace, name, pick(t, ruleSets), pick(t, ruleSets)}
	case CreateServiceAccount:
		return CreateServiceAccount{id, pick(t, namespaces), name}
	case DeleteServiceAccount:
		return DeleteServiceAccount{id, pick(t, namespaces), name}
	case AnnotateServiceAccount:
		return AnnotateServiceAccount{id, pick(t, namespaces), name, pick(t, annotations), pick(t, []string{"v", "w", ""})}
	case UnannotateServiceAccount:
		return UnannotateServiceAccount{id, pick(t, namespaces), name, pick(t, annotations)}
	case SetAutomount:
		kind := pick(t, []string{"ServiceAccount", "Workload", "Pod"})
		if kind == "Workload" {
			name = pick(t, []string{"deployment/", "cronjob/", "job/", "odd"}) + name
		}
		return SetAutomount{id, kind, pick(t, namespaces), name, boolean(t)}
	}
	return nil
}

func drawIAM(t *rapid.T, like Change, _ *model.Cluster, _ string) Change {
	name := pick(t, objectNames)
	switch like.(type) {
	case AttachPolicy:
		return AttachPolicy{pick(t, principalARNs), pick(t, policyARNs)}
	case DetachPolicy:
		return DetachPolicy{pick(t, principalARNs), pick(t, policyARNs)}
	case PutInlinePolicy:
		return PutInlinePolicy{pick(t, principalARNs), name, pick(t, documents), pick(t, documents)}
	case DeleteInlinePolicy:
		return DeleteInlinePolicy{pick(t, principalARNs), name}
	case UpdateTrustPolicy:
		return UpdateTrustPolicy{pick(t, principalARNs), pick(t, documents), pick(t, documents)}
	}
	return nil
}

// meet draws a change that is about something in the cluster, where changes at random would seldom be.
func meet(t *rapid.T, like Change, k *model.Cluster, id string, a *model.Account) Change {
	if maybe(t) {
		return nil
	}
	bindings := append(append([]*model.Binding{}, k.ClusterRoleBindings...), k.RoleBindings...)
	roles := append(append([]*model.Role{}, k.ClusterRoles...), k.Roles...)
	switch like.(type) {
	case UpdateAccessEntry:
		if len(k.AccessEntries) > 0 {
			return UpdateAccessEntry{id, pick(t, k.AccessEntries).PrincipalARN, some(t, groupNames[:2]), pick(t, usernames[:3])}
		}
	case DeleteAccessEntry:
		if len(k.AccessEntries) > 0 {
			return DeleteAccessEntry{id, pick(t, k.AccessEntries).PrincipalARN}
		}
	case RemoveAWSAuthRow:
		if k.AWSAuth != nil {
			if rows := authenticator.ParseConfigMap(k.AWSAuth.Data).Rows; len(rows) > 0 {
				r := pick(t, rows)
				return RemoveAWSAuthRow{id, r.Kind, r.Index, r.Written.ARN, r.Written.Username, r.Written.Groups}
			}
		}
	case UpdateTrustPolicy, DetachPolicy, DeleteInlinePolicy, PutInlinePolicy:
		if len(a.Roles) == 0 {
			return nil
		}
		r := pick(t, a.Roles)
		switch {
		case reflect.TypeOf(like) == reflect.TypeFor[UpdateTrustPolicy]():
			return UpdateTrustPolicy{r.ARN, r.Trust, pick(t, documents)}
		case reflect.TypeOf(like) == reflect.TypeFor[DetachPolicy]() && len(r.Attached) > 0:
			return DetachPolicy{r.ARN, pick(t, r.Attached)}
		case reflect.TypeOf(like) == reflect.TypeFor[DeleteInlinePolicy]() && len(r.Inline) > 0:
			return DeleteInlinePolicy{r.ARN, pick(t, r.Inline).Name}
		case reflect.TypeOf(like) == reflect.TypeFor[PutInlinePolicy]() && len(r.Inline) > 0:
			p := pick(t, r.Inline)
			return PutInlinePolicy{r.ARN, p.Name, p.Document, pick(t, documents)}
		}
	case DeletePodIdentityAssociation, UpdatePodIdentityAssociation:
		if len(k.PodIdentityAssociations) > 0 {
			a := pick(t, k.PodIdentityAssociations)
			if like == Change(DeletePodIdentityAssociation{}) {
				return DeletePodIdentityAssociation{id, a.Namespace, a.ServiceAccount, a.ID}
			}
			return UpdatePodIdentityAssociation{Cluster: id, Namespace: a.Namespace, ServiceAccount: a.ServiceAccount, DisableSessionTags: boolean(t), TargetRoleARN: pick(t, []string{"", roleARNs[2]})}
		}
	case DisassociateAccessPolicy:
		if len(k.PolicyAssociations) > 0 {
			a := pick(t, k.PolicyAssociations)
			return DisassociateAccessPolicy{id, a.PrincipalARN, a.PolicyARN}
		}
	case AddSubject, RemoveSubject, DeleteBinding:
		if len(bindings) > 0 {
			b, i := pick(t, bindings), rapid.IntRange(0, 2).Draw(t, "place")
			switch {
			case like == Change(DeleteBinding{}):
				return DeleteBinding{id, b.Namespace, b.Name}
			case like == Change(AddSubject{}):
				return AddSubject{id, b.Namespace, b.Name, i, pick(t, subjects)}
			case i < len(b.Subjects):
				return RemoveSubject{id, b.Namespace, b.Name, i, b.Subjects[i]}
			}
		}
	case PutRoleRules:
		if len(roles) > 0 {
			r := pick(t, roles)
			return PutRoleRules{id, r.Namespace, r.Name, r.Rules, pick(t, ruleSets)}
		}
	case AnnotateServiceAccount, UnannotateServiceAccount, SetAutomount, DeleteServiceAccount:
		if len(k.ServiceAccounts) > 0 {
			sa := pick(t, k.ServiceAccounts)
			switch like.(type) {
			case AnnotateServiceAccount:
				return AnnotateServiceAccount{id, sa.Namespace, sa.Name, annotations[0], "w"}
			case UnannotateServiceAccount:
				return UnannotateServiceAccount{id, sa.Namespace, sa.Name, annotations[0]}
			case DeleteServiceAccount:
				return DeleteServiceAccount{id, sa.Namespace, sa.Name}
			}
			return SetAutomount{id, "ServiceAccount", sa.Namespace, sa.Name, boolean(t)}
		}
	}
	return nil
}

func made(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
