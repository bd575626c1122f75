package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// AccessPolicies puts a stand-in for EKS' authorizer of access policies behind the authorizers Node and RBAC. It decides
// by Kubernetes' own RBAC authorizer, and goes by the unique id that the [Authenticator] tells of a principal.
type AccessPolicies struct {
	// Published is the table of the rules that AWS publishes, in JSON.
	Published []byte
	// Associations are the access policies of the cluster's access entries.
	Associations []PolicyAssociation
}

// PolicyAssociation is an access policy of an access entry.
type PolicyAssociation struct {
	PrincipalARN, UniqueID, PolicyARN string
	// Namespaces may hold wildcards; none is the whole cluster.
	Namespaces []string
}

// authorizationConfig asks in the order of EKS: what Node and RBAC leave undecided, the access policies decide.
const authorizationConfig = `
apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- {type: Node, name: node}
- {type: RBAC, name: rbac}
- type: Webhook
  name: access-policy
  webhook:
    timeout: 10s
    subjectAccessReviewVersion: v1
    matchConditionSubjectAccessReviewVersion: v1
    failurePolicy: Deny
    connectionInfo: {type: KubeConfigFile, kubeConfigFile: %s}
`

// startAccessPolicies starts the webhook and returns the flags by which the API server finds it.
func (c *Cluster) startAccessPolicies(ctx context.Context) ([]string, error) {
	var err error
	if c.accessPolicyAddress, err = c.reserveAddress(); err != nil {
		return nil, err
	}
	config, err := c.writeWebhookConfig("https://" + c.accessPolicyAddress + "/authorize")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(c.path("authorization.yaml"), fmt.Appendf(nil, authorizationConfig, config), 0o600); err != nil {
		return nil, err
	}
	return []string{"--authorization-config=" + c.path("authorization.yaml")}, c.runAccessPolicies(ctx, c.options.AccessPolicies)
}

// runAccessPolicies runs the program on these access policies.
func (c *Cluster) runAccessPolicies(ctx context.Context, policies *AccessPolicies) error {
	associations, err := json.Marshal(policies.Associations)
	if err != nil {
		return err
	}
	cert, key, err := c.authority.issue("access-policy")
	if err != nil {
		return err
	}
	err = errors.Join(
		os.WriteFile(c.path("published.json"), policies.Published, 0o600), os.WriteFile(c.path("associations.json"), associations, 0o600),
		os.WriteFile(c.path("access-policy.crt"), cert, 0o600), os.WriteFile(c.path("access-policy.key"), key, 0o600))
	if err != nil {
		return err
	}
	p, err := c.run(accessPolicy, nil, "--address="+c.accessPolicyAddress, "--certificate="+c.path("access-policy.crt"), "--key="+c.path("access-policy.key"),
		"--published="+c.path("published.json"), "--associations="+c.path("associations.json"))
	if err != nil {
		return err
	}
	return c.awaitHealth(ctx, p, c.accessPolicyAddress)
}
