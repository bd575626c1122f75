package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/clientcmd"

	"drawbridge/internal/lab/kube"
)

// running is the control plane of one cluster of the fleet with everything deployed.
type running struct{ *kube.Cluster }

// start runs a cluster's API server and deploys what is on it. EKS comes first, then its webhook must answer, and only
// then nodes and manifests, so that every pod passes the webhook.
func start(ctx context.Context, c cluster) (_ *running, err error) {
	hook := &webhook{associations: c.associations}
	url := ""
	run, err := kube.Start(ctx, kube.Options{
		Controllers: slices.Concat(kube.IdentityControllers(), kube.WorkloadControllers(), []string{"statefulset-controller"}),
		Prepare: func(_ context.Context, k *kube.Cluster) ([]string, error) {
			hook.cluster = k
			url, err = serve(k, hook)
			return nil, err
		},
	})
	if err != nil {
		return nil, err
	}
	r := &running{run}
	defer func() {
		if err != nil {
			r.Stop()
		}
	}()
	c.eks.Name, c.eks.Region, c.eks.WebhookURL = c.name, region, url
	for _, step := range []func() error{
		func() error { return r.InstallEKS(ctx, c.eks) },
		func() error { return r.keepOffFargate(ctx) },
		func() error { return optional(ctx, c.change, r.Cluster) },
		func() error { return r.awaitWebhook(ctx, hook) },
		func() error { return r.loadNodes(ctx, c) },
		func() error { return r.Apply(ctx, c.manifests) },
		func() error { return r.settle(ctx) },
		func() error { return r.restoreWebhook(ctx) },
		func() error { return optional(ctx, c.tamper, r.Cluster) },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func optional(ctx context.Context, step func(context.Context, *kube.Cluster) error, c *kube.Cluster) error {
	if step == nil {
		return nil
	}
	return step(ctx, c)
}

// serve serves the webhook as long as the cluster runs and returns its URL.
func serve(c *kube.Cluster, h http.Handler) (string, error) {
	path, err := c.ServeWebhook(h)
	if err != nil {
		return "", err
	}
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		return "", err
	}
	return config.Clusters["webhook"].Server + "/mutate", nil
}

// awaitWebhook returns when the API server asks the webhook, which it learns of a moment after its configuration is there.
func (r *running) awaitWebhook(ctx context.Context, h *webhook) error {
	pod := kube.Pod("kube-system", "probe", "default", "")
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		_, err := r.Admin.CoreV1().Pods("kube-system").Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err == nil && h.asked.Load(), nil
	})
	if err != nil {
		return fmt.Errorf("wait for the pod identity webhook: %w", err)
	}
	return nil
}

// restoreWebhook points the webhook's configuration to where EKS has it.
func (r *running) restoreWebhook(ctx context.Context) error {
	patch := `[{"op":"replace","path":"/webhooks/0/clientConfig/url","value":"https://127.0.0.1:23443/mutate"}]`
	_, err := r.Admin.AdmissionregistrationV1().MutatingWebhookConfigurations().Patch(ctx, "pod-identity-webhook", types.JSONPatchType, []byte(patch), metav1.PatchOptions{})
	return err
}

// keepOffFargate gives the DaemonSets of the VPC CNI and kube-proxy the node affinity that AWS's manifests have, which
// the lab's leave out (aws/amazon-vpc-cni-k8s, config/master, read 2026-11).
func (r *running) keepOffFargate(ctx context.Context) error {
	const patch = `{"spec":{"template":{"spec":{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[
		{"key":"kubernetes.io/os","operator":"In","values":["linux"]},
		{"key":"eks.amazonaws.com/compute-type","operator":"NotIn","values":["fargate","hybrid","auto"]}]}]}}}}}}}`
	for _, name := range []string{"aws-node", "kube-proxy"} {
		if _, err := r.Admin.AppsV1().DaemonSets("kube-system").Patch(ctx, name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			return fmt.Errorf("patch daemonset %s: %w", name, err)
		}
	}
	return nil
}

func (r *running) loadNodes(ctx context.Context, c cluster) error {
	var nodes []runtime.Object
	for _, g := range c.nodes {
		for _, n := range g.objects() {
			nodes = append(nodes, n)
		}
	}
	return r.Load(ctx, nodes...)
}

// podTimes is when the pods are said to have been made, by namespace/name.
func (r *running) podTimes(ctx context.Context) (map[string]time.Time, error) {
	pods, err := r.Admin.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	times := map[string]time.Time{}
	for i := range pods.Items {
		p := &pods.Items[i]
		if times[p.Namespace+"/"+p.Name], err = bornAt(p); err != nil {
			return nil, err
		}
	}
	return times, nil
}
