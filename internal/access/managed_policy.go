package access

import (
	"strings"

	"drawbridge/internal/awsdata"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// managedPolicy is a managed policy, without a document where that is not known or cannot be parsed.
type managedPolicy struct {
	iam.Named
	// copied says which copy of ours stands in for the document; "" for a document of the snapshot.
	copied string
}

// managedPolicy returns a managed policy: as the snapshot has it, or else, of AWS's own, drawbridge's copy. AWS changes its
// policies, so that whatever stands on a copy says so.
func (a *Access) managedPolicy(arn string) managedPolicy {
	if p, ok := a.managedPolicies.Load(arn); ok {
		return p.(managedPolicy)
	}
	p := managedPolicy{Named: iam.Named{Name: arn}}
	document := model.Document("")
	if m := a.managed[arn]; m != nil {
		document = m.Document
	}
	if document == "" {
		document, p.copied = a.copyOf(arn)
	}
	if document != "" {
		p.Policy, _ = a.Parse(document)
	}
	a.managedPolicies.Store(arn, p)
	return p
}

// copyOf returns drawbridge's copy of an AWS managed policy, and what it is. There is none where the snapshot tells that
// the account has another version.
func (a *Access) copyOf(arn string) (document model.Document, of string) {
	text, version, ok := awsdata.ManagedPolicy(arn)
	if !ok {
		return "", ""
	}
	partition, name, _ := awsdata.CutManagedPolicy(arn)
	of = "AWS managed policy " + name[strings.LastIndexByte(name, '/')+1:] + " " + version + ", drawbridge's copy of " + awsdata.ManagedPoliciesDate()
	if partition != "aws" {
		return model.Document(text), of + " from partition aws"
	}
	if m := a.managed[arn]; m != nil && m.Version != "" && m.Version != version {
		return "", ""
	}
	return model.Document(text), of
}

// evidence is a copy that stands in for what the account has.
func (m *managedPolicy) evidence() finding.Evidence {
	return finding.Evidence{Text: "stands in for the account's, which was not read and may be newer", Source: m.copied}
}

// Copied says which copies of AWS managed policies stand in for those of the account among the principal's policies and as
// its boundary. They are evidence of every answer about it, of a denial too.
func (p *IAMPrincipal) Copied() []finding.Evidence {
	var all []finding.Evidence
	for i := range p.copies {
		all = appendNew(all, p.copies[i].evidence())
	}
	return all
}

// statement is a statement of one of the principal's policies as evidence.
func (p *IAMPrincipal) statement(policy string, s *iam.Statement) finding.Evidence {
	source := p.Object.Subject().String() + " " + policy
	if strings.HasPrefix(policy, "arn:") {
		source = "IAMPolicy " + policy
	}
	for i := range p.copies {
		if p.copies[i].Name == policy {
			source = p.copies[i].copied
		}
	}
	return finding.Evidence{Text: shortened(s.String()), Source: source + ", " + s.Name()}
}
