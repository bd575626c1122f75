package apply

import (
	"context"
	"fmt"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// call makes the one call that carries a change out. Before is what was just read and want what should stand afterwards. The
// token is the same whenever the same step is tried again, so that EKS makes nothing twice.
func (c Clients) call(ctx context.Context, change plan.Change, before *view, want *model.Snapshot, token string) error {
	switch ch := change.(type) {
	case plan.CreateAccessEntry, plan.UpdateAccessEntry, plan.DeleteAccessEntry, plan.AssociateAccessPolicy, plan.DisassociateAccessPolicy:
		return c.callEntry(ctx, change, before.cluster().Name, token)
	case plan.SetAuthenticationMode:
		_, err := c.EKS.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{
			Name: &before.cluster().Name, ClientRequestToken: &token,
			AccessConfig: &types.UpdateAccessConfigRequest{AuthenticationMode: types.AuthenticationMode(ch.Mode)},
		})
		return err
	case plan.UpdateClusterLogging:
		_, err := c.EKS.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: &before.cluster().Name, ClientRequestToken: &token, Logging: logging(ch)})
		return err
	case plan.SetLogRetention:
		if ch.Days == 0 {
			_, err := c.Logs.DeleteRetentionPolicy(ctx, &logs.DeleteRetentionPolicyInput{LogGroupName: &ch.LogGroup})
			return err
		}
		_, err := c.Logs.PutRetentionPolicy(ctx, &logs.PutRetentionPolicyInput{LogGroupName: &ch.LogGroup, RetentionInDays: awssdk.Int32(int32(ch.Days))}) //nolint:gosec // days come from a plan that IAM or CloudWatch Logs refuses where they are out of range
		return err
	case plan.CreatePodIdentityAssociation, plan.UpdatePodIdentityAssociation, plan.DeletePodIdentityAssociation:
		return c.callAssociation(ctx, change, before, token)
	case plan.AttachPolicy, plan.DetachPolicy, plan.PutInlinePolicy, plan.DeleteInlinePolicy, plan.UpdateTrustPolicy:
		return c.callIAM(ctx, change)
	}
	return c.callKubernetes(ctx, change, before, want)
}

func (c Clients) callEntry(ctx context.Context, change plan.Change, cluster, token string) error {
	var err error
	switch ch := change.(type) {
	case plan.CreateAccessEntry:
		_, err = c.EKS.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{
			ClusterName: &cluster, PrincipalArn: &ch.PrincipalARN, Type: optional(ch.Type), Username: optional(ch.Username),
			KubernetesGroups: ch.Groups, Tags: ownTags(ch.Tags), ClientRequestToken: &token,
		})
	case plan.UpdateAccessEntry:
		_, err = c.EKS.UpdateAccessEntry(ctx, &eks.UpdateAccessEntryInput{
			ClusterName: &cluster, PrincipalArn: &ch.PrincipalARN, Username: optional(ch.Username), KubernetesGroups: ch.Groups, ClientRequestToken: &token,
		})
	case plan.DeleteAccessEntry:
		_, err = c.EKS.DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{ClusterName: &cluster, PrincipalArn: &ch.PrincipalARN})
	case plan.AssociateAccessPolicy:
		_, err = c.EKS.AssociateAccessPolicy(ctx, &eks.AssociateAccessPolicyInput{
			ClusterName: &cluster, PrincipalArn: &ch.PrincipalARN, PolicyArn: &ch.PolicyARN,
			AccessScope: &types.AccessScope{Type: types.AccessScopeType(ch.Scope.Type), Namespaces: ch.Scope.Namespaces},
		})
	case plan.DisassociateAccessPolicy:
		_, err = c.EKS.DisassociateAccessPolicy(ctx, &eks.DisassociateAccessPolicyInput{ClusterName: &cluster, PrincipalArn: &ch.PrincipalARN, PolicyArn: &ch.PolicyARN})
	}
	return err
}

func logging(ch plan.UpdateClusterLogging) *types.Logging {
	setup := func(kinds []string, on bool) types.LogSetup {
		s := types.LogSetup{Enabled: &on}
		for _, k := range kinds {
			s.Types = append(s.Types, types.LogType(k))
		}
		return s
	}
	var l types.Logging
	if len(ch.Enable) > 0 {
		l.ClusterLogging = append(l.ClusterLogging, setup(ch.Enable, true))
	}
	if len(ch.Disable) > 0 {
		l.ClusterLogging = append(l.ClusterLogging, setup(ch.Disable, false))
	}
	return &l
}

func (c Clients) callAssociation(ctx context.Context, change plan.Change, before *view, token string) error {
	cluster := before.cluster().Name
	id := func(namespace, account string) (*string, error) {
		if id := before.association[part{kind: partAssociation, namespace: namespace, name: account}]; id != "" {
			return &id, nil
		}
		return nil, fmt.Errorf("the association of %s/%s has no id", namespace, account)
	}
	switch ch := change.(type) {
	case plan.CreatePodIdentityAssociation:
		in := &eks.CreatePodIdentityAssociationInput{
			ClusterName: &cluster, Namespace: &ch.Namespace, ServiceAccount: &ch.ServiceAccount, RoleArn: &ch.RoleARN, TargetRoleArn: optional(ch.TargetRoleARN),
			Policy: optional(string(ch.Policy)), Tags: ownTags(ch.Tags), ClientRequestToken: &token,
		}
		if ch.DisableSessionTags {
			in.DisableSessionTags = &ch.DisableSessionTags
		}
		_, err := c.EKS.CreatePodIdentityAssociation(ctx, in)
		return err
	case plan.UpdatePodIdentityAssociation:
		of, err := id(ch.Namespace, ch.ServiceAccount)
		if err != nil {
			return err
		}
		_, err = c.EKS.UpdatePodIdentityAssociation(ctx, &eks.UpdatePodIdentityAssociationInput{
			ClusterName: &cluster, AssociationId: of, RoleArn: optional(ch.RoleARN), TargetRoleArn: optional(ch.TargetRoleARN),
			DisableSessionTags: ch.DisableSessionTags, Policy: optional(string(ch.Policy)), ClientRequestToken: &token,
		})
		return err
	case plan.DeletePodIdentityAssociation:
		of, err := id(ch.Namespace, ch.ServiceAccount)
		if err != nil {
			return err
		}
		_, err = c.EKS.DeletePodIdentityAssociation(ctx, &eks.DeletePodIdentityAssociationInput{ClusterName: &cluster, AssociationId: of})
		return err
	}
	return nil
}

// optional is nil for what stays as it is.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
