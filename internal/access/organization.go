package access

import (
	"strings"

	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// Guardrails are the policies of an organization as they bind one account. Those that were not read do not count: whoever
// shows an answer says so.
type Guardrails struct {
	// SCP are the service control policies, which limit the account's principals, level by level from the root down: what
	// iam.Policies wants. They bind all but service-linked roles.
	SCP [][]iam.Named
	// SCPRead and RCPRead say whether all policies of the kind were read; that there are none counts as read.
	SCPRead, RCPRead bool

	rcp [][]iam.Named
	// organization is nil for an account in none, and for one of which nothing is known; then known is false.
	organization *model.Organization
	known        bool
	placed       bool // of some SCP
}

// Guardrails returns the policies of an organization that bind an account.
func (a *Access) Guardrails(account string) *Guardrails {
	if g, ok := a.guardrails.Load(account); ok {
		return g.(*Guardrails)
	}
	g, _ := a.guardrails.LoadOrStore(account, a.newGuardrails(account))
	return g.(*Guardrails)
}

func (a *Access) newGuardrails(account string) *Guardrails {
	g := &Guardrails{}
	acct := a.snapshot.Account(account)
	if acct == nil || acct.Organization == nil && !acct.Read[model.AreaOrganization] {
		return g
	}
	o := acct.Organization
	g.organization, g.known = o, true
	if o == nil || !o.Binds(account) {
		g.SCPRead, g.RCPRead = true, true
		return g
	}
	g.SCP, g.SCPRead = a.levels(o, o.SCPsUnknown, everything[0].Policy, func(l *model.OrganizationLevel) []model.OrganizationPolicy { return l.SCPs })
	g.rcp, g.RCPRead = a.levels(o, o.RCPsUnknown, openToAll, func(l *model.OrganizationLevel) []model.OrganizationPolicy { return l.RCPs })
	for _, level := range g.SCP {
		for i := range level {
			g.placed = g.placed || placed(level[i].Policy)
		}
	}
	return g
}

// levels are the policies of one kind, level by level, and whether they are all. A policy that cannot be read counts as one
// that allows everything: what others deny is denied all the same.
func (a *Access) levels(o *model.Organization, unknown bool, full *iam.Policy, of func(*model.OrganizationLevel) []model.OrganizationPolicy) (levels [][]iam.Named, all bool) {
	enabled := false
	all = !unknown
	for i := range o.Levels {
		level := &o.Levels[i]
		var policies []iam.Named
		for _, p := range of(level) {
			doc, err := a.Parse(p.Document)
			if err != nil || len(doc.Unknown) > 0 {
				doc, all = full, false
			}
			policies = append(policies, iam.Named{Name: p.Name + " (" + p.ID + ") at " + level.ID, Policy: doc})
		}
		enabled = enabled || len(policies) > 0
		if len(policies) > 0 || !unknown {
			levels = append(levels, policies)
		}
	}
	if !enabled { // every level has one at least where the type of policy is in use
		return nil, all
	}
	return levels, all
}

// openToAll is a policy of resources that allows everything.
var openToAll = func() *iam.Policy {
	p, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`))
	if err != nil {
		panic(err)
	}
	return p
}()

// RCP returns the resource control policies for an action on a resource of the account, level by level from the root down:
// none for services that they are not for. They are not for keys that AWS manages in KMS either, which an ARN does not tell.
func (g *Guardrails) RCP(action string) [][]iam.Named {
	service, name, _ := strings.Cut(strings.ToLower(action), ":")
	if !underRCP[service] || service == "kms" && name == "retiregrant" {
		return nil
	}
	return g.rcp
}

// underRCP are the services that resource control policies are for (AWS Organizations User Guide, "Resource control
// policies (RCPs)", list of AWS services that support RCPs, as of 2026-09-26).
var underRCP = func() map[string]bool {
	all := map[string]bool{}
	for _, service := range strings.Fields(`appstream dsql clouddirectory cloudfront cloudsearch logs networkmonitor cognito-identity cognito-idp
		comprehend comprehendmedical firehose dynamodb dax autoscaling ecr ecr-public gamelift inspector-scan kendra kinesisvideo memorydb aoss
		personalize polly s3 swf sqs textract timestream-influxdb transcribe translate workspaces appconfig autoscaling-plans budgets
		servicediscovery cloudtrail-data codeartifact codebuild codecommit codepipeline compute-optimizer cost-optimization-hub events fms fis
		health rolesanywhere kms opensearch pricing pca-connector-ad resource-groups secretsmanager sts signin support transfer notifications
		wafv2 xray`) {
		all[service] = true
	}
	return all
}()

// keys makes the organization of an account known to a context, under "aws:PrincipalOrg" or "aws:ResourceOrg" (IAM User
// Guide, "AWS global condition context keys", 2026-11). The path ends with the unit that the account is in.
func (g *Guardrails) keys(c *iam.Context, prefix string) *iam.Context {
	if !g.known {
		return c
	}
	if g.organization == nil {
		return c.SetAbsent(prefix + "ID").SetAbsent(prefix + "Paths")
	}
	c.Set(prefix+"ID", g.organization.ID)
	if levels := g.organization.Levels; len(levels) > 1 {
		path := g.organization.ID + "/"
		for _, l := range levels[:len(levels)-1] {
			path += l.ID + "/"
		}
		c.Set(prefix+"Paths", path)
	}
	return c
}

// placed says whether a policy has a condition on the region that is asked, or on whose resource it is about.
func placed(p *iam.Policy) bool {
	for i := range p.Statements {
		for j := range p.Statements[i].Conditions {
			switch strings.ToLower(p.Statements[i].Conditions[j].Key) {
			case "aws:requestedregion", "aws:resourceaccount", "aws:resourceorgid", "aws:resourceorgpaths":
				return true
			}
		}
	}
	return false
}

// UnderRCP is the trust policy together with the resource control policies of the role's account, as far as they were read.
func (t *Trust) UnderRCP() *Trust {
	under := *t
	under.rcp = true
	return &under
}

// inOrganization is a context with what is known of the organizations of whoever asks and of the role.
func (t *Trust) inOrganization(c *iam.Context, who iam.Principal) *iam.Context {
	asking, asked := t.all.Guardrails(who.Account), t.all.Guardrails(t.arn.Account)
	if !asking.known && !asked.known {
		return c
	}
	return asked.keys(asking.keys(c.Clone(), "aws:PrincipalOrg"), "aws:ResourceOrg")
}

// underRCP notes whether resource control policies keep out a session that a trust policy lets in.
func (s *AWSSession) underRCP(byTrust, under Entry) {
	switch {
	case under.Not():
		s.Verdict, s.Chain = Denied, append(s.Chain, under.guards...)
	case under.Verdict == iam.Undecided && byTrust.Verdict == iam.Allowed:
		for _, g := range under.guards {
			s.doubt("unless denied by " + g.Source + ": " + g.Text)
		}
	}
}

// inOrganization returns the policies for a request, which names the account of its resource, with those of organizations;
// to the request's context it adds what follows from organizations and from where the resource is.
func (a *Access) inOrganization(p iam.Policies, r *iam.Request) iam.Policies {
	asking, asked := a.Guardrails(r.Principal.Account), a.Guardrails(r.ResourceAccount)
	p.SCP, p.RCP = asking.SCP, asked.RCP(r.Action)
	if arn, err := iam.ParseARN(r.Resource); err == nil || asking.known || asked.known {
		r.Context = r.Context.Clone()
		asking.keys(r.Context, "aws:PrincipalOrg")
		if err == nil {
			located(r.Context, arn, r.Action)
			asked.keys(r.Context.Set("aws:ResourceAccount", r.ResourceAccount), "aws:ResourceOrg")
		}
	}
	return p
}

// unreadGuardrails says which policies of organizations would count and were not read.
func (a *Access) unreadGuardrails(s *AWSSession, q *AWSQuestion) []string {
	if strings.Contains(s.ARN, ":role/aws-service-role/") {
		return nil
	}
	owner := q.owner()
	if owner == "" {
		owner = s.Principal.Account
	}
	var kinds []string
	if !a.Guardrails(s.Principal.Account).SCPRead {
		kinds = append(kinds, "SCP")
	}
	if service, _, _ := strings.Cut(strings.ToLower(q.Action), ":"); underRCP[service] && q.Resource != "*" && !a.Guardrails(owner).RCPRead {
		kinds = append(kinds, "RCP")
	}
	if kinds == nil {
		return nil
	}
	return []string{"no organization policy (" + strings.Join(kinds, ", ") + ") denies it (not read)"}
}

// located says in which region a request is made, as far as that follows from its resource. IAM is always asked in one
// region (IAM User Guide, "AWS global condition context keys", aws:RequestedRegion, 2026-11).
func located(c *iam.Context, arn iam.ARN, action string) {
	switch region := homeOfIAM[arn.Partition]; {
	case arn.Region != "":
		c.Set("aws:RequestedRegion", arn.Region)
	case arn.Service == "iam" && region != "" && strings.HasPrefix(action, "iam:"):
		c.Set("aws:RequestedRegion", region)
	}
}

// place is the context of a question with what follows from where its resource is. Buckets, whose ARNs do not tell, are
// asked about as the account's own.
func (p *IAMPrincipal) place(q *ask) *iam.Context {
	c := q.context
	if c == nil {
		c = p.context
	}
	arn, err := iam.ParseARN(q.resource)
	if !p.placed || err != nil {
		return c
	}
	c = c.Clone()
	located(c, arn, q.action)
	if arn.Account == p.arn.Account || arn.Account == "" && arn.Service == "s3" {
		p.guardrails.keys(c.Set("aws:ResourceAccount", p.arn.Account), "aws:ResourceOrg")
	}
	return c
}

// homeOfIAM is the region of IAM by partition.
var homeOfIAM = map[string]string{"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}

// homeRegion is where the account has its first cluster.
func (a *Access) homeRegion(account string) string {
	for _, c := range a.snapshot.Clusters {
		if c.Account == account && c.Region != "" {
			return c.Region
		}
	}
	return "us-east-1"
}
