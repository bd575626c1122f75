package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/smithy-go"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"drawbridge/internal/model"
)

// view is what was read of the parts that changes touch: a small snapshot, and what calls need besides.
type view struct {
	*model.Snapshot
	// status is the cluster's, where EKS was asked.
	status string
	// objects are Kubernetes objects as they are; those that are not there are missing.
	objects map[part]*unstructured.Unstructured
	// association is the id of the Pod Identity association, which EKS wants to know.
	association map[part]string
}

func (v *view) cluster() *model.Cluster { return v.Clusters[0] }

// read reads what a reach says, and nothing else. What is not there is missing in the view; what cannot be read is an error.
func (c Clients) read(ctx context.Context, r reach) (*view, error) {
	v := &view{Snapshot: &model.Snapshot{}, objects: map[part]*unstructured.Unstructured{}, association: map[part]string{}}
	if r.cluster != "" {
		v.Clusters = []*model.Cluster{named(r.cluster)}
	}
	if r.has(partMode) || r.has(partLogs) || r.has(partAssociation) {
		if err := c.readCluster(ctx, v, r); err != nil {
			return nil, err
		}
	}
	for _, p := range r.parts {
		if err := c.readPart(ctx, v, p); err != nil {
			return nil, fmt.Errorf("read %s: %w", p, err)
		}
	}
	return v, nil
}

// named is a cluster of which only the ARN or the name is known.
func named(id string) *model.Cluster {
	f := strings.SplitN(id, ":", 6)
	if len(f) != 6 || f[0] != "arn" {
		return &model.Cluster{Name: id}
	}
	return &model.Cluster{Name: strings.TrimPrefix(f[5], "cluster/"), ARN: id, Partition: f[1], Region: f[3], Account: f[4]}
}

func (c Clients) readPart(ctx context.Context, v *view, p part) error {
	switch p.kind {
	case partMode, partLogs: // of the description
		return nil
	case partEntry:
		return c.readEntry(ctx, v, p)
	case partAssociation:
		return c.readAssociation(ctx, v, p)
	case partLogGroup:
		return c.readLogGroup(ctx, v, p)
	case partTrust, partAttached, partInline:
		return c.readPrincipal(ctx, v, p)
	}
	return c.readObject(ctx, v, p)
}

// readCluster makes sure that the cluster is the one that is meant: other accounts and regions have clusters of the same name.
func (c Clients) readCluster(ctx context.Context, v *view, r reach) error {
	k := v.cluster()
	if c.EKS == nil {
		return errNoClient("EKS")
	}
	out, err := c.EKS.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &k.Name})
	if err != nil {
		return fmt.Errorf("describe cluster %s: %w", k.Name, err)
	}
	if out.Cluster == nil {
		return fmt.Errorf("describe cluster %s: an empty answer", k.Name)
	}
	if arn := awssdk.ToString(out.Cluster.Arn); k.ARN != "" && arn != k.ARN {
		return fmt.Errorf("cluster %s is not the one of the plan: it is %s, not %s", k.Name, arn, k.ARN)
	}
	v.status = string(out.Cluster.Status)
	d := &model.Description{}
	if a := out.Cluster.AccessConfig; a != nil && r.has(partMode) {
		d.AuthenticationMode = string(a.AuthenticationMode)
	}
	if l := out.Cluster.Logging; l != nil && r.has(partLogs) {
		for _, setup := range l.ClusterLogging {
			if awssdk.ToBool(setup.Enabled) {
				for _, t := range setup.Types {
					d.EnabledLogs = append(d.EnabledLogs, string(t))
				}
			}
		}
		slices.Sort(d.EnabledLogs)
	}
	k.Description = d
	k.MarkRead(model.AreaCluster)
	return nil
}

