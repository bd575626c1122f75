package apply

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"drawbridge/internal/plan"
)

func (c Clients) callIAM(ctx context.Context, change plan.Change) error {
	switch ch := change.(type) {
	case plan.AttachPolicy:
		return c.as(ch.PrincipalARN, func(p principal) error { return p.attach(ctx, ch.PolicyARN) })
	case plan.DetachPolicy:
		return c.as(ch.PrincipalARN, func(p principal) error { return p.detach(ctx, ch.PolicyARN) })
	case plan.PutInlinePolicy:
		return c.as(ch.PrincipalARN, func(p principal) error { return p.put(ctx, ch.Name, string(ch.After)) })
	case plan.DeleteInlinePolicy:
		return c.as(ch.PrincipalARN, func(p principal) error { return p.remove(ctx, ch.Name) })
	case plan.UpdateTrustPolicy:
		return c.as(ch.RoleARN, func(p principal) error {
			trust := string(ch.After)
			_, err := p.api.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &p.name, PolicyDocument: &trust})
			return err
		})
	}
	return nil
}

// as finds the role or user of an ARN for a call.
func (c Clients) as(text string, call func(principal) error) error {
	p, err := c.principal(text)
	if err != nil {
		return err
	}
	return call(p)
}

func (p principal) attach(ctx context.Context, policy string) error {
	if p.user {
		_, err := p.api.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: &p.name, PolicyArn: &policy})
		return err
	}
	_, err := p.api.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: &p.name, PolicyArn: &policy})
	return err
}

func (p principal) detach(ctx context.Context, policy string) error {
	if p.user {
		_, err := p.api.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: &p.name, PolicyArn: &policy})
		return err
	}
	_, err := p.api.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: &p.name, PolicyArn: &policy})
	return err
}

func (p principal) put(ctx context.Context, policy, text string) error {
	if p.user {
		_, err := p.api.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &p.name, PolicyName: &policy, PolicyDocument: &text})
		return err
	}
	_, err := p.api.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &p.name, PolicyName: &policy, PolicyDocument: &text})
	return err
}

func (p principal) remove(ctx context.Context, policy string) error {
	if p.user {
		_, err := p.api.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: &p.name, PolicyName: &policy})
		return err
	}
	_, err := p.api.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &p.name, PolicyName: &policy})
	return err
}
