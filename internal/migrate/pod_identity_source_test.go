package migrate

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
)

// nodesIn lets the cluster's nodes take a role, as kube2iam needs it.
var nodesIn = `{"Effect":"Allow","Principal":{"AWS":"` + role("nodes") + `"},"Action":"sts:AssumeRole"}`

// aged is a cluster that gives role web to workload shop/web by kube2iam, which runs on its nodes. The nodes' role may take it,
// and pods reach that.
func aged() *model.Snapshot {
	s := pods(trustOf(nodesIn))
	c := s.Clusters[0]
	c.ServiceAccounts[0].Annotations = map[string]string{"team": "shop"}
	w := workload()
	w.TemplateAnnotations = map[string]string{kube2iamRole: "web"}
	agent := &model.Workload{Kind: "DaemonSet"}
	agent.Namespace, agent.Name, agent.HostNetwork = "kube-system", "kube2iam", true
	agent.Containers = []model.Container{{Name: "kube2iam", Image: "example.com/mirror/kube2iam:0.11"}}
	c.Workloads = []*model.Workload{w, agent}
	pod := &model.Pod{Phase: "Running"}
	pod.Namespace, pod.Name, pod.Owner, pod.ServiceAccount, pod.NodeName = "shop", "web-1", "deployment/web", "web", "n1"
	c.Pods = []*model.Pod{pod}
	node := &model.Node{ProviderID: "aws:///eu-central-1a/i-0123456789abcdef0"}
	node.Name = "n1"
	c.Nodes = []*model.Node{node}
	c.Instances = []*model.Instance{{ID: "i-0123456789abcdef0", InstanceProfileARN: "arn:aws:iam::" + own + ":instance-profile/nodes", MetadataOptions: model.MetadataOptions{HTTPTokens: "required", HopLimit: 2}}}
	s.Accounts[0].Roles = append(s.Accounts[0].Roles, &model.IAMRole{
		ARN: role("nodes"), Name: "nodes", InstanceProfiles: []string{"arn:aws:iam::" + own + ":instance-profile/nodes"},
		Trust:  trustOf(`{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}`),
		Inline: []model.InlinePolicy{{Name: "kube2iam", Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}`}},
	})
	return s
}

// keyed is a cluster whose workload shop/web has the access keys of user shop, and a role that may do the same.
func keyed() *model.Snapshot {
	s := aged()
	c := s.Clusters[0]
	w := c.Workloads[0]
	w.TemplateAnnotations = nil
	w.Containers = []model.Container{{Name: "web", Env: []model.EnvVar{{Name: "AWS_ACCESS_KEY_ID", From: "secret/aws/id"}, {Name: "AWS_SECRET_ACCESS_KEY", From: "secret/aws/key"}}}}
	c.Workloads, c.Pods = c.Workloads[:1], nil
	web := s.Accounts[0].Roles[0]
	web.Trust = trustOf(podsService)
	s.Accounts[0].Users = []*model.IAMUser{{ARN: "arn:aws:iam::" + own + ":user/shop", Name: "shop", Inline: slices.Clone(web.Inline), Attached: []string{"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"}}}
	return s
}

func grantsOf(grants []access.Grant, of ...*Proof) []string {
	var all []string
	for _, g := range grants {
		all = append(all, g.Identity.String()+" "+g.What())
		for _, p := range of {
			for _, id := range p.AlikeIn(g) {
				all = append(all, id.String()+" "+g.What())
			}
		}
	}
	return all
}

// TestKube2IAM has what becomes of service accounts whose pods name a role for kube2iam or kiam.
func TestKube2IAM(t *testing.T) {
	t.Run("the same role by Pod Identity, and its trust in the nodes goes", func(t *testing.T) {
		r := migratePods(t, aged(), Options{})
		if len(r.Blockers) > 0 {
			t.Fatal(r.Blockers)
		}
		if diff := cmp.Diff([]string{PhaseTrust, PhaseAssociate, PhaseRestart, PhaseUntrust}, phasesOf(r)); diff != "" {
			t.Errorf("phases (-want +got):\n%s", diff)
		}
		trust := string(r.After.Accounts[0].Roles[0].Trust)
		if strings.Contains(trust, role("nodes")) || !strings.Contains(trust, `"aws:RequestTag/kubernetes-service-account":"web"`) {
			t.Errorf("the trust policy is now %s", trust)
		}
		if a := r.After.Clusters[0].PodIdentityAssociations; len(a) != 1 || a[0].RoleARN != role("web") {
			t.Errorf("associations %+v", a)
		}
		if r.Items[0].From != FromKube2IAM || r.Items[0].Becomes != BecomesPodIdentity {
			t.Errorf("item %+v", r.Items[0])
		}
	})
	t.Run("the proof says exactly who gains and loses", func(t *testing.T) {
		r := migratePods(t, aged(), Options{})
		gained := []string{"sa/shop/web s3:GetObject on arn:aws:s3:::shop/*", "deployment/shop/web s3:GetObject on arn:aws:s3:::shop/*"}
		lost := []string{role("nodes") + " sts:AssumeRole on " + role("web"), "sa/shop/web sts:AssumeRole on " + role("web"), "deployment/shop/web sts:AssumeRole on " + role("web")}
		sorted := cmp.Transformer("sorted", func(in []string) []string { return slices.Sorted(slices.Values(in)) })
		if diff := cmp.Diff(gained, grantsOf(r.Proof.Gained), sorted); diff != "" {
			t.Errorf("gained (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(lost, grantsOf(r.Proof.Lost, r.Proof), sorted); diff != "" {
			t.Errorf("lost (-want +got):\n%s", diff)
		}
		for _, p := range r.Proof.Phases {
			if !p.BackEqual {
				t.Errorf("phase %s has no way back", p.ID)
			}
		}
	})
	t.Run("an association that is there already", func(t *testing.T) {
		s := aged()
		s.Accounts[0].Roles[0].Trust = trustOf(nodesIn, podsService)
		s.Clusters[0].PodIdentityAssociations = []*model.PodIdentityAssociation{{Namespace: "shop", ServiceAccount: "web", RoleARN: role("web")}}
		r := migratePods(t, s, Options{})
		if diff := cmp.Diff([]string{PhaseRestart, PhaseUntrust}, phasesOf(r)); diff != "" || r.Items[0].Becomes != Moving {
			t.Errorf("%s: phases (-want +got):\n%s", r.Items[0].Becomes, diff)
		}
	})
	t.Run("a role of another account goes by targetRoleArn", func(t *testing.T) {
		s := abroad(trustOf(podsService))
		old := aged()
		s.Clusters[0].Workloads, s.Clusters[0].Pods, s.Clusters[0].Nodes, s.Clusters[0].Instances = old.Clusters[0].Workloads, old.Clusters[0].Pods, old.Clusters[0].Nodes, old.Clusters[0].Instances
		s.Clusters[0].Workloads[0].TemplateAnnotations[kube2iamRole] = abroadRole
		s.Clusters[0].ServiceAccounts[0].Annotations = nil
		s.Accounts[0].Roles = append(s.Accounts[0].Roles, old.Accounts[0].Roles[1])
		s.Accounts[1].Roles[0].Trust = trustOf(nodesIn)
		r := migratePods(t, s, Options{})
		if a := r.After.Clusters[0].PodIdentityAssociations; len(a) != 1 || a[0].TargetRoleARN != abroadRole || strings.Contains(string(r.After.Accounts[1].Roles[0].Trust), role("nodes")) {
			t.Errorf("blockers %v, associations %+v, trust %s", r.Blockers, a, r.After.Accounts[1].Roles[0].Trust)
		}
	})
	t.Run("its trust in the nodes stays while something else needs it", func(t *testing.T) {
		s := aged()
		other := workload()
		other.Name, other.ServiceAccount, other.TemplateAnnotations = "job", "default", map[string]string{kube2iamRole: role("web")}
		s.Clusters[0].Workloads = append(s.Clusters[0].Workloads, other)
		r := migratePods(t, s, Options{})
		if !strings.Contains(string(r.After.Accounts[0].Roles[0].Trust), role("nodes")) || len(r.After.Clusters[0].PodIdentityAssociations) != 1 {
			t.Errorf("the trust policy is now %s", r.After.Accounts[0].Roles[0].Trust)
		}
	})

	for name, c := range map[string]struct {
		change func(*model.Snapshot)
		is     Outcome
		want   string
	}{
		"the annotation does nothing where IRSA gives a role": {func(s *model.Snapshot) {
			s.Clusters[0].PodIdentityAssociations = []*model.PodIdentityAssociation{{Namespace: "shop", ServiceAccount: "web", RoleARN: role("nodes")}}
		}, Nothing, "the annotation does nothing"},
		"several roles for one service account": {func(s *model.Snapshot) {
			w := workload()
			w.Name, w.TemplateAnnotations = "two", map[string]string{kube2iamRole: "nodes"}
			s.Clusters[0].Workloads = append(s.Clusters[0].Workloads, w)
		}, Blocked, "several roles"},
		"a service account that others run as": {func(s *model.Snapshot) {
			w := workload()
			w.Name = "idle"
			s.Clusters[0].Workloads = append(s.Clusters[0].Workloads, w)
		}, Blocked, "deployment/idle runs as this service account too"},
		"the service account default": {func(s *model.Snapshot) {
			s.Clusters[0].Workloads[0].ServiceAccount, s.Clusters[0].Pods = "", nil
		}, Blocked, "service account of its own, such as web"},
		"a role that is not there": {func(s *model.Snapshot) {
			s.Clusters[0].Workloads[0].TemplateAnnotations[kube2iamRole] = "gone"
		}, Blocked, "does not exist"},
		"no role at all": {func(s *model.Snapshot) {
			s.Clusters[0].Workloads[0].TemplateAnnotations[kube2iamRole] = "arn:aws:s3:::web"
		}, Blocked, "which is no role"},
		"a role that lets nobody in": {func(s *model.Snapshot) {
			s.Accounts[0].Roles[0].Trust = trustOf(podsService)
		}, Blocked, "neither kube2iam nor kiam can take it"},
		"a namespace that kube2iam holds to other roles": {func(s *model.Snapshot) {
			s.Clusters[0].Namespaces = []*model.Namespace{{Meta: model.Meta{Name: "shop", Annotations: map[string]string{"iam.amazonaws.com/allowed-roles": `["else"]`}}}}
		}, Blocked, "allowed-roles"},
		"a namespace that permits kiam nothing": {func(s *model.Snapshot) {
			s.Clusters[0].Workloads[1].Containers[0].Image = "quay.io/uswitch/kiam:v4.2"
			s.Clusters[0].Namespaces = []*model.Namespace{{Meta: model.Meta{Name: "shop"}}}
		}, Blocked, "permitted"},
		"Fargate": {func(s *model.Snapshot) {
			s.Clusters[0].FargateProfiles = []*model.FargateProfile{{Name: "all", Selectors: []model.FargateSelector{{Namespace: "shop"}}}}
		}, Blocked, "Fargate"},
	} {
		t.Run(name, func(t *testing.T) {
			s := aged()
			c.change(s)
			r := migratePods(t, s, Options{})
			i := slices.IndexFunc(r.Items, func(i Item) bool { return i.From == FromKube2IAM })
			if i < 0 || r.Items[i].Becomes != c.is || !strings.Contains(r.Items[i].Why, c.want) {
				t.Errorf("%+v, want %s (… %s …)", r.Items, c.is, c.want)
			}
			if len(r.Steps) != 0 {
				t.Errorf("steps:\n%s", r.Changes)
			}
		})
	}
	t.Run("a namespace that permits it", func(t *testing.T) {
		for image, annotations := range map[string]map[string]string{
			"kube2iam": {"iam.amazonaws.com/allowed-roles": `["` + role("web") + `"]`},
			"kiam":     {"iam.amazonaws.com/permitted": "we.*"},
		} {
			s := aged()
			s.Clusters[0].Workloads[1].Containers[0].Image = "example.com/" + image
			s.Clusters[0].Namespaces = []*model.Namespace{{Meta: model.Meta{Name: "shop", Annotations: annotations}}}
			if r := migratePods(t, s, Options{}); len(r.Blockers) > 0 {
				t.Errorf("%s: %v", image, r.Blockers)
			}
		}
	})
}

// TestKeys has what becomes of service accounts whose pods have access keys.
func TestKeys(t *testing.T) {
	const user = "arn:aws:iam::" + own + ":user/shop"
	item := func(t *testing.T, r *Result) Item {
		t.Helper()
		i := slices.IndexFunc(r.Items, func(i Item) bool { return i.From == FromKeys })
		if i < 0 {
			t.Fatalf("items %+v", r.Items)
		}
		return r.Items[i]
	}
	notes := func(i Item) string { return strings.Join(i.Notes, "\n") }

	t.Run("without a role, what it has to allow", func(t *testing.T) {
		i := item(t, migratePods(t, keyed(), Options{KeysOf: map[string]string{"shop/web": user}}))
		for _, want := range []string{"prod-shop-web", "--role shop/web=ARN", "inline policy read", "AmazonS3ReadOnlyAccess"} {
			if i.Becomes != Blocked || !strings.Contains(i.Why, want) {
				t.Errorf("%+v, want blocked (… %s …)", i, want)
			}
		}
		if !strings.Contains(notes(i), "container web, variable AWS_SECRET_ACCESS_KEY from secret/aws/key") {
			t.Errorf("it does not say where the keys are: %v", i.Notes)
		}
	})
	t.Run("whose they are is not guessed", func(t *testing.T) {
		if i := item(t, migratePods(t, keyed(), Options{})); !strings.Contains(i.Why, "--keys-of shop/web=ARN") || strings.Contains(i.Why, "inline policy") {
			t.Errorf("%+v", i)
		}
	})
	t.Run("with a role: compared, associated, and the keys go last and for good", func(t *testing.T) {
		r := migratePods(t, keyed(), Options{Roles: map[string]string{"shop/web": role("web")}, KeysOf: map[string]string{"shop/web": user}})
		i := item(t, r)
		if i.Becomes != BecomesPodIdentity || !strings.Contains(notes(i), "the role LACKS what user shop may") || !strings.Contains(strings.Join(r.Warnings, "\n"), "does not allow all that user shop may") {
			t.Errorf("%+v, warnings %v", i, r.Warnings)
		}
		if diff := cmp.Diff([]string{PhaseAssociate, PhaseRestart, PhaseDeleteKeys}, phasesOf(r)); diff != "" {
			t.Errorf("phases (-want +got):\n%s", diff)
		}
		if last := r.Phases[len(r.Phases)-1]; len(last.Steps) > 0 || !strings.Contains(last.Wait, "cannot be undone") {
			t.Errorf("%+v", last)
		}
		if diff := cmp.Diff([]string{"sa/shop/web s3:GetObject on arn:aws:s3:::shop/*"}, grantsOf(r.Proof.Gained)); diff != "" {
			t.Errorf("gained (-want +got):\n%s", diff)
		}
	})
	t.Run("a role that may do the same", func(t *testing.T) {
		s := keyed()
		s.Accounts[0].Users[0].Attached = nil
		i := item(t, migratePods(t, s, Options{Roles: map[string]string{"shop/web": role("web")}, KeysOf: map[string]string{"shop/web": user}}))
		if !strings.Contains(notes(i), "exactly what user shop may") {
			t.Errorf("%+v", i)
		}
	})
	t.Run("a role of the name that the convention gives", func(t *testing.T) {
		s := keyed()
		s.Accounts[0].Roles[0].ARN, s.Accounts[0].Roles[0].Name = role("eks/shop.web"), "shop.web"
		i := item(t, migratePods(t, s, Options{RoleNames: "{namespace}.{service-account}"}))
		if i.Becomes != BecomesPodIdentity || i.Principal != role("eks/shop.web") {
			t.Errorf("%+v", i)
		}
	})
	t.Run("where IRSA gives a role already, the keys only go", func(t *testing.T) {
		s := keyed()
		s.Clusters[0].ServiceAccounts[0].Annotations[access.RoleAnnotation] = role("web")
		s.Accounts[0].Roles[0].Trust = trustOf(trusting(issuer, "system:serviceaccount:shop:web"))
		r := migratePods(t, s, Options{})
		if i := item(t, r); i.Becomes != Moving || i.Principal != role("web") || len(r.After.Clusters[0].PodIdentityAssociations) != 1 {
			t.Errorf("%+v, blockers %v", i, r.Blockers)
		}
	})
	t.Run("a credentials file from a Secret", func(t *testing.T) {
		s := keyed()
		w := s.Clusters[0].Workloads[0]
		w.Containers = []model.Container{{Name: "web", Mounts: []model.Mount{{Volume: "aws", Path: "/root/.aws"}}}}
		w.Volumes = []model.Volume{{Name: "aws", Secret: "aws-file"}}
		if i := item(t, migratePods(t, s, Options{})); !strings.Contains(notes(i), "secret/aws-file at /root/.aws") {
			t.Errorf("%+v", i)
		}
	})
	for name, c := range map[string]struct {
		change func(*model.Snapshot)
		role   string
		want   string
	}{
		"a role that was not found":            {nil, role("gone"), "was not found"},
		"a role of another account":            {func(s *model.Snapshot) { s.Accounts = append(s.Accounts, abroad("").Accounts[1]) }, abroadRole, "not of the cluster's account"},
		"a service account that others run as": {func(s *model.Snapshot) { s.Clusters[0].Workloads = append(s.Clusters[0].Workloads, workload()) }, role("web"), "runs as this service account too"},
		"Windows":                              {func(s *model.Snapshot) { s.Clusters[0].Workloads[0].OS = "windows" }, role("web"), "Windows"},
	} {
		t.Run(name, func(t *testing.T) {
			s := keyed()
			if c.change != nil {
				c.change(s)
			}
			r := migratePods(t, s, Options{Roles: map[string]string{"shop/web": c.role}})
			if i := item(t, r); i.Becomes != Blocked || !strings.Contains(i.Why, c.want) || len(r.Steps) > 0 {
				t.Errorf("%+v, want blocked (… %s …), and no steps: %s", i, c.want, r.Changes)
			}
		})
	}
}

// TestRoleName has names that the convention gives, and conventions that cannot be.
func TestRoleName(t *testing.T) {
	long := strings.Repeat("x", 60)
	for name, c := range map[string]struct{ convention, cluster, namespace, account, want string }{
		"by default":                            {"", "prod", "shop", "web", "prod-shop-web"},
		"another":                               {"eks_{namespace}.{service-account}", "prod", "shop", "web", "eks_shop.web"},
		"cut":                                   {"", "prod", "shop", long, "prod-shop-" + strings.Repeat("x", 45) + "-0adc5e4b"},
		"no place in a name stands for another": {"", "{namespace}", "{service-account}", "web", "{namespace}-{service-account}-web"},
	} {
		o := Options{RoleNames: c.convention}
		if got := o.RoleName(c.cluster, c.namespace, c.account); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	for _, bad := range []string{"", "{cluster}", "{namespace}", "{service-account}", "{namespace}{service-account}{x}", "a/{namespace}{service-account}", "{namespace} {service-account}", long + "{namespace}{service-account}"} {
		if ParseRoleNames(bad) == nil {
			t.Errorf("convention %q is taken", bad)
		}
	}
	for convention, ok := range map[string]bool{"{workload}": true, "app-{workload}": true, "app": false, "{workload}-{workload}": false, "App-{workload}": false, "": false} {
		if got := ParseServiceAccountNames(convention) == nil; got != ok {
			t.Errorf("convention %q: %v, want %v", convention, got, ok)
		}
	}
}
