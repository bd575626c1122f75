package migrate

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/diff"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// keyed decides what becomes of a service account whose pods have access keys, which every SDK uses first. Role is what the
// service account is to hold by other ways, or "".
func (p *planner) keyed(of *usage, role string) Holder {
	sa := of.account
	h := Holder{Account: sa, From: FromKeys, RoleARN: role, Outcome: BecomesPodIdentity, existing: p.cluster.Association(sa.Namespace, sa.Name)}
	var places []string
	for _, u := range of.keyed {
		for _, place := range keysOf(u.Spec) {
			places = append(places, unitsText([]*access.Unit{u})+" "+place)
		}
	}
	h.Notes = append(h.Notes, "keys: "+listed(places, 5))
	user := p.userOf(&h)
	switch {
	case role != "":
		h.Outcome, h.settled = Moving, true
	case p.chosenRole(&h) == nil:
		h.Why = p.roleWanted(&h, user)
	default:
		h.Why = p.cannotMoveKeyed(&h, of)
	}
	if h.Why != "" {
		h.Outcome = Blocked
		return h
	}
	h.Notes = append(h.Notes, p.compared(&h, user)...)
	return h
}

// chosenRole is the role that is to stand in for the keys: the one that the user names, or the one that the convention names.
func (p *planner) chosenRole(h *Holder) *model.IAMRole {
	h.RoleARN = p.roleOf(h.Account.Namespace, h.Account.Name)
	if h.RoleARN == "" {
		if role, _ := p.all.RoleByName(p.cluster.Account, p.RoleName(p.cluster.Name, h.Account.Namespace, h.Account.Name)); role != nil {
			h.RoleARN = role.ARN
		}
	}
	h.role, _ = p.all.Role(h.RoleARN)
	return h.role
}

func (p *planner) cannotMoveKeyed(h *Holder, of *usage) string {
	if h.foreign(p.cluster) {
		return fmt.Sprintf("role %s is not of the cluster's account, %s", h.RoleARN, p.cluster.Account)
	}
	if why := p.alone(of, of.keyed, of.bare); why != "" {
		return why
	}
	if why := p.readRole(h); why != "" {
		return why
	}
	return p.unfit(of.account)
}

// roleWanted says that somebody has to make or name a role, and what it has to allow.
func (p *planner) roleWanted(h *Holder, user *model.IAMUser) string {
	who := h.Account.Namespace + "/" + h.Account.Name
	if h.RoleARN != "" {
		return fmt.Sprintf("role %s, which is to stand in for its keys, was not found", h.RoleARN)
	}
	needs := "whose keys they are is in no snapshot: the access key tells it (aws sts get-access-key-info, CloudTrail), and --keys-of " + who + "=ARN says it"
	if user != nil {
		needs = "it has to allow what user " + user.Name + " may: " + p.policiesOf(user)
	}
	return fmt.Sprintf("its pods run with access keys: make a role named %s, or name one with --role %s=ARN, and plan again; %s", p.RoleName(p.cluster.Name, h.Account.Namespace, h.Account.Name), who, needs)
}

// userOf is the user whose keys they are, as far as somebody says it and it was read.
func (p *planner) userOf(h *Holder) *model.IAMUser {
	who := h.Account.Namespace + "/" + h.Account.Name
	arn := p.KeysOf[p.cluster.Name+"/"+who]
	if arn == "" {
		arn = p.KeysOf[who]
	}
	user, presence := p.all.User(arn)
	if arn != "" && user == nil {
		h.Notes = append(h.Notes, fmt.Sprintf("user %s, whose keys they are to be, %s", arn, map[bool]string{true: "does not exist", false: "was not read"}[presence == access.Absent]))
	}
	return user
}

