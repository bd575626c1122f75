package kube

import (
	"context"
	"embed"
	"encoding/base64"
	"fmt"
	"strings"
	"text/template"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

//go:embed eks/*.yaml
var eksFiles embed.FS

var eksTemplates = template.Must(template.ParseFS(eksFiles, "eks/*.yaml"))

// EKS says what [Cluster.InstallEKS] puts into a cluster.
type EKS struct {
	// Name is the cluster's name, "lab" if empty, and Region its region, "us-east-1" if empty.
	Name, Region string
	// AWSAuth is the data of the ConfigMap kube-system/aws-auth (mapRoles, mapUsers, mapAccounts); nil means that there
	// is none, as in a cluster of the authentication mode API.
	AWSAuth map[string]string
	// Agent is the shape of the Pod Identity agent's DaemonSet; nil means that the add-on is not installed.
	Agent *Agent
	// CNIRoleARN annotates the service account aws-node for IRSA, as the EKS User Guide recommends.
	CNIRoleARN string
	// WebhookURL is where the API server looks for the pod identity webhook, EKS' own address on loopback if empty.
	WebhookURL string
	// NodeGroups are the cluster's nodes.
	NodeGroups []NodeGroup
}

// NodeGroup is a number of nodes of one kind.
type NodeGroup struct {
	// Name is the value of the label eks.amazonaws.com/nodegroup of a managed node group.
	Name string
	// ComputeType is the value of the label eks.amazonaws.com/compute-type, where EKS sets one: fargate, auto, hybrid. Such
	// nodes are of no managed node group.
	ComputeType string
	Nodes       int
}

// Agent is a published shape of the Pod Identity agent's DaemonSet.
type Agent struct {
	// Tag is that of the image.
	Tag string
	// Automount is the pods' automountServiceAccountToken.
	Automount bool
	// Trace is the argument -v trace.
	Trace bool
	// PodLiveness adds what the option of that name does: a service account that may list and watch pods.
	PodLiveness bool
}

// AgentBeforeTokenVerification returns the shape that chart 1.2.0 renders by default for agents before 0.2.1.
func AgentBeforeTokenVerification() *Agent { return &Agent{Tag: "v0.1.20", Trace: true} }

// AgentWithTokenVerification returns the shape for agents from 0.2.1 on, which verify tokens themselves and for that
// mount a service account token (aws/eks-pod-identity-agent, charts/, 2026-06).
func AgentWithTokenVerification() *Agent { return &Agent{Tag: "v0.2.1", Automount: true} }

// InstallEKS makes the cluster look like one of EKS: its RBAC objects, the pod identity webhook, the add-ons aws-node,
// kube-proxy and coredns, the Pod Identity agent, aws-auth and nodes. Only what is published or was seen on clusters is
// installed, each with its source in the manifests; what EKS keeps to itself is not imitated. It can be repeated.
//
// DaemonSets and Deployments get pods only from [WorkloadControllers].
func (c *Cluster) InstallEKS(ctx context.Context, e EKS) error {
	objects, err := e.objects(c.CA)
	if err != nil {
		return fmt.Errorf("install EKS: %w", err)
	}
	if err := c.apply(ctx, objects); err != nil {
		return fmt.Errorf("install EKS: %w", err)
	}
	return nil
}

// InstallKarpenter defines the resources EC2NodeClass (karpenter.k8s.aws/v1) and AWSNodeTemplate
// (karpenter.k8s.aws/v1alpha1) with the fields that bear on identity, and waits until they are served.
func (c *Cluster) InstallKarpenter(ctx context.Context) error {
	b, err := eksFiles.ReadFile("eks/karpenter.yaml")
	if err != nil {
		return err
	}
	return c.Apply(ctx, string(b))
}

// WorkloadControllers returns the controllers that make pods from Deployments, DaemonSets and Jobs, to be run beside
// [IdentityControllers]. Nothing schedules the pods.
func WorkloadControllers() []string {
	return []string{"deployment-controller", "replicaset-controller", "daemonset-controller", "job-controller"}
}

func (e EKS) objects(ca []byte) ([]runtime.Object, error) {
	if e.Name == "" {
		e.Name = "lab"
	}
	if e.Region == "" {
		e.Region = "us-east-1"
	}
	if e.WebhookURL == "" {
		e.WebhookURL = "https://127.0.0.1:23443/mutate"
	}
	manifests := []string{"rbac.yaml", "webhook.yaml", "system.yaml"}
	if e.Agent != nil {
		manifests = append(manifests, "agent.yaml")
	}
	var objects []runtime.Object
	for _, name := range manifests {
		var text strings.Builder
		data := struct {
			EKS
			CABundle string
		}{e, base64.StdEncoding.EncodeToString(ca)}
		if err := eksTemplates.ExecuteTemplate(&text, name, data); err != nil {
			return nil, err
		}
		parsed, err := Parse(text.String())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		objects = append(objects, parsed...)
	}
	if e.AWSAuth != nil {
		objects = append(objects, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "aws-auth"}, Data: e.AWSAuth})
	}
	i := 0
	for _, g := range e.NodeGroups {
		for range g.Nodes {
			objects = append(objects, g.node(i))
			i++
		}
	}
	return objects, nil
}

func (g NodeGroup) node(i int) *corev1.Node {
	n := Node(i, g.Name)
	if g.ComputeType == "" {
		return n
	}
	for label := range n.Labels {
		if strings.HasPrefix(label, "eks.amazonaws.com/") {
			delete(n.Labels, label)
		}
	}
	n.Labels["eks.amazonaws.com/compute-type"] = g.ComputeType
	if g.ComputeType == "fargate" {
		// The name of a Fargate node is fargate-<private DNS name> (EKS User Guide, "Get started with AWS Fargate", 2026-11);
		// its provider id has no instance in it (not documented, seen on clusters).
		n.Name = "fargate-" + n.Name
		n.Labels[corev1.LabelHostname] = n.Name
		n.Spec.ProviderID = fmt.Sprintf("aws:///%s/%010x-%032x/%s", n.Labels[corev1.LabelTopologyZone], i+1, i+1, n.Name)
	}
	return n
}
