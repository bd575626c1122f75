package detect

import (
	"slices"
	"strings"

	"drawbridge/internal/event"
)

// phase is one of the steps that somebody takes who has a key and no program of his own for it.
type phase struct {
	name, source string
	// calls are what the names of calls begin with.
	calls []string
}

const (
	looksAround     = "looks around"
	readsSecrets    = "reads secrets"
	changesIdentity = "changes identities"
	startsCode      = "starts code"
)

// phases are calls that hardly a workload makes more than one kind of.
var phases = []phase{
	{looksAround, "sts.amazonaws.com", []string{"GetCallerIdentity"}},
	{looksAround, "iam.amazonaws.com", []string{"List", "Get", "SimulatePrincipalPolicy"}},
	{looksAround, "organizations.amazonaws.com", []string{"List", "Describe"}},
	{looksAround, "s3.amazonaws.com", []string{"ListBuckets"}},
	{looksAround, "secretsmanager.amazonaws.com", []string{"ListSecrets"}},
	{looksAround, "ssm.amazonaws.com", []string{"DescribeParameters", "DescribeInstanceInformation"}},
	{looksAround, "eks.amazonaws.com", []string{"ListClusters", "DescribeCluster", "ListAccessEntries", "ListPodIdentityAssociations"}},
	{looksAround, "lambda.amazonaws.com", []string{"ListFunctions"}},
	{readsSecrets, "secretsmanager.amazonaws.com", []string{"GetSecretValue", "BatchGetSecretValue"}},
	{readsSecrets, "ssm.amazonaws.com", []string{"GetParameter"}},
	{changesIdentity, "iam.amazonaws.com", []string{"Create", "Put", "Attach", "Update", "Add"}},
	{changesIdentity, "eks.amazonaws.com", []string{"CreateAccessEntry", "AssociateAccessPolicy", "CreatePodIdentityAssociation", "UpdatePodIdentityAssociation"}},
	{startsCode, "lambda.amazonaws.com", []string{"CreateFunction", "UpdateFunctionCode"}},
	{startsCode, "ssm.amazonaws.com", []string{"SendCommand", "StartSession"}},
	{startsCode, "ec2.amazonaws.com", []string{"RunInstances"}},
	{startsCode, "ecs.amazonaws.com", []string{"RunTask"}},
}

// phase is the step that the call is; empty for all others.
func (l *look) phase() string {
	source := l.Field(event.EventSource).String()
	for i := range phases {
		if p := &phases[i]; p.source == source {
			name := l.Field(event.EventName).String()
			if slices.ContainsFunc(p.calls, func(c string) bool { return strings.HasPrefix(name, c) }) {
				return p.name
			}
		}
	}
	return ""
}

// phaseFields are about what kind of call it is.
var phaseFields = []enrichment{{
	Name: "drawbridge.phase", Text: "what somebody with a stolen key does who makes the call: `looks around`, `reads secrets`, `changes identities`, `starts code`; absent for other calls", Planes: onCloudTrail, Cheap: true,
	Of: func(l *look) []string { return some(l.phase()) },
}}
