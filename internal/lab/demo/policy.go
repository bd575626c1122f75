package main

import (
	"encoding/json"
	"strings"
	"time"

	lab "drawbridge/internal/lab/aws"
	"drawbridge/internal/lab/aws/wire"
)

// arn names a resource of IAM in the organisation's account, as "role/NAME".
func arn(resource string) string { return "arn:aws:iam::" + org + ":" + resource }

// awsPolicy names one of AWS's managed policies.
func awsPolicy(name string) string { return "arn:aws:iam::aws:policy/" + name }

// statement is one statement of a policy document.
type statement struct {
	Effect    string
	Principal map[string]any               `json:",omitempty"`
	Action    []string                     `json:",omitempty"`
	Resource  []string                     `json:",omitempty"`
	Condition map[string]map[string]string `json:",omitempty"`
}

func document(statements ...statement) string {
	b, err := json.Marshal(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", statements})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// allow is a statement that allows actions, written with spaces between them, on resources.
func allow(actions string, resources ...string) statement {
	return statement{Effect: "Allow", Action: strings.Fields(actions), Resource: resources}
}

func inline(name string, statements ...statement) []lab.InlinePolicy {
	return []lab.InlinePolicy{{PolicyName: name, PolicyDocument: document(statements...)}}
}

// trustService lets an AWS service take the role.
func trustService(service string) string {
	return document(statement{Effect: "Allow", Principal: map[string]any{"Service": service}, Action: []string{"sts:AssumeRole"}})
}

// trustPrincipal lets an IAM principal take the role.
func trustPrincipal(arn string) string {
	return document(statement{Effect: "Allow", Principal: map[string]any{"AWS": arn}, Action: []string{"sts:AssumeRole"}})
}

// trustSSO lets people of IAM Identity Center in.
func trustSSO() string {
	return document(statement{
		Effect: "Allow", Principal: map[string]any{"Federated": arn("saml-provider/AWSSSO_0123456789abcdef_DO_NOT_DELETE")},
		Action: []string{"sts:AssumeRoleWithSAML", "sts:TagSession"}, Condition: map[string]map[string]string{"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}},
	})
}

// trustPods lets Pod Identity take the role for one service account of one cluster, as it should be.
func trustPods(cluster, namespace, account string) string {
	return document(podStatement(map[string]map[string]string{"StringEquals": {
		"aws:RequestTag/eks-cluster-arn":            "arn:aws:eks:" + region + ":" + org + ":cluster/" + cluster,
		"aws:RequestTag/kubernetes-namespace":       namespace,
		"aws:RequestTag/kubernetes-service-account": account,
	}}))
}

// trustAnyPod lets Pod Identity take the role for everybody, as AWS's first example does.
func trustAnyPod() string { return document(podStatement(nil)) }

func podStatement(condition map[string]map[string]string) statement {
	return statement{Effect: "Allow", Principal: map[string]any{"Service": "pods.eks.amazonaws.com"}, Action: []string{"sts:AssumeRole", "sts:TagSession"}, Condition: condition}
}

// trustToken lets web identity take the role, where the token of the issuer meets the condition.
func trustToken(issuer string, condition map[string]map[string]string) string {
	return document(statement{
		Effect: "Allow", Principal: map[string]any{"Federated": arn("oidc-provider/" + issuer)},
		Action: []string{"sts:AssumeRoleWithWebIdentity"}, Condition: condition,
	})
}

// trustIRSA lets one service account take the role through IRSA, as it should be.
func trustIRSA(issuer, namespace, account string) string {
	return trustToken(issuer, map[string]map[string]string{"StringEquals": {
		issuer + ":aud": "sts.amazonaws.com", issuer + ":sub": "system:serviceaccount:" + namespace + ":" + account,
	}})
}

// role is a role of the year in which its cluster was made, unless a test of ages needs another time.
func role(name, trust string, created time.Time, policies []lab.InlinePolicy, attached ...string) lab.Role {
	return lab.Role{RoleName: name, AssumeRolePolicyDocument: trust, CreateDate: wire.At(created), InlinePolicies: policies, AttachedPolicies: attached}
}

// entry is an access entry, association and onNamespaces what goes with it.
func entry(cluster, principal string, created time.Time, groups ...string) lab.AccessEntry {
	return lab.AccessEntry{ClusterName: cluster, PrincipalARN: principal, CreatedAt: wire.At(created), KubernetesGroups: groups}
}

func onCluster(policy string) lab.AssociatedAccessPolicy {
	return lab.AssociatedAccessPolicy{PolicyARN: "arn:aws:eks::aws:cluster-access-policy/" + policy, AccessScope: lab.AccessScope{Type: "cluster"}}
}

func onNamespaces(policy string, namespaces ...string) lab.AssociatedAccessPolicy {
	return lab.AssociatedAccessPolicy{PolicyARN: "arn:aws:eks::aws:cluster-access-policy/" + policy, AccessScope: lab.AccessScope{Type: "namespace", Namespaces: namespaces}}
}

// association gives a service account a role of the account through Pod Identity.
func association(cluster, namespace, account, role string, created time.Time) lab.PodIdentityAssociation {
	return lab.PodIdentityAssociation{ClusterName: cluster, Namespace: namespace, ServiceAccount: account, RoleARN: arn("role/" + role), CreatedAt: wire.At(created)}
}
