package plan

import (
	"slices"
	"strings"
	"time"

	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// AttachPolicy attaches a managed policy to an IAM role or user.
type AttachPolicy struct {
	PrincipalARN string `json:"principalArn"`
	PolicyARN    string `json:"policyArn"`
}

// Apply adds the policy to those attached.
func (c AttachPolicy) Apply(s *model.Snapshot) error {
	p, err := c.find(s)
	if err != nil {
		return err
	}
	p.set(func(attached []string, inline []model.InlinePolicy) ([]string, []model.InlinePolicy) {
		return added(attached, c.PolicyARN), inline
	})
	return nil
}

func (c AttachPolicy) find(s *model.Snapshot) (*principal, error) {
	p, err := findPrincipal(s, c.PrincipalARN)
	if err == nil && slices.Contains(p.attached(), c.PolicyARN) {
		err = &Unmet{c.PrincipalARN, "not yet " + c.PolicyARN, "it attached"}
	}
	return p, err
}

// Inverse detaches the policy.
func (c AttachPolicy) Inverse(before *model.Snapshot) ([]Change, error) {
	if _, err := c.find(before); err != nil {
		return nil, err
	}
	return []Change{DetachPolicy(c)}, nil
}

func (c AttachPolicy) String() string { return "attach " + c.PolicyARN + " to " + c.PrincipalARN }

func (c AttachPolicy) details() details {
	return details{
		target: principalTarget(c.PrincipalARN), command: iamCommand("attach-%-policy", c.PrincipalARN, "--policy-arn", c.PolicyARN),
		precondition: "the policy is not attached", verify: iamCommand("list-attached-%-policies", c.PrincipalARN),
	}
}

// DetachPolicy detaches a managed policy from an IAM role or user.
type DetachPolicy struct {
	PrincipalARN string `json:"principalArn"`
	PolicyARN    string `json:"policyArn"`
}

// Apply takes the policy from those attached.
func (c DetachPolicy) Apply(s *model.Snapshot) error {
	p, err := c.find(s)
	if err != nil {
		return err
	}
	p.set(func(attached []string, inline []model.InlinePolicy) ([]string, []model.InlinePolicy) {
		return without(attached, slices.Index(attached, c.PolicyARN)), inline
	})
	return nil
}

func (c DetachPolicy) find(s *model.Snapshot) (*principal, error) {
	p, err := findPrincipal(s, c.PrincipalARN)
	if err == nil && !slices.Contains(p.attached(), c.PolicyARN) {
		err = &Unmet{c.PrincipalARN, c.PolicyARN + " attached", "not that policy"}
	}
	return p, err
}

// Inverse attaches the policy.
func (c DetachPolicy) Inverse(before *model.Snapshot) ([]Change, error) {
	if _, err := c.find(before); err != nil {
		return nil, err
	}
	return []Change{AttachPolicy(c)}, nil
}

func (c DetachPolicy) String() string { return "detach " + c.PolicyARN + " from " + c.PrincipalARN }

func (c DetachPolicy) details() details {
	return details{
		target: principalTarget(c.PrincipalARN), command: iamCommand("detach-%-policy", c.PrincipalARN, "--policy-arn", c.PolicyARN),
		precondition: "the policy is attached", verify: iamCommand("list-attached-%-policies", c.PrincipalARN),
	}
}

// PutInlinePolicy writes an inline policy of an IAM role or user.
type PutInlinePolicy struct {
	PrincipalARN string `json:"principalArn"`
	Name         string `json:"name"`
	// Before is the document that the change expects there; empty expects no policy of that name.
	Before model.Document `json:"before,omitzero"`
	After  model.Document `json:"after"`
}

// Apply writes the document.
func (c PutInlinePolicy) Apply(s *model.Snapshot) error {
	p, err := c.find(s)
	if err != nil {
		return err
	}
	p.set(func(attached []string, inline []model.InlinePolicy) ([]string, []model.InlinePolicy) {
		policy := model.InlinePolicy{Name: c.Name, Document: c.After}
		if i := named(inline, c.Name); i >= 0 {
			return attached, replaced(inline, i, policy)
		}
		return attached, added(inline, policy)
	})
	return nil
}

func (c PutInlinePolicy) find(s *model.Snapshot) (*principal, error) {
	p, err := findPrincipal(s, c.PrincipalARN)
	if err != nil {
		return nil, err
	}
	object := c.PrincipalARN + " inline policy " + c.Name
	i, has := named(p.inline(), c.Name), model.Document("")
	if i >= 0 {
		has = p.inline()[i].Document
	}
	switch _, err := iam.Parse([]byte(c.After)); {
	case c.Name == "" || err != nil:
		return nil, &Unmet{object, "a name and a policy document", "what IAM would refuse"}
	case has != c.Before, i >= 0 && has == "":
		return nil, &Unmet{object, "the document that was read", "another"}
	case c.After == c.Before:
		return nil, &Unmet{object, "another document", "it already"}
	}
	return p, nil
}

// Inverse writes the old document, or deletes the policy.
func (c PutInlinePolicy) Inverse(before *model.Snapshot) ([]Change, error) {
	if _, err := c.find(before); err != nil {
		return nil, err
	}
	if c.Before == "" {
		return []Change{DeleteInlinePolicy{c.PrincipalARN, c.Name}}, nil
	}
	return undoing(before, c, PutInlinePolicy{c.PrincipalARN, c.Name, c.After, c.Before})
}

func (c PutInlinePolicy) String() string {
	return "write inline policy " + c.Name + " of " + c.PrincipalARN
}

func (c PutInlinePolicy) details() details {
	return details{
		target:       principalTarget(c.PrincipalARN),
		command:      iamCommand("put-%-policy", c.PrincipalARN, "--policy-name", c.Name, "--policy-document", string(c.After)),
		precondition: "the policy is as it was read", verify: iamCommand("get-%-policy", c.PrincipalARN, "--policy-name", c.Name),
	}
}

// DeleteInlinePolicy deletes an inline policy of an IAM role or user.
type DeleteInlinePolicy struct {
	PrincipalARN string `json:"principalArn"`
	Name         string `json:"name"`
}

// Apply removes the policy.
func (c DeleteInlinePolicy) Apply(s *model.Snapshot) error {
	p, err := c.find(s)
	if err != nil {
		return err
	}
	p.set(func(attached []string, inline []model.InlinePolicy) ([]string, []model.InlinePolicy) {
		return attached, without(inline, named(inline, c.Name))
	})
	return nil
}

func (c DeleteInlinePolicy) find(s *model.Snapshot) (*principal, error) {
	p, err := findPrincipal(s, c.PrincipalARN)
	if err == nil && named(p.inline(), c.Name) < 0 {
		err = &Unmet{c.PrincipalARN + " inline policy " + c.Name, "one", "none"}
	}
	return p, err
}

// Inverse writes the policy again.
func (c DeleteInlinePolicy) Inverse(before *model.Snapshot) ([]Change, error) {
	p, err := c.find(before)
	if err != nil {
		return nil, err
	}
	old := p.inline()[named(p.inline(), c.Name)].Document
	return undoing(before, c, PutInlinePolicy{PrincipalARN: c.PrincipalARN, Name: c.Name, After: old})
}

func (c DeleteInlinePolicy) String() string {
	return "delete inline policy " + c.Name + " of " + c.PrincipalARN
}

func (c DeleteInlinePolicy) details() details {
	return details{
		target: principalTarget(c.PrincipalARN), command: iamCommand("delete-%-policy", c.PrincipalARN, "--policy-name", c.Name),
		precondition: "the policy is there", verify: iamCommand("list-%-policies", c.PrincipalARN),
	}
}

// UpdateTrustPolicy writes the trust policy of an IAM role: who may take it.
type UpdateTrustPolicy struct {
	RoleARN string `json:"roleArn"`
	// Before is the document that the change expects there.
	Before model.Document `json:"before"`
	After  model.Document `json:"after"`
}

// Apply writes the document.
func (c UpdateTrustPolicy) Apply(s *model.Snapshot) error {
	p, err := c.find(s)
	if err != nil {
		return err
	}
	r := *p.account.Roles[p.index]
	r.Trust = c.After
	p.account.Roles = replaced(p.account.Roles, p.index, &r)
	return nil
}

func (c UpdateTrustPolicy) find(s *model.Snapshot) (*principal, error) {
	p, err := findPrincipal(s, c.RoleARN)
	if err != nil {
		return nil, err
	}
	object := "trust policy of " + c.RoleARN
	if p.user {
		return nil, &Unmet{object, "a role", "a user"}
	}
	if err := c.taken(); err != nil {
		return nil, err
	}
	switch {
	case p.account.Roles[p.index].Trust != c.Before:
		return nil, &Unmet{object, "the document that was read", "another"}
	case c.Before == c.After:
		return nil, &Unmet{object, "another document", "it already"}
	}
	return p, nil
}

// taken says why IAM would not take the new document.
func (c UpdateTrustPolicy) taken() error {
	if trust, err := iam.Parse([]byte(c.After)); err != nil || len(trust.Statements) == 0 {
		return &Unmet{"trust policy of " + c.RoleARN, "a policy document with statements", "what IAM would refuse"}
	}
	return nil
}

// Inverse writes the old document, if IAM would take it.
func (c UpdateTrustPolicy) Inverse(before *model.Snapshot) ([]Change, error) {
	if _, err := c.find(before); err != nil {
		return nil, err
	}
	undo := UpdateTrustPolicy{c.RoleARN, c.After, c.Before}
	if err := undo.taken(); err != nil {
		return nil, notTakenBack(err)
	}
	return []Change{undo}, nil
}

func (c UpdateTrustPolicy) String() string { return "write the trust policy of " + c.RoleARN }

func (c UpdateTrustPolicy) details() details {
	return details{
		target:       principalTarget(c.RoleARN),
		command:      Shell("aws", "iam", "update-assume-role-policy", "--role-name", nameOfARN(c.RoleARN), "--policy-document", string(c.After)),
		precondition: "the trust policy is as it was read", verify: Shell("aws", "iam", "get-role", "--role-name", nameOfARN(c.RoleARN)),
	}
}

// principal is the place of an IAM role or user in a snapshot.
type principal struct {
	account *model.Account
	user    bool
	index   int
}

func findPrincipal(s *model.Snapshot, arn string) (*principal, error) {
	a, err := account(s, arn)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(a.Roles, func(r *model.IAMRole) bool { return r.ARN == arn }); i >= 0 {
		return &principal{account: a, index: i}, nil
	}
	if i := slices.IndexFunc(a.Users, func(u *model.IAMUser) bool { return u.ARN == arn }); i >= 0 {
		return &principal{account: a, user: true, index: i}, nil
	}
	return nil, &Unmet{arn, "it in the snapshot", "none"}
}

func (p *principal) attached() []string {
	if p.user {
		return p.account.Users[p.index].Attached
	}
	return p.account.Roles[p.index].Attached
}

func (p *principal) inline() []model.InlinePolicy {
	if p.user {
		return p.account.Users[p.index].Inline
	}
	return p.account.Roles[p.index].Inline
}

// set changes the policies of the principal.
func (p *principal) set(change func(attached []string, inline []model.InlinePolicy) ([]string, []model.InlinePolicy)) {
	if p.user {
		u := *p.account.Users[p.index]
		u.Attached, u.Inline = change(u.Attached, u.Inline)
		p.account.Users = replaced(p.account.Users, p.index, &u)
		return
	}
	r := *p.account.Roles[p.index]
	r.Attached, r.Inline = change(r.Attached, r.Inline)
	p.account.Roles = replaced(p.account.Roles, p.index, &r)
}

// principalOf says when an IAM principal was made, whether it is there, and whether that was read.
func principalOf(a *model.Account, arn string) (created time.Time, found, read bool) {
	if parsed, err := iam.ParseARN(arn); err == nil && parsed.IsUser() {
		if i := slices.IndexFunc(a.Users, func(u *model.IAMUser) bool { return u.ARN == arn }); i >= 0 {
			return a.Users[i].Created, true, true
		}
		return time.Time{}, false, a.Read[model.AreaIAMUsers]
	}
	if i := slices.IndexFunc(a.Roles, func(r *model.IAMRole) bool { return r.ARN == arn }); i >= 0 {
		return a.Roles[i].Created, true, true
	}
	return time.Time{}, false, a.Read[model.AreaIAMRoles]
}

func named(inline []model.InlinePolicy, name string) int {
	return slices.IndexFunc(inline, func(p model.InlinePolicy) bool { return p.Name == name })
}

// iamCommand is a command of `aws iam` about a role or a user, which stands for % in its name.
func iamCommand(command, arn string, args ...string) string {
	kind := "role"
	if parsed, err := iam.ParseARN(arn); err == nil && parsed.IsUser() {
		kind = "user"
	}
	all := []string{"aws", "iam", strings.ReplaceAll(command, "%", kind), "--" + kind + "-name", nameOfARN(arn)}
	return Shell(append(all, args...)...)
}

func nameOfARN(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

func principalTarget(arn string) finding.Target {
	kind := "IAMRole"
	if parsed, err := iam.ParseARN(arn); err == nil && parsed.IsUser() {
		kind = "IAMUser"
	}
	return finding.Target{Subject: finding.Subject{Kind: kind, Name: nameOfARN(arn), ARN: arn}}
}
