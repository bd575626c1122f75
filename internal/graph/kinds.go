package graph

// Kind is a kind of step: one way by which whoever is at one place gets to another.
type Kind struct {
	// ID is stable, and what `drawbridge explain` takes.
	ID, Title string
	// Needs says in words what must hold.
	Needs string
	// Technique is that of MITRE ATT&CK.
	Technique string

	edges func(*builder)
	// standing says that the step is what somebody is already, and no deed.
	standing bool
}

// unreadID is the kind of what a gap leaves open.
const unreadID = "unread"

// Kinds lists every kind of step, each once.
var Kinds = []Kind{
	{"access-entry", "Sign in by an access entry", "an access entry for the principal, and a mode other than CONFIG_MAP", "T1078.004", enterByEntry, true},
	{"aws-auth-row", "Sign in by a row of aws-auth", "a row for the principal that no access entry overrides, and a mode other than API", "T1078.004", enterByRow, true},
	{"aws-auth-account", "Sign in by mapAccounts of aws-auth", "the principal's account in mapAccounts, and RBAC that binds the principal's ARN", "T1078.004", enterByAccount, true},
	{"cluster-creator", "Sign in as the cluster's creator", "to be the principal that created a cluster in mode CONFIG_MAP", "T1078.004", created, false},

	{"hold-cluster-admin", "Do everything in the cluster", "a policy rule for every verb, group and resource in the whole cluster, or membership of system:masters", "T1078.004", becomeAdmin, true},
	{"escalate", "Give a role more than one holds", "write a role and the verb escalate on it", "T1098.006", escalate, false},
	{"bind", "Bind a role whose permissions one does not hold", "write bindings and the verb bind on the role", "T1098.006", bind, false},
	{"run-pods", "Run pods as another service account", "create pods, or write a controller of pods, in the namespace of the service account", "T1610", runPods, false},
	{"enter-pods", "Run commands in running pods", "exec, attach or ephemeral containers on pods of the namespace", "T1609", enterPods, false},
	{"reach-kubelets", "Run commands through the kubelets", "nodes/proxy", "T1609", reachKubelets, false},
	{"mint-tokens", "Mint tokens of service accounts", "create serviceaccounts/token in the namespace", "T1528", mintTokens, false},
	{"impersonate", "Act as somebody else", "the verb impersonate on users or service accounts", "T1550.001", impersonate, false},
	{"write-aws-auth", "Map an IAM principal by writing aws-auth", "write ConfigMap kube-system/aws-auth, in a mode that reads it", "T1098.006", writeAWSAuth, false},
	{"read-secrets", "Read Secrets", "get, list or watch Secrets of the namespace", "T1552.007", readSecrets, false},
	{"secret-tokens", "Use tokens that are kept in Secrets", "a Secret with a token of a service account among those that are read", "T1528", secretTokens, false},
	{"write-webhooks", "Change objects on admission", "write admission webhooks or policies", "T1610", writeWebhooks, false},
	{"issue-certificates", "Have a certificate issued for a username", "approve or sign certificate requests for the API server's clients", "T1550", certificates, false},
	{"create-volumes", "Mount a node's directory through a volume", "create persistent volumes", "T1611", createVolumes, false},
	{"ack-objects", "Change AWS through the controllers of ACK", "write access entries, associations or IAM objects of ACK", "T1098.003", controllers("write-ack-identity", capabilityACK, "ack-"), false},
	{"kro-definitions", "Make objects through kro", "write ResourceGraphDefinitions", "T1098.006", controllers("write-kro-definitions", capabilityKRO, "kro"), false},

	{"assume-role", "Take a role by sts:AssumeRole", "a trust policy that lets in, and where that leaves it to the account, or in another account, sts:AssumeRole", "T1548.005", assumeRole, false},
	{"escape-to-node", "Escape from a pod to its node", "a privileged container, a directory of the node, or the node's processes", "T1611", escapeToNode, false},
	{"pods-of-node", "Act as the pods on a node", "root on the node", "T1528", takePods, false},
	{"act-as-kubelet", "Act as the kubelet of a node", "the credentials of a node's instance", "T1528", kubelet, false},
	{"pod-identity", "Take a role through Pod Identity", "code in a pod of a service account with a Pod Identity association", "T1552.007", podIdentity, false},
	{"agent-spoof", "Listen to the Pod Identity agent", "a pod in the host's network beside pods that use Pod Identity", "T1557", spoofAgent, false},
	{"irsa", "Take a role through IRSA", "a token of a service account that the role's trust policy lets in", "T1550.001", irsa, false},
	{"make-service-account", "Make a service account that a role waits for", "an association or trust policy that names a service account which does not exist, and the right to create it and to run pods", "T1136", makeServiceAccount, false},
	{"node-role", "Take the role of a node", "root on the node, the host's network, or a metadata service that answers pods", "T1552.005", nodeRole, false},

	{"hold-account-admin", "Do everything in an AWS account", "policies that allow every action on every resource", "T1078.004", administer, true},
	{"write-iam", "Change what IAM principals may do", "an action that writes policies of IAM principals", "T1098.003", writeIAM, false},
	{"update-trust-policy", "Change who may take a role", "iam:UpdateAssumeRolePolicy on the role", "T1098.003", updateTrust, false},
	{"make-credentials", "Make credentials of a user", "iam:CreateAccessKey, iam:CreateLoginProfile or iam:UpdateLoginProfile on the user", "T1098.001", makeCredentials, false},
	{"recreate-principal", "Take the name that aws-auth lets in", "iam:CreateRole or iam:CreateUser, and iam:DeleteRole or iam:DeleteUser where the principal exists, for a name in aws-auth", "T1136.003", recreate, false},
	{"pass-role", "Run code with a role that is passed", "iam:PassRole and the actions of a service that runs code", "T1548.005", passRole, false},
	{"run-as-role", "Run code where a role is held", "an action that changes or enters what runs with a role", "T1651", runAsRole, false},
	{"run-on-node", "Run commands on a node", "Systems Manager, or the start script, of an instance of the cluster", "T1651", runOnNode, false},
	{"create-access-entry", "Create an access entry", "eks:CreateAccessEntry and eks:AssociateAccessPolicy", "T1098.006", takeOver("access-entry"), false},
	{"create-access-entry-group", "Create an access entry with somebody's group", "eks:CreateAccessEntry, and RBAC that binds a group or user strongly", "T1098.006", takeOver("access-entry-group"), false},
	{"associate-access-policy", "Widen one's own access entry", "eks:AssociateAccessPolicy on an access entry that one has", "T1098.006", takeOver("own-entry"), false},
	{"update-access-entry", "Change the groups of one's access entry", "eks:UpdateAccessEntry on an access entry that one has, and RBAC that binds a group or user strongly", "T1098.006", takeOver("own-entry-group"), false},
	{"widen-other-entry", "Widen somebody else's access entry", "eks:AssociateAccessPolicy or eks:UpdateAccessEntry on an access entry of somebody one can act as", "T1098.006", takeOver("others-entry"), false},
	{"change-authentication-mode", "Change the authentication mode, then create an access entry", "eks:UpdateClusterConfig on a cluster in mode CONFIG_MAP, and what creating the access entry needs", "T1098.006", changeMode, false},
	{"identity-provider", "Associate an OIDC provider of one's own", "eks:AssociateIdentityProviderConfig", "T1484.002", takeOver("identity-provider"), false},
	{"create-capability", "Create an EKS capability", "eks:CreateCapability, and iam:PassRole to capabilities.eks.amazonaws.com", "T1098.006", takeOver("capability"), false},
	{"addon", "Install or change an add-on", "eks:CreateAddon or eks:UpdateAddon, and iam:PassRole", "T1610", takeOver("addon"), false},
	{"add-node", "Add a node of one's own", "eks:CreateNodegroup or an access entry for nodes, and iam:PassRole", "T1578.002", takeOver("nodegroup", "node-entry"), false},
	{"attach-role", "Give a role to a service account", "eks:CreatePodIdentityAssociation or eks:UpdatePodIdentityAssociation, iam:PassRole, and a pod in the cluster", "T1098.003", attachRole, false},
	{"use-resource", "Use an AWS resource", "policies that allow an action on the resource", "T1530", useResource, false},
	{"outside-trust", "Come in from outside", "a trust policy that names another account, everybody, or a public OIDC provider", "T1199", comeFromOutside, false},
	{unreadID, "What was not read", "a gap in the snapshot: what might be there is possible", "", unread, false},
}

// KindByID returns the kind with an id, or nil.
func KindByID(id string) *Kind {
	for i := range Kinds {
		if Kinds[i].ID == id {
			return &Kinds[i]
		}
	}
	return nil
}
