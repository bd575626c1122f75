package access

import (
	"strings"

	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// The ways of this file give a part of the cluster: a controller, an add-on, a node.

// capability: a controller that AWS runs, with a role and an access entry in the cluster.
func (t *Takeovers) capability(p *IAMPrincipal) Takeover {
	return t.handingRole(p, "capability", t.after()+"create a capability (ACK, KRO or Argo CD) that acts in the cluster with a role of its choice",
		"what the controller may do there depends on its kind and on the access policies of its entry",
		append(t.opened(p), ask{"eks:CreateCapability", t.cluster.ARN, t.about(p)}), "capabilities.eks.amazonaws.com")
}

// addon: an add-on with values and a role of its choice.
func (t *Takeovers) addon(p *IAMPrincipal) Takeover {
	const short = "as far as the add-on's configuration and role go"
	best := t.handingRole(p, "addon", "install an add-on with configuration values and an IAM role of its choice", short,
		[]ask{{"eks:CreateAddon", t.cluster.ARN, t.about(p)}}, PodIdentityService)
	for _, a := range t.cluster.Addons {
		if best.Answer == Yes || a.ARN == "" {
			break
		}
		w := t.handingRole(p, "addon", "change the configuration values and IAM role of add-on "+a.Name, short,
			[]ask{{"eks:UpdateAddon", a.ARN, p.context}}, PodIdentityService)
		if better(w.Permit, best.Permit) {
			best = w
		}
	}
	return best
}

// handingRole asks for something together with passing a role to a service: any role, or one that trusts the service.
func (t *Takeovers) handingRole(p *IAMPrincipal, id, title, short string, asks []ask, services ...string) Takeover {
	w := Takeover{ID: id, Title: title, Short: short, Permit: Permit{Answer: No}}
	if !p.may.has("iam:PassRole") || p.can(asks...).Answer == No {
		return w
	}
	for _, service := range services {
		pass := t.pass(p, service)
		ways := append([]*model.IAMRole{nil}, within(p, "iam:PassRole", t.cluster.all.trusting(t.cluster.Account, service))...)
		for _, r := range ways {
			one := title
			if pass.resource = p.fill(anyRole, ""); r != nil {
				pass.resource, one = r.ARN, title+", such as "+r.ARN
			}
			if permit := p.can(append(asks[:len(asks):len(asks)], pass)...); better(permit, w.Permit) {
				w.Permit, w.Title = permit, one
			}
			if w.Answer != No {
				break
			}
		}
	}
	return w
}

// pass asks for passing any role to a service for use with the cluster.
func (t *Takeovers) pass(p *IAMPrincipal, service string) ask {
	return ask{"iam:PassRole", p.fill(anyRole, t.cluster.Region), p.passing(service).Set("iam:AssociatedResourceArn", t.cluster.ARN)}
}

// node: a shell on one of the nodes.
func (t *Takeovers) node(p *IAMPrincipal) Takeover {
	w := Takeover{ID: "node", Short: "it gets the node and the pods there, not the whole cluster", Permit: Permit{Answer: No}}
	if !p.may.has("ssm:StartSession") && !p.may.has("ssm:SendCommand") {
		return w
	}
	document := strings.NewReplacer("$p", t.cluster.Partition, "$r", t.cluster.Region).Replace(anyDocument)
	for _, i := range t.cluster.Instances {
		arn := "arn:" + t.cluster.Partition + ":ec2:" + t.cluster.Region + ":" + t.cluster.Account + ":instance/" + i.ID
		for _, asks := range [][]ask{{{action: "ssm:StartSession", resource: arn}}, {{action: "ssm:SendCommand", resource: arn}, {action: "ssm:SendCommand", resource: document}}} {
			if permit := p.can(asks...); better(permit, w.Permit) {
				w.Title, w.Permit = "run commands on node "+i.ID+" through Systems Manager", permit
			}
		}
		if w.Answer == Yes {
			break
		}
	}
	return w
}

// nodegroup: nodes of its own, by a node group or by an access entry that lets any instance of a role in as a node. Which
// service a node role is passed to is not published for each way, so several are tried.
func (t *Takeovers) nodegroup(p *IAMPrincipal) Takeover {
	const short = "it gets nodes and the pods that are placed there, not the whole cluster"
	services := []string{"ec2.amazonaws.com", "eks.amazonaws.com"}
	w := t.handingRole(p, "nodegroup", "add a node group with a start script and node role of its choice", short,
		[]ask{{"eks:CreateNodegroup", t.cluster.ARN, t.about(p)}}, services...)
	if w.Answer == Yes {
		return w
	}
	entry := t.create(p, "")
	entry.context.Set("eks:accessEntryType", model.EntryEC2Linux)
	if other := t.handingRole(p, "node-entry", t.after()+"create an access entry by which instances of its own join as nodes", short, append(t.opened(p), entry), services...); better(other.Permit, w.Permit) {
		return other
	}
	return w
}

// trusting lists the roles of an account whose trust policy may let a service take them.
func (a *Access) trusting(account, service string) byARN[*model.IAMRole] {
	if found, ok := a.trustingService.Load([2]string{account, service}); ok {
		return found.(byARN[*model.IAMRole])
	}
	var all byARN[*model.IAMRole]
	if acct := a.snapshot.Account(account); acct != nil {
		for _, r := range acct.Roles {
			if doc, err := a.Parse(r.Trust); err == nil && namesService(doc, service) && a.Trust(r) != nil && a.Trust(r).names(service) {
				all.add(r.ARN, r)
			}
		}
	}
	a.trustingService.Store([2]string{account, service}, all)
	return all
}

// namesService says at a glance whether a trust policy can be about a service at all.
func namesService(doc *iam.Policy, service string) bool {
	for i := range doc.Statements {
		s := &doc.Statements[i]
		if s.NotPrincipal != nil || s.Principal != nil && (s.Principal.Everyone || len(s.Principal.Service) > 0 && containsFold(s.Principal.Service, service)) {
			return true
		}
	}
	return len(doc.Unknown) > 0
}

func containsFold(list []string, s string) bool {
	for _, l := range list {
		if strings.EqualFold(l, s) {
			return true
		}
	}
	return false
}
