package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/source/aws"
	"drawbridge/internal/source/kube"
)

// loadLive reads clusters through the AWS and Kubernetes APIs. Without --cluster it reads the one that the kubeconfig
// context names; with it, each cluster's Kubernetes API through the context that names it.
func (in *inputs) loadLive(ctx context.Context, e *env) (*model.Snapshot, error) {
	loader := in.kube()
	config, err := loader.RawConfig()
	if err != nil {
		return nil, failed(fmt.Errorf("read kubeconfig: %w", err), "")
	}
	bar := e.newProgress()
	defer bar.done()

	if len(in.clusters) == 0 && !in.allClusters {
		context := cmp.Or(in.context, config.CurrentContext)
		if context == "" {
			return nil, &exitError{
				code: exitUsage, err: errors.New("nothing to read: no kubeconfig context, and none of --cluster, --all-clusters, -f, --demo"),
				hint: "drawbridge scan --demo shows what a scan is; aws eks update-kubeconfig --name NAME makes a context",
			}
		}
		ref, ok := kube.ClusterFromContext(config, context)
		if !ok {
			ref.Name = context
			fmt.Fprintf(e.stderr, "note: context %s names no EKS cluster; reading its Kubernetes API only\n", printable(context))
		}
		return in.loadContext(ctx, config, context, ref, ok, bar)
	}
	return in.loadClusters(ctx, config, bar)
}

// loadContext reads the cluster of one kubeconfig context: Kubernetes first, because aws-auth and annotations name IAM
// principals of interest, then AWS.
func (in *inputs) loadContext(ctx context.Context, config clientcmdapi.Config, name string, ref kube.Ref, isEKS bool, bar *progress) (*model.Snapshot, error) {
	parts := []*model.Snapshot{}
	k, kubeErr := in.readContext(ctx, config, name, ref.Name, bar)
	if kubeErr == nil {
		parts = append(parts, k)
	} else if !isEKS || ctx.Err() != nil {
		return nil, failed(kubeErr, "")
	}
	if isEKS {
		o := in.awsOptions(bar)
		o.Clusters = []string{ref.Name}
		if len(o.Regions) == 0 && ref.Region != "" {
			o.Regions = []string{ref.Region}
		}
		if in.profile == "" && ref.Profile != "" {
			o.Config = aws.LoadConfig(ref.Profile)
		}
		if len(o.RoleChain) == 0 && ref.RoleARN != "" {
			o.RoleChain = []string{ref.RoleARN}
		}
		if k != nil {
			o.Principals = principals(k)
		}
		a, awsErr := aws.Collect(ctx, o)
		switch {
		case awsErr == nil:
			others, err := in.readOthers(ctx, o, a.Clusters[0].Region)
			if err != nil {
				return nil, err
			}
			parts = append(append(parts, a), others...)
		case kubeErr != nil || ctx.Err() != nil:
			return nil, failed(errors.Join(kubeErr, awsErr), "")
		default:
			refuse(k, k.Clusters[0], awsErr, true)
		}
		if kubeErr != nil {
			refuse(a, a.Clusters[0], kubeErr, false)
		}
	}
	return model.Merge(parts...), nil
}

// loadClusters reads named or all clusters from AWS, and then each one's Kubernetes API.
func (in *inputs) loadClusters(ctx context.Context, config clientcmdapi.Config, bar *progress) (*model.Snapshot, error) {
	o := in.awsOptions(bar)
	o.Clusters, o.AllClusters = in.clusters, in.allClusters
	s, err := aws.Collect(ctx, o)
	if err != nil {
		return nil, failed(err, "")
	}
	parts := []*model.Snapshot{s}
	if len(s.Clusters) > 0 {
		others, err := in.readOthers(ctx, o, s.Clusters[0].Region)
		if err != nil {
			return nil, err
		}
		parts = append(parts, others...)
	}
	for _, c := range s.Clusters {
		k, err := in.readCluster(ctx, config, c, bar)
		if ctx.Err() != nil {
			return nil, failed(ctx.Err(), "")
		}
		if err != nil {
			refuse(s, c, err, false)
			continue
		}
		k.Clusters[0].ARN = c.ARN
		parts = append(parts, k)
	}
	return model.Merge(parts...), nil
}

