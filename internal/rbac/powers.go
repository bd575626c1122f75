package rbac

import "slices"

// powers is the table of what checks look for. Sources: Kubernetes documentation, "Role Based Access Control Good
// Practices" (2026-11), and the code of Kubernetes v1.36.3 where a comment says so.
var powers = []Power{
	{ID: "everything", Title: "do everything", Ways: each("*", "*", "*")},

	// A pod runs as any service account of its namespace. A controller's template is as good as a pod.
	{ID: "run-pods", Title: "run pods as any service account of the namespace", Ways: slices.Concat(
		each("", "pods", "create"),
		write("", "replicationcontrollers"),
		write("apps", "deployments", "daemonsets", "statefulsets", "replicasets"),
		write("batch", "jobs", "cronjobs"),
	)},

	// A WebSocket makes exec, attach and portforward a get. From 1.35 on create is asked for as well
	// (feature gate AuthorizePodWebsocketUpgradeCreatePermission, pkg/features, v1.36.3).
	{ID: "enter-pods", Title: "run commands in running pods", Ways: slices.Concat(
		each("", "pods/exec", "create"), before(35, each("", "pods/exec", "get")),
		each("", "pods/attach", "create"), before(35, each("", "pods/attach", "get")),
		each("", "pods/ephemeralcontainers", "update", "patch"),
	)},
	{ID: "forward-ports", Title: "open connections to ports of pods", Ways: slices.Concat(
		each("", "pods/portforward", "create"), before(35, each("", "pods/portforward", "get")),
	)},

	// The kubelet's API behind nodes/proxy runs commands in every pod of the node; a WebSocket needs get only,
	// in every version.
	{ID: "reach-kubelets", Title: "run commands in any pod through the kubelets", Ways: each("", "nodes/proxy", "get", "create")},

	{ID: "mint-tokens", Title: "create tokens of service accounts", Ways: each("", "serviceaccounts/token", "create")},
	{ID: "read-secrets", Title: "read Secrets", Ways: each("", "secrets", "get", "list", "watch")},
	{ID: "write-configmaps", Title: "write ConfigMaps", Ways: write("", "configmaps")},
	{
		ID: "write-aws-auth", Title: "map IAM principals to any username and group by writing aws-auth",
		Ways: in("kube-system", writeNamed("", "configmaps", "aws-auth")),
	},

	// The API server lets nobody grant more than they hold unless they may bind or escalate.
	{ID: "write-bindings", Title: "bind roles they may bind to anybody", Ways: write("rbac.authorization.k8s.io", "rolebindings", "clusterrolebindings")},
	{ID: "write-roles", Title: "change roles within their own permissions", Ways: write("rbac.authorization.k8s.io", "roles", "clusterroles")},
	{ID: "bind", Title: "bind roles whose permissions they do not hold", Ways: bindWays()},
	{ID: "escalate", Title: "give roles permissions they do not hold", Ways: escalateWays()},

	{ID: "impersonate", Title: "act as other identities", Ways: impersonateWays()},

	{ID: "write-webhooks", Title: "change objects on admission", Ways: slices.Concat(
		write("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
		write("admissionregistration.k8s.io", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings"),
	)},

	// The annotation eks.amazonaws.com/role-arn is on the service account.
	{ID: "write-service-accounts", Title: "create service accounts or change their annotations", Ways: write("", "serviceaccounts")},
	// Pod Identity associations may name namespaces that do not exist yet.
	{ID: "create-namespaces", Title: "create namespaces", Ways: each("", "namespaces", "create")},

	{ID: "approve-csrs", Title: "have certificates issued for identities of their choice", Ways: csrWays("approval", "approve")},
	{ID: "sign-csrs", Title: "issue certificates for identities of their choice", Ways: csrWays("status", "sign")},

	{ID: "create-volumes", Title: "mount directories of nodes through persistent volumes", Ways: each("", "persistentvolumes", "create")},

	// Controllers of EKS Capabilities turn these objects into AWS resources with their own IAM role.
	{ID: "write-ack-identity", Title: "change access entries, Pod Identity associations or IAM roles through ACK", Ways: slices.Concat(
		write("eks.services.k8s.aws", "accessentries", "podidentityassociations"),
		write("iam.services.k8s.aws", "roles", "policies", "users", "instanceprofiles"),
	)},
	{ID: "write-kro-definitions", Title: "have kro create objects with its own permissions", Ways: write("kro.run", "resourcegraphdefinitions")},
}

// csrWays needs the decision on the request and the verb on the signer, whose name may limit it
// (Kubernetes documentation, "Certificates and Certificate Signing Requests", 2026-11).
func csrWays(subresource, verb string) []Way {
	const group = "certificates.k8s.io"
	var ways []Way
	for _, v := range []string{"update", "patch"} {
		ways = append(ways, Way{Needs: []Request{
			{Verb: v, APIGroup: group, Resource: "certificatesigningrequests", Subresource: subresource},
			{Verb: verb, APIGroup: group, Resource: "signers"},
		}})
	}
	return ways
}

// bindWays needs the right to write a binding and the verb bind, whose names limit the roles.
func bindWays() []Way {
	const group = "rbac.authorization.k8s.io"
	var ways []Way
	for _, binding := range []string{"rolebindings", "clusterrolebindings"} {
		for _, role := range []string{"clusterroles", "roles"} {
			if binding == "clusterrolebindings" && role == "roles" {
				continue // a ClusterRoleBinding cannot refer to a Role
			}
			ways = append(ways, Way{Needs: []Request{
				{Verb: "create", APIGroup: group, Resource: binding},
				{Verb: "bind", APIGroup: group, Resource: role},
			}})
		}
	}
	return ways
}

func escalateWays() []Way {
	const group = "rbac.authorization.k8s.io"
	var ways []Way
	for _, role := range []string{"roles", "clusterroles"} {
		for _, v := range []string{"create", "update", "patch"} {
			ways = append(ways, Way{SameObject: true, Needs: []Request{
				{Verb: v, APIGroup: group, Resource: role},
				{Verb: "escalate", APIGroup: group, Resource: role},
			}})
		}
	}
	return ways
}

// impersonateWays lists the classic verb and, on by default since 1.36, the verbs of constrained
// impersonation (feature gate ConstrainedImpersonation; apiserver v0.36.3, endpoints/filters/impersonation).
// Groups, UIDs and extra fields cannot be impersonated without a user, so they are no way of their own.
func impersonateWays() []Way {
	ways := each("", "users", "impersonate")
	ways = append(ways, each("", "serviceaccounts", "impersonate")...)
	for _, m := range []struct{ mode, resource string }{
		{"user-info", "users"}, {"serviceaccount", "serviceaccounts"}, {"arbitrary-node", "nodes"}, {"associated-node", "nodes"},
	} {
		constrained := since(36, each("authentication.k8s.io", m.resource, "impersonate:"+m.mode))
		constrained[0].On = m.mode
		ways = append(ways, constrained...)
	}
	return ways
}
