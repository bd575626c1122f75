package kube

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

func TestInstallEKS(t *testing.T) {
	c := New(t, Options{Controllers: append(IdentityControllers(), WorkloadControllers()...)})
	e := EKS{
		Name:       "prod",
		AWSAuth:    map[string]string{"mapRoles": "- rolearn: arn:aws:iam::111122223333:role/node\n  username: system:node:{{EC2PrivateDNSName}}\n  groups: [system:bootstrappers, system:nodes]\n"},
		Agent:      AgentBeforeTokenVerification(),
		CNIRoleARN: "arn:aws:iam::111122223333:role/cni",
		NodeGroups: []NodeGroup{{Name: "general", Nodes: 2}, {ComputeType: "fargate", Nodes: 1}},
	}
	start := time.Now()
	for range 2 { // it can be repeated
		if err := c.InstallEKS(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("installed twice in %s", time.Since(start).Round(time.Millisecond))

	t.Run("agent pods on the nodes it may run on", func(t *testing.T) {
		var pods *corev1.PodList
		err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
			var err error
			pods, err = c.Admin.CoreV1().Pods("kube-system").List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=eks-pod-identity-agent"})
			return err == nil && len(pods.Items) == 2, err
		})
		if err != nil {
			t.Fatalf("%d agent pods, want 2: %v", len(pods.Items), err)
		}
		if sa := pods.Items[0].Spec.ServiceAccountName; sa != "default" {
			t.Errorf("the agent runs as %q, want default", sa)
		}
	})
	t.Run("documented permissions", func(t *testing.T) {
		for _, tc := range []struct {
			user, verb, resource string
			want                 bool
		}{
			{"eks:addon-manager", "delete", "namespaces", true},
			{"eks:node-manager", "delete", "pods", true},
			{"eks:node-manager", "get", "secrets", false},
			{"system:serviceaccount:kube-system:aws-node", "update", "nodes", true},
			{"system:serviceaccount:kube-system:kube-proxy", "list", "services", true},
			{"system:serviceaccount:kube-system:coredns", "list", "secrets", false},
		} {
			sar, err := c.Admin.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{
				Spec: authorizationv1.SubjectAccessReviewSpec{User: tc.user, ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: tc.verb, Resource: tc.resource}},
			}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if sar.Status.Allowed != tc.want {
				t.Errorf("%s may %s %s: %t, want %t", tc.user, tc.verb, tc.resource, sar.Status.Allowed, tc.want)
			}
		}
	})
	t.Run("nodes", func(t *testing.T) {
		nodes, err := c.Admin.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var got [][4]string
		for _, n := range nodes.Items {
			got = append(got, [4]string{n.Name, n.Labels["eks.amazonaws.com/nodegroup"], n.Labels["eks.amazonaws.com/compute-type"], n.Spec.ProviderID})
		}
		want := [][4]string{
			{"fargate-ip-10-0-0-3.ec2.internal", "", "fargate", "aws:///us-east-1c/0000000003-00000000000000000000000000000003/fargate-ip-10-0-0-3.ec2.internal"},
			{"ip-10-0-0-1.ec2.internal", "general", "", "aws:///us-east-1a/i-00000000000000001"},
			{"ip-10-0-0-2.ec2.internal", "general", "", "aws:///us-east-1b/i-00000000000000002"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("nodes (-want +got):\n%s", diff)
		}
	})
	t.Run("aws-auth and annotation", func(t *testing.T) {
		cm, err := c.Admin.CoreV1().ConfigMaps("kube-system").Get(t.Context(), "aws-auth", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		sa, err := c.Admin.CoreV1().ServiceAccounts("kube-system").Get(t.Context(), "aws-node", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{e.AWSAuth["mapRoles"], e.CNIRoleARN}, []string{cm.Data["mapRoles"], sa.Annotations["eks.amazonaws.com/role-arn"]}); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("unreachable webhook lets pods pass", func(t *testing.T) {
		if err := c.Load(t.Context(), Pod("default", "web", "default", "")); err != nil {
			t.Fatal(err)
		}
	})
}

// TestAgentShapes installs each published shape and reads back the fields in which they differ.
func TestAgentShapes(t *testing.T) {
	c := lab.Cluster(t)
	for _, tc := range []struct {
		name  string
		agent Agent
		args  []string
		env   int
	}{
		{"before 0.2.1", *AgentBeforeTokenVerification(), []string{"--port", "80", "--cluster-name", "lab", "--probe-port", "2703", "-v", "trace"}, 1},
		{"from 0.2.1 on", *AgentWithTokenVerification(), []string{"--port", "80", "--cluster-name", "lab", "--probe-port", "2703"}, 1},
		{"with pod liveness", Agent{Tag: "v0.2.1", Automount: true, PodLiveness: true}, []string{"--port", "80", "--cluster-name", "lab", "--probe-port", "2703"}, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := c.InstallEKS(t.Context(), EKS{Agent: &tc.agent}); err != nil {
				t.Fatal(err)
			}
			ds, err := c.Admin.AppsV1().DaemonSets("kube-system").Get(t.Context(), "eks-pod-identity-agent", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			pod := ds.Spec.Template.Spec
			agent, init := pod.Containers[0], pod.InitContainers[0]
			if diff := cmp.Diff(tc.args, agent.Args); diff != "" {
				t.Errorf("arguments (-want +got):\n%s", diff)
			}
			got := []bool{*pod.AutomountServiceAccountToken, pod.HostNetwork, *init.SecurityContext.Privileged, len(agent.Env) == tc.env, len(pod.Volumes) == 1, pod.ServiceAccountName != ""}
			want := []bool{tc.agent.Automount, true, true, true, tc.agent.PodLiveness, tc.agent.PodLiveness}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("automount, host network, privileged init, environment, volume, service account (-want +got):\n%s", diff)
			}
			if !slices.Contains(agent.SecurityContext.Capabilities.Add, "CAP_NET_BIND_SERVICE") {
				t.Errorf("capabilities %v", agent.SecurityContext.Capabilities.Add)
			}
		})
	}
}

func TestInstallKarpenter(t *testing.T) {
	c := lab.Cluster(t)
	if err := c.InstallKarpenter(t.Context()); err != nil {
		t.Fatal(err)
	}
	const classes = `
apiVersion: karpenter.k8s.aws/v1
kind: EC2NodeClass
metadata: {name: default}
spec: {role: KarpenterNodeRole, amiSelectorTerms: [{alias: al2023@latest}]}
---
apiVersion: karpenter.k8s.aws/v1alpha1
kind: AWSNodeTemplate
metadata: {name: old}
spec: {instanceProfile: KarpenterNodeInstanceProfile, metadataOptions: {httpTokens: optional}}
`
	if err := c.Apply(t.Context(), classes); err != nil {
		t.Fatal(err)
	}
	b, err := c.rest().Get().AbsPath("/apis/karpenter.k8s.aws/v1/ec2nodeclasses/default").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"role":"KarpenterNodeRole"`, `"alias":"al2023@latest"`, `"httpPutResponseHopLimit":1`} {
		if !strings.Contains(string(b), part) {
			t.Errorf("node class lacks %s: %s", part, b)
		}
	}
	const both = `
apiVersion: karpenter.k8s.aws/v1
kind: EC2NodeClass
metadata: {name: both}
spec: {role: a, instanceProfile: b}
`
	if err := c.Apply(t.Context(), both); !apierrors.IsInvalid(err) {
		t.Errorf("a node class with a role and an instance profile: error %v, want invalid", err)
	}
}
