package apply

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"drawbridge/internal/finding"
	arn "drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// principal is an IAM role or user as calls know it: by its name, in the account that the client is for.
type principal struct {
	api     IAM
	account string
	user    bool
	name    string
}

func (c Clients) principal(text string) (principal, error) {
	a, err := arn.ParseARN(text)
	if err != nil || !a.IsRole() && !a.IsUser() {
		return principal{}, fmt.Errorf("%s is no IAM role or user", text)
	}
	p := principal{api: c.IAM, account: a.Account, user: a.IsUser(), name: text[strings.LastIndexByte(text, '/')+1:]}
	if of, ok := c.Accounts[a.Account]; ok {
		p.api = of
	} else if c.Account != "" && c.Account != a.Account {
		return principal{}, &NoCredentials{a.Account}
	}
	if p.api == nil {
		return principal{}, errNoClient("IAM")
	}
	return p, nil
}

// readPrincipal reads what a part says of a role or user. A name is found in the account that the credentials are for,
// whichever that is, so the ARN must be the one that was meant.
func (c Clients) readPrincipal(ctx context.Context, v *view, p part) error {
	who, err := c.principal(p.name)
	if err != nil {
		return err
	}
	account := v.Account(who.account)
	if account == nil {
		account = &model.Account{ID: who.account}
		v.Accounts = append(v.Accounts, account)
	}
	found, err := who.describe(ctx)
	if err != nil || found == nil {
		return err
	}
	if found.arn != p.name {
		return fmt.Errorf("the one of that name is %s: it is in another account or has another path", found.arn)
	}
	return v.keep(ctx, account, who, found, p)
}

// described is what GetRole or GetUser say.
type described struct {
	arn, id, name string
	created       time.Time
	trust         model.Document
}

// describe is nil where there is none of that name.
func (p principal) describe(ctx context.Context) (*described, error) {
	if p.user {
		out, err := p.api.GetUser(ctx, &iam.GetUserInput{UserName: &p.name})
		if err != nil || out.User == nil {
			return nil, unlessGone(err)
		}
		return &described{awssdk.ToString(out.User.Arn), awssdk.ToString(out.User.UserId), p.name, awssdk.ToTime(out.User.CreateDate), ""}, nil
	}
	out, err := p.api.GetRole(ctx, &iam.GetRoleInput{RoleName: &p.name})
	if err != nil || out.Role == nil {
		return nil, unlessGone(err)
	}
	trust, err := document(out.Role.AssumeRolePolicyDocument)
	return &described{awssdk.ToString(out.Role.Arn), awssdk.ToString(out.Role.RoleId), p.name, awssdk.ToTime(out.Role.CreateDate), trust}, err
}

// attached are the ARNs of the managed policies.
func (p principal) attached(ctx context.Context) ([]string, error) {
	var all []string
	add := func(policies []types.AttachedPolicy) {
		for _, a := range policies {
			all = append(all, awssdk.ToString(a.PolicyArn))
		}
	}
	if p.user {
		for pages := iam.NewListAttachedUserPoliciesPaginator(p.api, &iam.ListAttachedUserPoliciesInput{UserName: &p.name}); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			add(page.AttachedPolicies)
		}
		return sorted(all), nil
	}
	for pages := iam.NewListAttachedRolePoliciesPaginator(p.api, &iam.ListAttachedRolePoliciesInput{RoleName: &p.name}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		add(page.AttachedPolicies)
	}
	return sorted(all), nil
}

// inline are the inline policies of that name: one or none.
func (p principal) inline(ctx context.Context, policy string) ([]model.InlinePolicy, error) {
	var text *string
	if p.user {
		out, err := p.api.GetUserPolicy(ctx, &iam.GetUserPolicyInput{UserName: &p.name, PolicyName: &policy})
		if err != nil {
			return nil, unlessGone(err)
		}
		text = out.PolicyDocument
	} else {
		out, err := p.api.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &p.name, PolicyName: &policy})
		if err != nil {
			return nil, unlessGone(err)
		}
		text = out.PolicyDocument
	}
	d, err := document(text)
	return []model.InlinePolicy{{Name: policy, Document: d}}, err
}

// document reads a policy document as IAM sends it: percent-encoded (IAM API Reference, GetRole, "URL-encoded compliant with
// RFC 3986", 2026-11).
func document(text *string) (model.Document, error) {
	plain, err := url.PathUnescape(awssdk.ToString(text))
	if err != nil {
		return "", errors.New("a policy document that is not percent-encoded")
	}
	return model.Document(plain), nil
}

// keep adds to the account what a part says of a role or user.
func (v *view) keep(ctx context.Context, account *model.Account, who principal, d *described, p part) error {
	role, user := v.held(account, who, d)
	switch p.kind {
	case partTrust:
		if role != nil {
			role.Trust = d.trust
		}
	case partAttached:
		attached, err := who.attached(ctx)
		if err != nil {
			return err
		}
		if role != nil {
			role.Attached = attached
		} else {
			user.Attached = attached
		}
	case partInline:
		inline, err := who.inline(ctx, p.policy)
		if err != nil {
			return err
		}
		if role != nil {
			role.Inline = append(role.Inline, inline...)
		} else {
			user.Inline = append(user.Inline, inline...)
		}
	}
	return nil
}

// held finds the role or user in the view, or adds it.
func (v *view) held(account *model.Account, who principal, d *described) (*model.IAMRole, *model.IAMUser) {
	if who.user {
		for _, u := range account.Users {
			if u.ARN == d.arn {
				return nil, u
			}
		}
		u := &model.IAMUser{ARN: d.arn, ID: d.id, Name: d.name, Created: d.created}
		account.Users = append(account.Users, u)
		return nil, u
	}
	for _, r := range account.Roles {
		if r.ARN == d.arn {
			return r, nil
		}
	}
	r := &model.IAMRole{ARN: d.arn, ID: d.id, Name: d.name, Created: d.created}
	account.Roles = append(account.Roles, r)
	return r, nil
}

// readOwner adds the principal of an access entry, so that what undoes its deletion is judged by whether the principal is
// still the one that the entry was made for. What may not be read stays unknown.
func (c Clients) readOwner(ctx context.Context, v *view, text string) {
	who, err := c.principal(text)
	if err != nil || who.account != v.cluster().Account {
		return
	}
	d, err := who.describe(ctx)
	if err != nil {
		v.Gaps = append(v.Gaps, finding.Gap{Area: string(model.AreaIAMRoles), Account: who.account, Reason: err.Error()})
		return
	}
	account := v.Account(who.account)
	if account == nil {
		account = &model.Account{ID: who.account}
		v.Accounts = append(v.Accounts, account)
	}
	account.MarkRead(model.AreaIAMRoles, model.AreaIAMUsers)
	if d != nil {
		v.held(account, who, d)
	}
}
