package migrate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
)

// member is one member of a JSON object, in the order in which it was written.
type member struct {
	name  string
	value jsontext.Value
}

// members reads an object and keeps the order of its members, so that a policy comes back as people know it.
func members(b jsontext.Value) ([]member, error) {
	d := jsontext.NewDecoder(strings.NewReader(string(b)))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return nil, fmt.Errorf("a JSON object is expected")
	}
	var all []member
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		n := name.String()
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		all = append(all, member{n, value.Clone()})
	}
	return all, nil
}

// write puts an object together again.
func write(all []member) jsontext.Value {
	parts := make([]string, len(all))
	for i, m := range all {
		name, _ := jsontext.AppendQuote(nil, m.name)
		parts[i] = string(name) + ":" + string(m.value)
	}
	return jsontext.Value("{" + strings.Join(parts, ",") + "}")
}

// find finds a member. Names of elements are not sensitive to case in IAM.
func find(all []member, name string) int {
	return slices.IndexFunc(all, func(m member) bool { return strings.EqualFold(m.name, name) })
}

// list reads a value that may stand alone or in an array.
func list(v jsontext.Value) ([]jsontext.Value, error) {
	if v.Kind() != '[' {
		return []jsontext.Value{v}, nil
	}
	var all []jsontext.Value
	err := json.Unmarshal(v, &all)
	return all, err
}

// editTrust edits the statements of a trust policy and leaves all else as it is.
func editTrust(doc model.Document, edit func([]jsontext.Value) ([]jsontext.Value, error)) (model.Document, error) {
	policy, err := members(jsontext.Value(doc))
	if err != nil {
		return "", err
	}
	i := find(policy, "Statement")
	if i < 0 {
		return "", fmt.Errorf("the trust policy has no statements")
	}
	statements, err := list(policy[i].value)
	if err != nil {
		return "", err
	}
	if statements, err = edit(statements); err != nil {
		return "", err
	}
	if policy[i].value, err = json.Marshal(statements); err != nil {
		return "", err
	}
	return model.Document(write(policy)), nil
}

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
	return editTrust(doc, func(all []jsontext.Value) ([]jsontext.Value, error) { return append(all, statement), nil })
}

// withoutProvider takes one OIDC provider out of the statements that allow, and with it the statements that let in nobody
// else. Statements of other providers and of other principals stay as they are.
func withoutProvider(doc model.Document, provider string) (model.Document, error) {
	return editTrust(doc, func(all []jsontext.Value) ([]jsontext.Value, error) {
		var kept []jsontext.Value
		for _, s := range all {
			s, err := statementWithout(s, provider)
			if err != nil {
				return nil, err
			}
			if s != nil {
				kept = append(kept, s)
			}
		}
		return kept, nil
	})
}

// statementWithout returns a statement without a provider, or nil if nobody is left in it.
func statementWithout(s jsontext.Value, provider string) (jsontext.Value, error) {
	statement, err := members(s)
	if err != nil {
		return nil, err
	}
	effect, p := find(statement, "Effect"), find(statement, "Principal")
	if effect < 0 || p < 0 || string(statement[effect].value) != `"Allow"` || statement[p].value.Kind() != '{' {
		return s, nil
	}
	principals, err := members(statement[p].value)
	if err != nil {
		return nil, err
	}
	f := find(principals, "Federated")
	if f < 0 {
		return s, nil
	}
	federated, err := list(principals[f].value)
	if err != nil {
		return nil, err
	}
	quoted, _ := jsontext.AppendQuote(nil, provider)
	left := slices.DeleteFunc(slices.Clone(federated), func(v jsontext.Value) bool { return string(v) == string(quoted) })
	switch {
	case len(left) == len(federated):
		return s, nil
	case len(left) > 0:
		if principals[f].value, err = json.Marshal(left); err != nil {
			return nil, err
		}
	default:
		principals = slices.Delete(principals, f, f+1)
	}
	if len(principals) == 0 {
		return nil, nil
	}
	statement[p].value = write(principals)
	return write(statement), nil
}
