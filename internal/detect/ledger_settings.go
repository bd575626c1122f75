package detect

import (
	"cmp"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/event"
)

// settingFacts are the changes of the control-plane logs of clusters of one name.
type settingFacts struct{ Logs []logChange }

// logChange is one call that turned logs on or off.
type logChange struct {
	Fact
	Cluster event.Cluster
	By      string
	Audit   bool // it turned the audit log on, or off
}

var (
	pathClusterLogging = event.ParsePath(event.CloudTrail, "requestParameters.logging.clusterLogging")
	pathPublicAccess   = event.ParsePath(event.CloudTrail, "requestParameters.resourcesVpcConfig.endpointPublicAccess")
	pathPublicCIDRs    = event.ParsePath(event.CloudTrail, "requestParameters.resourcesVpcConfig.publicAccessCidrs")
	pathAddonRole      = event.ParsePath(event.CloudTrail, "requestParameters.serviceAccountRoleArn")
	pathAddonPods      = event.ParsePath(event.CloudTrail, "requestParameters.podIdentityAssociations")
	pathAddonValues    = event.ParsePath(event.CloudTrail, "requestParameters.configurationValues")
	pathLogGroupName   = event.ParsePath(event.CloudTrail, "requestParameters.logGroupName")
)

// logs are the types of control-plane logs that a call turns on or off: items of {types, enabled} (EKS API reference,
// LogSetup, 2026-11).
func (l *look) logs(enabled bool) []string {
	var out []string
	for item := range l.Find(pathClusterLogging).All() {
		if v := item.Find("enabled").First().String(); strings.EqualFold(v, "true") != enabled || v == "" {
			continue
		}
		for t := range item.Find("types").All() {
			if t.Kind() == event.String {
				out = append(out, strings.Clone(t.String()))
			}
		}
	}
	return out
}

// noteSettings takes changes of the control-plane logs.
func (g *Ledger) noteSettings(l *look) {
	if !l.Field(event.EventName).Is("UpdateClusterConfig") || !succeeded(l.Event) {
		return
	}
	on, off := slices.Contains(l.logs(true), "audit"), slices.Contains(l.logs(false), "audit")
	if on == off {
		return
	}
	f := g.Settings.at(strings.Clone(l.Cluster().Name), g.Limit)
	f.Logs = note(f.Logs, logChange{Fact: l.fact(), Cluster: cloneCluster(l.Cluster()), By: actorText(l.actor()), Audit: on}, func(c *logChange) Fact { return c.Fact })
}

// auditOff says who turned the audit log off before the event, if it is off.
func (l *look) auditOff() string {
	f := l.ledger.Settings.get(l.Cluster().Name)
	if f == nil {
		return ""
	}
	now := l.now()
	for _, c := range slices.Backward(f.Logs) {
		if !c.before(now) || !oneCluster(c.Cluster, l.Cluster()) {
			continue
		}
		if c.Audit {
			return ""
		}
		return c.By + " turned it off at " + stamp(c.At)
	}
	return ""
}

// opened says to whom a call opens the API server's public endpoint: everywhere, some networks, or that it is unsaid; empty
// if it does not.
func (l *look) opened() string {
	public := l.Find(pathPublicAccess).First().String()
	cidrs := l.texts(pathPublicCIDRs)
	switch {
	case strings.EqualFold(public, "false") || public == "" && len(cidrs) == 0:
		return ""
	case len(cidrs) == 0:
		return "unsaid"
	}
	// Networks of half a continent are everywhere: 0.0.0.0/1 and 128.0.0.0/1 are as good as 0.0.0.0/0.
	if slices.ContainsFunc(cidrs, func(c string) bool { p, err := netip.ParsePrefix(c); return err != nil || p.Bits() <= 7 }) {
		return "everywhere"
	}
	return "networks"
}

// addonIdentity is what a call gives an add-on to be in AWS, each in words; "none" where it takes that away.
func (l *look) addonIdentity() []string {
	var out []string
	if role := l.first(pathAddonRole); role != "" {
		out = append(out, role+" by IRSA")
	}
	for a := range l.Find(pathAddonPods).All() {
		if role := a.Find("roleArn").First().String(); role != "" {
			out = append(out, role+" for service account "+a.Find("serviceAccount").First().String())
		} else {
			out = append(out, "none")
		}
	}
	if values := l.first(pathAddonValues); strings.Contains(values, access.RoleAnnotation) {
		out = append(out, roleIn(values)+" by IRSA, as its configuration values annotate service accounts")
	}
	return out
}

var roleARN = regexp.MustCompile(`arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+`)

// roleIn is the first ARN of a role in a text.
func roleIn(text string) string {
	return cmp.Or(roleARN.FindString(text), "a role")
}

// logGroupCluster is the cluster whose control-plane logs are in the log group that the call names.
func (l *look) logGroupCluster() string {
	return event.ClusterOfLogGroup(l.first(pathLogGroupName))
}

// awsAuthRow is what aws-auth maps the principal of an access entry to.
func (l *look) awsAuthRow() string {
	c := l.snapshotCluster()
	if c == nil {
		return ""
	}
	for _, m := range c.Mappings() {
		if strings.EqualFold(bare(m.Read.ARN), bare(l.first(pathEntryPrincipal))) {
			return "username " + m.Read.Username + ", groups " + orNone(strings.Join(m.Read.Groups, ", "))
		}
	}
	return ""
}

// settingFields are about the settings of a cluster.
var settingFields = []enrichment{
	{
		Name: "drawbridge.logging.disabled", Text: "types of control-plane logs that the call turns off", Planes: onCloudTrail,
		Of: func(l *look) []string { return l.logs(false) },
	},
	{
		Name: "drawbridge.logging.cluster", Text: "name of the cluster whose control-plane logs the log group holds that the call names", Planes: onCloudTrail,
		Of: func(l *look) []string { return some(l.logGroupCluster()) },
	},
	{
		Name: "drawbridge.endpoint.opened", Text: "to whom the call opens the public endpoint of the API server: `everywhere`, `networks`, or `unsaid` where the call names no networks", Planes: onCloudTrail,
		Of: func(l *look) []string { return some(l.opened()) },
	},
	{
		Name: "drawbridge.addon.identity", Text: "the IAM roles that the call gives an add-on, each in words; `none` where it takes them away", Planes: onCloudTrail,
		Of: func(l *look) []string { return l.addonIdentity() },
	},
}