// readEntry reads an access entry and its access policies. While the mode is CONFIG_MAP there are none, and EKS refuses to be
// asked (EKS User Guide, "Change authentication mode to use access entries", 2026-11).
func (c Clients) readEntry(ctx context.Context, v *view, p part) error {
	k := v.cluster()
	k.MarkRead(model.AreaAccessEntries, model.AreaPolicyAssociations)
	if k.AuthenticationMode() == model.ModeConfigMap {
		return nil
	}
	out, err := c.EKS.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: &k.Name, PrincipalArn: &p.name})
	if err != nil || out.AccessEntry == nil {
		return unlessGone(err)
	}
	e := out.AccessEntry
	k.AccessEntries = append(k.AccessEntries, &model.AccessEntry{
		PrincipalARN: p.name, ARN: awssdk.ToString(e.AccessEntryArn), Type: awssdk.ToString(e.Type), Username: awssdk.ToString(e.Username),
		Groups: sorted(e.KubernetesGroups), Created: awssdk.ToTime(e.CreatedAt), Tags: ownTags(e.Tags),
	})
	pages := eks.NewListAssociatedAccessPoliciesPaginator(c.EKS, &eks.ListAssociatedAccessPoliciesInput{ClusterName: &k.Name, PrincipalArn: &p.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, a := range page.AssociatedAccessPolicies {
			k.PolicyAssociations = append(k.PolicyAssociations, &model.PolicyAssociation{PrincipalARN: p.name, PolicyARN: awssdk.ToString(a.PolicyArn), Scope: scope(a.AccessScope)})
		}
	}
	return nil
}

func scope(s *types.AccessScope) model.AccessScope {
	if s == nil {
		return model.AccessScope{}
	}
	return model.AccessScope{Type: string(s.Type), Namespaces: sorted(s.Namespaces)}
}

func (c Clients) readAssociation(ctx context.Context, v *view, p part) error {
	k := v.cluster()
	k.MarkRead(model.AreaPodIdentityAssociations)
	list, err := c.EKS.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{ClusterName: &k.Name, Namespace: &p.namespace, ServiceAccount: &p.name})
	if err != nil {
		return err
	}
	for _, summary := range list.Associations {
		if awssdk.ToString(summary.Namespace) != p.namespace || awssdk.ToString(summary.ServiceAccount) != p.name {
			continue
		}
		out, err := c.EKS.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: &k.Name, AssociationId: summary.AssociationId})
		if err != nil || out.Association == nil {
			return unlessGone(err)
		}
		a := out.Association
		v.association[p] = awssdk.ToString(a.AssociationId)
		k.PodIdentityAssociations = append(k.PodIdentityAssociations, &model.PodIdentityAssociation{
			Namespace: p.namespace, ServiceAccount: p.name, ID: awssdk.ToString(a.AssociationId), ARN: awssdk.ToString(a.AssociationArn),
			RoleARN: awssdk.ToString(a.RoleArn), TargetRoleARN: awssdk.ToString(a.TargetRoleArn), ExternalID: awssdk.ToString(a.ExternalId),
			OwnerARN: awssdk.ToString(a.OwnerArn), DisableSessionTags: awssdk.ToBool(a.DisableSessionTags),
			Policy: model.Document(awssdk.ToString(a.Policy)), Tags: ownTags(a.Tags),
		})
		return nil
	}
	return nil
}

func (c Clients) readLogGroup(ctx context.Context, v *view, p part) error {
	k := v.cluster()
	k.MarkRead(model.AreaLogGroup)
	if c.Logs == nil {
		return errNoClient("CloudWatch Logs")
	}
	pages := logs.NewDescribeLogGroupsPaginator(c.Logs, &logs.DescribeLogGroupsInput{LogGroupNamePrefix: &p.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, g := range page.LogGroups {
			if awssdk.ToString(g.LogGroupName) == p.name {
				k.LogGroup = &model.LogGroup{Name: p.name, RetentionDays: int(awssdk.ToInt32(g.RetentionInDays))}
				return nil
			}
		}
	}
	return nil
}

func errNoClient(of string) error {
	return errors.New("the plan needs " + of + ", which this run has no access to")
}

// gone says that what was asked for is not there.
func gone(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && slices.Contains([]string{"ResourceNotFoundException", "NotFoundException", "NoSuchEntity"}, api.ErrorCode())
}

// unlessGone is nil for what is not there: it is missing in the view.
func unlessGone(err error) error {
	if gone(err) {
		return nil
	}
	return err
}

func sorted(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return slices.Sorted(slices.Values(s))
}

// ownTags are the tags that callers may set: those that begin with "aws:" are AWS's (Tagging AWS Resources and Tag Editor,
// "Tag naming limits and requirements", 2026-11).
func ownTags(tags map[string]string) map[string]string {
	var own map[string]string
	for key, value := range tags {
		if !strings.HasPrefix(strings.ToLower(key), "aws:") {
			if own == nil {
				own = map[string]string{}
			}
			own[key] = value
		}
	}
	return own
}
