package migrate

import (
	"slices"

	"github.com/go-json-experiment/json"

	"drawbridge/internal/access"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// podTags are the conditions on session tags that keep a statement to the pods of one service account of one cluster, and to no
// others: what the subject of the web identity said.
func podTags(s access.PodSession) map[string]string {
	return map[string]string{
		"aws:RequestTag/eks-cluster-arn": s.ClusterARN, "aws:RequestTag/kubernetes-namespace": s.Namespace, "aws:RequestTag/kubernetes-service-account": s.ServiceAccount,
	}
}

// trustStatement is a statement that lets somebody take a role.
type trustStatement struct {
	Effect    string
	Principal map[string]string
	Action    []string
	Condition map[string]map[string]string
}

func (s *trustStatement) addTo(doc model.Document) (model.Document, error) {
	text, err := json.Marshal(s, json.Deterministic(true))
	if err != nil {
		return "", err
	}
	out, err := iam.AddStatement([]byte(doc), text)
	return model.Document(out), err
}

// letPodsIn adds a statement that lets EKS take the role for the pods of a session's service account (EKS User Guide, "Create
// IAM role with trust policy required by EKS Pod Identity", 2026-11).
func letPodsIn(doc model.Document, session access.PodSession) (model.Document, error) {
	return (&trustStatement{
		"Allow",
		map[string]string{"Service": access.PodIdentityService},
		[]string{"sts:AssumeRole", "sts:TagSession"},
		map[string]map[string]string{"StringEquals": podTags(session)},
	}).addTo(doc)
}

// letFirstIn adds a statement that lets a role of another account take the role, for the pods of a session's service account;
// without session tags the external id of the association tells it (EKS User Guide, "Access AWS resources using EKS Pod
// Identity Target IAM Roles", 2026-11).
func letFirstIn(doc model.Document, firstARN string, session access.PodSession, externalID string) (model.Document, error) {
	first, err := iam.ParseARN(firstARN)
	if err != nil {
		return "", err
	}
	s := &trustStatement{
		"Allow",
		map[string]string{"AWS": "arn:" + first.Partition + ":iam::" + first.Account + ":root"},
		[]string{"sts:AssumeRole", "sts:TagSession"},
		map[string]map[string]string{"ArnEquals": {"aws:PrincipalArn": firstARN}, "StringEquals": podTags(session)},
	}
	if session.Untagged {
		s.Action, s.Condition["StringEquals"] = s.Action[:1], map[string]string{"sts:ExternalId": externalID}
	}
	return s.addTo(doc)
}

// withoutProvider takes one OIDC provider out of the statements that allow, and with it the statements that let in nobody
// else. Statements of other providers and of other principals stay as they are.
func withoutProvider(doc model.Document, provider string) (model.Document, error) {
	return withoutNames(doc, "Federated", func(p *iam.Principals) []string { return p.Federated }, []string{provider})
}

// withoutPrincipals does the same with roles and users of AWS.
func withoutPrincipals(doc model.Document, arns []string) (model.Document, error) {
	return withoutNames(doc, "AWS", func(p *iam.Principals) []string { return p.AWS }, arns)
}

func withoutNames(doc model.Document, kind string, of func(*iam.Principals) []string, gone []string) (model.Document, error) {
	out, err := iam.EditStatements([]byte(doc), func(s *iam.Statement, text []byte) ([]byte, error) {
		if s.Effect != iam.Allow || s.Principal == nil {
			return text, nil
		}
		for _, name := range gone {
			if !slices.Contains(of(s.Principal), name) {
				continue
			}
			var err error
			if text, err = iam.WithoutPrincipal(text, kind, name); err != nil || text == nil {
				return nil, err
			}
		}
		return text, nil
	})
	return model.Document(out), err
}
