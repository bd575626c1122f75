package detect

import (
	"reflect"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/event"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// trustReach is whom a trust policy lets in, as far as workloads count.
type trustReach struct {
	// workloads says that it is for pods: it lets EKS Pod Identity in, or tokens of an EKS cluster.
	workloads bool
	// open is what it leaves open, in words. guards are the condition keys that hold Pod Identity, names the principals.
	open, guards, names []string
	podIdentity         bool
}

// readTrust works out whom a trust policy of a role lets in; false if it cannot be read.
func readTrust(arn, document, region string) (r trustReach, ok bool) {
	a, err := iam.ParseARN(arn)
	if err != nil {
		return r, false
	}
	policy, err := iam.Parse([]byte(document))
	if err != nil {
		return r, false
	}
	role := &model.IAMRole{ARN: arn, Name: a.Name(), Trust: model.Document(document)}
	t := access.New(&model.Snapshot{Accounts: []*model.Account{{ID: a.Account, Partition: a.Partition, Roles: []*model.IAMRole{role}}}}).Trust(role)
	if t == nil {
		return r, false
	}
	r.statements(policy)
	reach := t.PodIdentityReach(region)
	switch {
	case reach.Anybody == access.Yes:
		r.open = append(r.open, "any service account of any cluster of the account by Pod Identity")
	case reach.AnyCluster == access.Yes:
		r.open = append(r.open, "service accounts of the right name of any cluster of the account by Pod Identity")
	}
	for _, provider := range t.Providers() {
		_, issuer, _ := strings.Cut(provider, ":oidc-provider/")
		if _, eks := access.ParseEKSIssuer(issuer); !eks {
			continue
		}
		r.workloads = true
		for _, o := range t.Openings(issuer) {
			switch {
			case len(o.If) > 0:
			case o.Pattern == "":
				r.open = append(r.open, "any service account of "+issuer)
			default:
				r.open = append(r.open, "every service account like "+o.Pattern+" of "+issuer)
			}
		}
		if e := t.AnyAudience(issuer); e.Verdict == iam.Allowed {
			r.open = append(r.open, "tokens of "+issuer+" that were made for others than AWS")
		}
	}
	return r, true
}

// statements takes the principals that are let in and the conditions that hold Pod Identity: those that every statement has
// that lets it in.
func (r *trustReach) statements(p *iam.Policy) {
	for i := range p.Statements {
		s := &p.Statements[i]
		if s.Effect != iam.Allow || s.Principal == nil {
			continue
		}
		if s.Principal.Everyone {
			r.names = append(r.names, "everyone")
		}
		r.names = slices.Concat(r.names, s.Principal.AWS, s.Principal.Federated)
		if !slices.Contains(s.Principal.Service, access.PodIdentityService) || s.MatchesAction("sts:AssumeRole") == iam.False {
			continue
		}
		var guards []string
		for _, c := range s.Conditions {
			if !c.TrueWhenAbsent() {
				guards = append(guards, c.Key)
			}
		}
		if r.podIdentity {
			r.guards = slices.DeleteFunc(r.guards, func(g string) bool { return !containsFold(guards, g) })
		} else {
			r.guards = guards
		}
		r.podIdentity, r.workloads = true, true
	}
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, s) })
}

// trustSet is the trust policy that an event sets, and the one before it where that is known.
func (l *look) trustSet() (after, before trustReach, known, ok bool) {
	name := l.first(pathRoleName)
	document := pathPolicyDocument
	switch {
	case !l.Field(event.EventSource).Is("iam.amazonaws.com") || name == "":
		return after, before, false, false
	case l.Field(event.EventName).Is("CreateRole"): // of a name that a role had before: whoever names it by its ARN gets the new one
		document = pathTrustOfNewRole
	case !l.Field(event.EventName).Is(updateTrust):
		return after, before, false, false
	}
	account := l.text(event.RecipientAccount)
	arn := iam.ARN{Partition: l.partition(), Service: "iam", Account: account, Resource: "role/" + name}.String()
	var old string
	told := false
	if l.ctx.Access != nil {
		if r, presence := l.ctx.Access.RoleByName(account, name); presence == access.Present {
			arn, old = r.ARN, string(r.Trust)
		}
	}
	if f := l.ledger.RolePolicies.get(policyKey(account, name)); f != nil {
		now := l.now()
		for i := range f.Trust {
			if f.Trust[i].before(now) && f.Trust[i].Document != "" { // of a role that was deleted the last one counts
				old, told = f.Trust[i].Document, true
			}
		}
	}
	region := l.text(event.Region)
	if after, ok = readTrust(arn, l.first(document), region); !ok {
		return after, before, false, false
	}
	if old != "" {
		before, known = readTrust(arn, old, region)
	}
	if known && !told && reflect.DeepEqual(before, after) {
		known = false // the snapshot may have the role as it was after the event
	}
	return after, before, known, true
}

// partition is that of who acts, and with it the event's.
func (l *look) partition() string {
	if a, err := iam.ParseARN(l.actor().Principal); err == nil {
		return strings.Clone(a.Partition)
	}
	return "aws"
}

// trustWidened compares what a trust policy lets in with the one before, for roles that were or are for workloads. Which one
// was before is known when nothing more can come between.
func trustWidened(l *look) []string {
	if !l.final {
		return nil
	}
	after, before, known, ok := l.trustSet()
	if !ok || !known || !after.workloads && !before.workloads {
		return nil
	}
	var out []string
	for _, o := range after.open {
		if !slices.Contains(before.open, o) {
			out = append(out, o)
		}
	}
	if before.podIdentity && after.podIdentity && len(out) == 0 {
		for _, g := range before.guards {
			if !containsFold(after.guards, g) {
				out = append(out, "Pod Identity without the condition on "+g)
			}
		}
	}
	for _, n := range after.names {
		if !slices.Contains(before.names, n) {
			out = append(out, n)
		}
	}
	return some(strings.Join(out, "; "))
}

func trustOpen(l *look) []string {
	if !l.final {
		return nil
	}
	after, _, known, ok := l.trustSet()
	if !ok || known || !after.workloads {
		return nil
	}
	return some(strings.Join(after.open, "; "))
}