func (in *inputs) awsOptions(bar *progress) aws.Options {
	return aws.Options{
		Regions: in.regions, Config: aws.LoadConfig(in.profile), RoleChain: in.roles, ExternalID: in.externalID,
		Progress: func(done, total int, what string) { bar.show("AWS", done, total, what) },
	}
}

// readCluster reads a cluster's Kubernetes API through the kubeconfig context that names it, else with AWS credentials.
func (in *inputs) readCluster(ctx context.Context, config clientcmdapi.Config, c *model.Cluster, bar *progress) (*model.Snapshot, error) {
	if name, ok := contextOf(config, c); ok {
		return in.readContext(ctx, config, name, c.Name, bar)
	}
	to, err := aws.Connect(ctx, in.awsOptions(bar), c.Region, c.Name)
	if err != nil {
		return nil, err
	}
	return readKube(ctx, &rest.Config{Host: to.Endpoint, BearerToken: to.Token, TLSClientConfig: rest.TLSClientConfig{CAData: to.CA}}, c.Name, bar)
}

// readContext reads the Kubernetes API of a kubeconfig context.
func (in *inputs) readContext(ctx context.Context, config clientcmdapi.Config, context, cluster string, bar *progress) (*model.Snapshot, error) {
	client, err := clientcmd.NewNonInteractiveClientConfig(config, context, &clientcmd.ConfigOverrides{}, clientcmd.NewDefaultClientConfigLoadingRules()).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig context %s: %w", context, err)
	}
	return readKube(ctx, client, cluster, bar)
}

// readKube reads a cluster's Kubernetes API as a snapshot of that one cluster.
func readKube(ctx context.Context, client *rest.Config, cluster string, bar *progress) (*model.Snapshot, error) {
	client.WarningHandler = rest.NoWarnings{}
	c, gaps, err := kube.Collect(ctx, client, kube.Options{
		Cluster: cluster, Progress: func(done, total int, what string) { bar.show("Kubernetes", done, total, what) },
	})
	if err != nil {
		return nil, err
	}
	return &model.Snapshot{Clusters: []*model.Cluster{c}, Gaps: gaps}, nil
}

// contextOf finds the kubeconfig context that names a cluster; the current one first.
func contextOf(config clientcmdapi.Config, c *model.Cluster) (string, bool) {
	matches := func(name string) bool {
		ref, ok := kube.ClusterFromContext(config, name)
		return ok && ref.Name == c.Name && (ref.Region == "" || ref.Region == c.Region) && (ref.Account == "" || ref.Account == c.Account)
	}
	if matches(config.CurrentContext) {
		return config.CurrentContext, true
	}
	best := ""
	for name := range config.Contexts {
		if matches(name) && (best == "" || name < best) {
			best = name
		}
	}
	return best, best != ""
}

// refuse adds a gap for each AWS or Kubernetes area of a cluster, where that side could not be read at all.
func refuse(s *model.Snapshot, c *model.Cluster, why error, awsSide bool) {
	for _, a := range model.Areas {
		if a.OfAWS() == awsSide && !a.Optional {
			g := finding.Gap{Area: string(a.Area), Action: a.Action, Reason: why.Error(), Cluster: s.Label(c)}
			if a.OfAccount {
				g.Cluster, g.Account = "", c.Account
			}
			s.Gaps = append(s.Gaps, g)
		}
	}
}

// principals are the IAM principals that a cluster's Kubernetes objects name.
func principals(s *model.Snapshot) []string {
	var arns []string
	for _, c := range s.Clusters {
		if c.AWSAuth != nil {
			for _, r := range authenticator.ParseConfigMap(c.AWSAuth.Data).Rows {
				arns = append(arns, r.Read.ARN)
			}
		}
		for _, sa := range c.ServiceAccounts {
			if role := sa.Annotations["eks.amazonaws.com/role-arn"]; role != "" {
				arns = append(arns, role)
			}
		}
	}
	return arns
}
