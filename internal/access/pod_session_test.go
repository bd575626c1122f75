package access

import (
	"strings"
	"testing"

	"drawbridge/internal/model"
)

// TestPodSessions covers which role running pods and workloads really have: theirs, the node's, or none.
func TestPodSessions(t *testing.T) {
	const hop1, hop2, v1 = "required 1", "required 2", "optional 1"
	associated := func(f *fleet) { f.associate("web", roleARN("app")) }
	env := func(names ...string) func(*model.PodSpec) {
		return func(s *model.PodSpec) {
			for _, n := range names {
				s.Containers[0].Env = append(s.Containers[0].Env, model.EnvVar{Name: n})
			}
		}
	}
	injected := env("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	for _, tt := range []struct {
		name     string
		imds     string // of the node
		build    func(*fleet)
		template func(*model.Workload)
		pod      func(*model.PodSpec)
		identity string
		role     string // the one that answers; "" for none
		want     Verdict
		says     string
	}{
		{name: "Pod Identity", build: associated, pod: injected, identity: "pod/shop/web-0", role: "app", want: Allowed},
		{name: "older than its association: the node's role", imds: v1, build: associated, identity: "pod/shop/web-0", role: "node", want: Allowed, says: "httpTokens is optional"},
		{name: "hop limit 1", imds: hop1, identity: "pod/shop/web-0", role: "node", want: Denied, says: "travel one hop only"},
		{name: "hop limit 2", imds: hop2, identity: "pod/shop/web-0", role: "node", want: Allowed, says: "lets session tokens through"},
		{name: "host network", imds: hop1, pod: func(s *model.PodSpec) { s.HostNetwork = true }, identity: "pod/shop/web-0", role: "node", want: Allowed, says: "like the node itself"},
		{name: "its own role and the node's", imds: v1, build: associated, pod: injected, identity: "pod/shop/web-0", role: "node", want: Allowed},
		{name: "metadata options not read", imds: "", identity: "pod/shop/web-0", role: "node", want: Unknown, says: "were not read"},
		{name: "its workload reaches the node's role too", imds: v1, identity: "deploy/shop/web", role: "node", want: Allowed, says: "runs on node n"},
		{name: "and its service account", imds: v1, identity: "sa/shop/web", role: "node", want: Allowed, says: "runs on node n"},
		{name: "static keys", pod: env("AWS_ACCESS_KEY_ID"), identity: "pod/shop/web-0", want: Unknown, says: "whose access keys they are"},
		{name: "finished", imds: v1, pod: nil, build: func(f *fleet) { f.cluster.Pods[0].Phase = "Succeeded" }, identity: "pod/shop/web-0", role: "node", want: Denied, says: "Succeeded"},
		{name: "new pods of a workload", build: associated, identity: "deploy/shop/web", role: "app", want: Allowed},
		{name: "opted out by label", build: associated, template: func(w *model.Workload) { w.TemplateLabels = map[string]string{SkipWebhookLabel: ""} }, identity: "deploy/shop/web", role: "app", want: Denied, says: SkipWebhookLabel},
		{name: "opted out by annotation, all containers", build: associated, template: func(w *model.Workload) {
			w.TemplateAnnotations = map[string]string{SkipContainersAnnotation: "main, side"}
		}, identity: "deploy/shop/web", role: "app", want: Denied, says: SkipContainersAnnotation},
		{name: "opted out by annotation, another container", build: associated, template: func(w *model.Workload) {
			w.TemplateAnnotations = map[string]string{SkipContainersAnnotation: "side"}
		}, identity: "deploy/shop/web", role: "app", want: Allowed},
		{name: "Fargate", build: func(f *fleet) {
			associated(f)
			f.cluster.Pods = nil
			f.cluster.FargateProfiles = []*model.FargateProfile{{Name: "f", Selectors: []model.FargateSelector{{Namespace: "shop"}}}}
		}, identity: "deploy/shop/web", role: "app", want: Denied, says: "Fargate"},
		{name: "Windows", build: func(f *fleet) { associated(f); f.cluster.Pods = nil }, template: func(w *model.Workload) { w.OS = "windows" }, identity: "deploy/shop/web", role: "app", want: Denied, says: "Windows"},
		{name: "the association's service account need not exist", build: func(f *fleet) { associated(f); f.cluster.ServiceAccounts = nil }, identity: "sa/shop/web", role: "app", want: Allowed, says: "does not exist"},
		{name: "no such pod", identity: "pod/shop/gone", role: "app", want: Denied, says: "there is no pod/shop/gone"},
		{name: "pods not read", build: func(f *fleet) { f.cluster.Pods = nil; delete(f.cluster.Read, model.AreaPods) }, identity: "pod/shop/web-0", role: "app", want: Unknown, says: "not read"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFleet()
			for _, r := range []string{"app", "node"} {
				permissions := []string{}
				if r == tt.role {
					permissions = []string{allows(getIt, "*")}
				}
				f.role(home, r, pods(""), permissions...)
			}
			f.serviceAccount("web")
			c := f.cluster
			c.Nodes = []*model.Node{{Meta: model.Meta{Name: "n", Labels: map[string]string{NodegroupLabel: "g"}}, ProviderID: "aws:///us-east-1a/i-1"}}
			c.Nodegroups = []*model.Nodegroup{{Name: "g", NodeRoleARN: roleARN("node")}}
			c.Instances = []*model.Instance{{ID: "i-1"}}
			if tokens, hops, ok := strings.Cut(tt.imds, " "); ok {
				c.Instances[0].MetadataOptions = model.MetadataOptions{HTTPTokens: tokens, HopLimit: int(hops[0] - '0')}
			} else if tt.role != "node" {
				c.Instances[0].MetadataOptions = model.MetadataOptions{HTTPTokens: "required", HopLimit: 1}
			}
			spec := model.PodSpec{ServiceAccount: "web", Containers: []model.Container{{Name: "main"}}}
			w := &model.Workload{Meta: model.Meta{Namespace: "shop", Name: "web"}, Kind: "Deployment", PodSpec: spec}
			spec.NodeName, spec.Containers = "n", []model.Container{{Name: "main"}}
			if tt.pod != nil {
				tt.pod(&spec)
			}
			c.Pods = []*model.Pod{{Meta: model.Meta{Namespace: "shop", Name: "web-0", Owner: "replicaset/web-5d4"}, PodSpec: spec, Phase: "Running"}}
			if tt.template != nil {
				tt.template(w)
			}
			c.Workloads = []*model.Workload{w}
			if tt.build != nil {
				tt.build(f)
			}
			g := f.check(t, tt.identity, getIt, object)
			if g.Verdict != tt.want {
				t.Errorf("%s, want %s:\n%s", g.Verdict, tt.want, grantText(g))
			}
			if !strings.Contains(grantText(g), tt.says) {
				t.Errorf("does not say %q:\n%s", tt.says, grantText(g))
			}
		})
	}
}