// policiesOf lists what decides what a user may do.
func (p *planner) policiesOf(u *model.IAMUser) string {
	var all []string
	add := func(of string, attached []string, inline []model.InlinePolicy) {
		for _, arn := range attached {
			all = append(all, arn+of)
		}
		for _, i := range inline {
			all = append(all, "inline policy "+i.Name+of)
		}
	}
	add("", u.Attached, u.Inline)
	arn, _ := iam.ParseARN(u.ARN)
	account := p.snapshot.Account(arn.Account)
	for _, name := range u.Groups {
		i := slices.IndexFunc(account.Groups, func(g *model.IAMGroup) bool { return g.Name == name })
		if i < 0 {
			all = append(all, "what group "+name+" has (not read)")
			continue
		}
		add(" (of group "+name+")", account.Groups[i].Attached, account.Groups[i].Inline)
	}
	if u.PoliciesUnknown {
		all = append(all, "policies that were not read")
	}
	text := "nothing"
	if len(all) > 0 {
		text = strings.Join(all, ", ")
	}
	if u.Boundary != "" {
		text += ", within boundary " + u.Boundary
	}
	return text
}

// compared says what the role allows that the keys do not, and the other way round, by the algebra of statements.
func (p *planner) compared(h *Holder, user *model.IAMUser) []string {
	if user == nil {
		return []string{"whose keys they are is in no snapshot, so that what the pods may do with them is not compared with the role: --keys-of " + h.Account.Namespace + "/" + h.Account.Name + "=ARN says whose"}
	}
	keys, role := p.callers(user.ARN), p.callers(h.RoleARN)
	if p.algebra == nil {
		p.algebra = diff.NewAWS()
	}
	lost, openLost := p.algebra.Minus(keys, role)
	gained, openGained := p.algebra.Minus(role, keys)
	var notes []string
	say := func(what string, found []diff.Permission) {
		var texts []string
		for i := range found {
			texts = append(texts, found[i].Witness.Action+" on "+found[i].Witness.Resource)
		}
		if len(texts) > 0 {
			notes = append(notes, what+listed(texts, 5))
		}
	}
	if len(lost) > 0 {
		h.lacks = user.Name
	}
	say("the role LACKS what user "+user.Name+" may, such as ", lost)
	say("the role may, and user "+user.Name+" may not, such as ", gained)
	if open := len(openLost) + len(openGained); open > 0 {
		notes = append(notes, fmt.Sprintf("in %d places the role and user %s could not be compared", open, user.Name))
	}
	if len(notes) == 0 {
		notes = []string{"by its policies the role may exactly what user " + user.Name + " may"}
	}
	return notes
}

// callers are an IAM principal as the algebra wants it.
func (p *planner) callers(arn string) []diff.Caller {
	id, err := access.ParseIdentity(arn)
	if err != nil {
		return nil
	}
	var all []diff.Caller
	for _, s := range p.all.AWSSessions(id) {
		all = append(all, diff.Caller{Principal: s.Principal, Policies: s.Policies, Context: s.Context})
	}
	return all
}

// keysOf says where a pod has access keys, going by names: values are in no snapshot. Keys are environment variables, or a Secret
// mounted where the SDKs look for a file of them.
func keysOf(s *model.PodSpec) []string {
	var places []string
	secrets := map[string]string{}
	for _, v := range s.Volumes {
		if v.Secret != "" {
			secrets[v.Name] = v.Secret
		}
	}
	for _, c := range s.Containers {
		for _, e := range c.Env {
			fromSecret := strings.HasPrefix(e.From, "secret/") && strings.EqualFold(e.From[strings.LastIndexByte(e.From, '/')+1:], "AWS_SECRET_ACCESS_KEY")
			if e.Name != "AWS_ACCESS_KEY_ID" && e.Name != "AWS_SECRET_ACCESS_KEY" && !fromSecret {
				continue
			}
			from := "written out"
			if e.From != "" {
				from = "from " + e.From
			}
			places = append(places, fmt.Sprintf("container %s, variable %s %s", c.Name, e.Name, from))
		}
		for _, m := range c.Mounts {
			if secret := secrets[m.Volume]; secret != "" && slices.Contains(strings.Split(m.Path, "/"), ".aws") {
				places = append(places, fmt.Sprintf("container %s, secret/%s at %s", c.Name, secret, m.Path))
			}
		}
	}
	return places
}

// listed joins the first few of some texts.
func listed(texts []string, most int) string {
	if len(texts) > most {
		return strings.Join(texts[:most], "; ") + fmt.Sprintf("; and %d more", len(texts)-most)
	}
	return strings.Join(texts, "; ")
}
