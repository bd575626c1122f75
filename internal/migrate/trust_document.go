package migrate

import (
	"slices"

	"github.com/go-json-experiment/json"

	"drawbridge/internal/access"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// letPodsIn adds a statement that lets EKS take the role for the pods of one service account of one cluster, and for no
// others: what the subject of the web identity said, in the words of session tags (EKS User Guide, "Create IAM role with trust
// policy required by EKS Pod Identity", 2026-11).
func letPodsIn(doc model.Document, clusterARN, namespace, serviceAccount string) (model.Document, error) {
	statement, err := json.Marshal(struct {
		Effect    string
		Principal map[string]string
		Action    []string
		Condition map[string]map[string]string
	}{
		"Allow",
		map[string]string{"Service": access.PodIdentityService},
		[]string{"sts:AssumeRole", "sts:TagSession"},
		map[string]map[string]string{"StringEquals": {
			"aws:RequestTag/eks-cluster-arn": clusterARN, "aws:RequestTag/kubernetes-namespace": namespace, "aws:RequestTag/kubernetes-service-account": serviceAccount,
		}},
	}, json.Deterministic(true))
	if err != nil {
		return "", err
	}
	out, err := iam.AddStatement([]byte(doc), statement)
	return model.Document(out), err
}

// withoutProvider takes one OIDC provider out of the statements that allow, and with it the statements that let in nobody
// else. Statements of other providers and of other principals stay as they are.
func withoutProvider(doc model.Document, provider string) (model.Document, error) {
	out, err := iam.EditStatements([]byte(doc), func(s *iam.Statement, text []byte) ([]byte, error) {
		if s.Effect != iam.Allow || s.Principal == nil || !slices.Contains(s.Principal.Federated, provider) {
			return text, nil
		}
		return iam.WithoutFederated(text, provider)
	})
	return model.Document(out), err
}
