package graph

import (
	"slices"
	"testing"
	"time"

	"drawbridge/internal/model"
)

// kindCase is a snapshot in which a step of a kind leads from somebody to something, and what takes it away.
type kindCase struct {
	kind, name string
	set        func(*lab)
	from, to   string
	possible   bool
	// but takes the step away again.
	but func(*lab)
}

const web = "sa/shop/web"

var kindCases = []kindCase{
	{
		kind: "hold-cluster-admin", set: func(l *lab) { l.bind("", "cluster-admin", web) }, from: web, to: "cluster-admin",
		but: func(l *lab) { l.c.ClusterRoleBindings = nil },
	},
	{
		kind: "hold-cluster-admin", name: "by system:masters", set: func(l *lab) {
			l.awsAuth("- {rolearn: " + roleARN("ci") + ", username: x, groups: [system:masters]}")
			l.iamRole("ci", noTrust)
		},
		from: roleARN("ci"), to: "cluster-admin", but: func(l *lab) { l.c.Description.AuthenticationMode = model.ModeAPI },
	},
	{
		kind: "access-entry", set: func(l *lab) {
			l.iamRole("ci", noTrust)
			l.entry(roleARN("ci"), "ci", "admins")
			l.bind("", "cluster-admin", "group:admins")
		}, from: roleARN("ci"), to: "cluster-admin", but: func(l *lab) { l.c.Description.AuthenticationMode = model.ModeConfigMap },
	},
	{
		kind: "access-entry", name: "with a session name of its own choice", set: func(l *lab) {
			l.iamRole("ci", noTrust)
			l.entry(roleARN("ci"), "team:{{SessionName}}")
			l.bind("", "cluster-admin", "user:team:boss")
		}, from: roleARN("ci"), to: "cluster-admin", but: func(l *lab) { l.c.AccessEntries[0].Username = "crew:{{SessionName}}" },
	},
	{
		kind: "access-entry", name: "with a policy of which nothing is published", set: func(l *lab) {
			l.iamRole("ci", noTrust)
			l.entry(roleARN("ci"), "ci")
			l.policy(roleARN("ci"), "AmazonEKSSomethingNewPolicy")
		}, from: roleARN("ci"), to: "cluster-admin", possible: true, but: func(l *lab) { l.c.PolicyAssociations = nil },
	},
	{
		kind: "aws-auth-row", set: func(l *lab) {
			l.awsAuth("- {rolearn: " + roleARN("ci") + ", username: ci, groups: [admins]}")
			l.iamRole("ci", noTrust)
			l.bind("", "cluster-admin", "group:admins")
		}, from: roleARN("ci"), to: "cluster-admin", but: func(l *lab) { l.entry(roleARN("ci"), "ci") },
	},
	{
		kind: "aws-auth-account", set: func(l *lab) {
			l.c.AWSAuth = &model.AWSAuth{Data: map[string]string{"mapAccounts": "- '" + home + "'"}}
			l.iamUser("ann")
			l.bind("", "cluster-admin", "user:arn:aws:iam::"+home+":user/ann")
		}, from: "arn:aws:iam::" + home + ":user/ann", to: "cluster-admin", but: func(l *lab) { l.c.AWSAuth.Data = nil },
	},
	{
		kind: "aws-auth-row", name: "that no living access entry overrides", set: func(l *lab) {
			l.awsAuth("- {rolearn: " + roleARN("ci") + ", username: ci, groups: [admins]}")
			l.iamRole("ci", noTrust).Created = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
			l.entry(roleARN("ci"), "ci").Created = time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
			l.bind("", "cluster-admin", "group:admins")
		}, from: roleARN("ci"), to: "cluster-admin", but: func(l *lab) { l.a.Roles[0].Created = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) },
	},
	{
		kind: "cluster-creator", set: func(l *lab) {
			l.c.Description.AuthenticationMode = model.ModeConfigMap
			l.iamRole("ci", noTrust)
		}, from: roleARN("ci"), to: "cluster-admin", possible: true, but: func(l *lab) { l.c.Description.AuthenticationMode = model.ModeAPI },
	},
	{
		kind: "run-pods", set: func(l *lab) {
			l.grant("ops", web, rule("apps", "deployments", "patch"))
			l.sa("ops", "boss")
		}, from: web, to: "sa/ops/boss", but: func(l *lab) { l.c.RoleBindings[0].Namespace = "kube-system" },
	},
	{
		kind: "enter-pods", set: func(l *lab) {
			l.grant("ops", web, rule("", "pods/exec", "create"))
			l.sa("ops", "boss")
			l.pod("ops", "p", "boss", "n")
		}, from: web, to: "sa/ops/boss", but: func(l *lab) { l.c.Pods = nil },
	},
	{
		kind: "enter-pods", name: "of one name", set: func(l *lab) {
			l.grant("ops", web, rule("", "pods/exec", "create", "p"))
			l.sa("ops", "boss")
			l.pod("ops", "p", "boss", "n")
		}, from: web, to: "sa/ops/boss", but: func(l *lab) { l.c.Pods[0].Name = "q" },
	},
	{
		kind: "enter-pods", name: "by get, in a version that is not known", set: func(l *lab) {
			l.grant("ops", web, rule("", "pods/exec", "get"))
			l.sa("ops", "boss")
			l.pod("ops", "p", "boss", "n")
			l.c.Description.KubernetesVersion = ""
		}, from: web, to: "sa/ops/boss", possible: true, but: func(l *lab) { l.c.Description.KubernetesVersion = "1.35" },
	},
	{
		kind: "reach-kubelets", set: func(l *lab) {
			l.grant("", web, rule("", "nodes/proxy", "get"))
			l.sa("ops", "boss")
			l.pod("ops", "p", "boss", "n")
		}, from: web, to: "sa/ops/boss", but: func(l *lab) { l.c.Pods = nil },
	},
	{
		kind: "mint-tokens", set: func(l *lab) {
			l.grant("ops", web, rule("", "serviceaccounts/token", "create", "boss"))
			l.sa("ops", "boss")
		}, from: web, to: "sa/ops/boss", but: func(l *lab) { l.c.ServiceAccounts[1].Name = "other" },
	},
	{
		kind: "impersonate", set: func(l *lab) {
			l.grant("", web, rule("", "users", "impersonate"))
			l.bind("", "cluster-admin", "user:root")
		}, from: web, to: "user:root", but: func(l *lab) { l.c.ClusterRoles[1].Rules[0].ResourceNames = []string{"nobody"} },
	},
	{
		kind: "impersonate", name: "a member of system:masters", set: func(l *lab) { l.grant("", web, rule("", "users groups", "impersonate")) },
		from: web, to: "cluster-admin", but: func(l *lab) { l.c.ClusterRoles[1].Rules[0].Resources = []string{"users"} },
	},
	{
		kind: "impersonate", name: "within limits", set: func(l *lab) {
			l.grant("", web, rule("authentication.k8s.io", "serviceaccounts", "impersonate:serviceaccount"), rule("", "pods", "impersonate-on:serviceaccount:get"))
			l.sa("ops", "boss")
		}, from: web, to: "sa/ops/boss", possible: true, but: func(l *lab) { l.c.Description.KubernetesVersion = "1.35" },
	},
	{
		kind: "escalate", set: func(l *lab) { l.grant("", web, rule("rbac.authorization.k8s.io", "clusterroles", "update escalate")) },
		from: web, to: "cluster-admin", but: func(l *lab) { l.c.ClusterRoles[1].Rules[0].Verbs = []string{"update"} },
	},
	{
		kind: "escalate", name: "in one namespace", set: func(l *lab) {
			l.grant("ops", web, rule("rbac.authorization.k8s.io", "roles", "update escalate"))
			l.sa("ops", "boss")
		}, from: web, to: "sa/ops/boss", but: func(l *lab) { l.c.ClusterRoles[1].Rules[0].Verbs = []string{"update"} },
	},
	{
		kind: "bind", set: func(l *lab) {
			l.grant("", web, rule("rbac.authorization.k8s.io", "clusterrolebindings", "create"), rule("rbac.authorization.k8s.io", "clusterroles", "bind"))
		}, from: web, to: "cluster-admin", but: func(l *lab) { l.c.ClusterRoles[1].Rules = l.c.ClusterRoles[1].Rules[:1] },
	},
	{
		kind: "bind", name: "by two bindings together", set: func(l *lab) {
			l.grant("", web, rule("rbac.authorization.k8s.io", "clusterrolebindings", "create"))
			l.grant("", "group:system:serviceaccounts:shop", rule("rbac.authorization.k8s.io", "clusterroles", "bind"))
		}, from: web, to: "cluster-admin", but: func(l *lab) { l.c.ClusterRoleBindings = l.c.ClusterRoleBindings[:1] },
	},
	{
		kind: "make-service-account", name: "by two bindings together", set: func(l *lab) {
			l.iamRole("data", podTrust)
			l.associate("ops", "gone", "data")
			l.grant("ops", web, rule("", "pods", "create"))
			l.grant("ops", web, rule("", "serviceaccounts", "create"))
		}, from: web, to: roleARN("data"), but: func(l *lab) { l.c.RoleBindings = l.c.RoleBindings[:1] },
	},
	{
		kind: "make-service-account", name: "that a pattern lets in", set: func(l *lab) {
			l.iamRole("data", irsaTrust("StringLike", "system:serviceaccount:o*:data-?"))
			l.grant("ops", web, rule("", "pods serviceaccounts", "create"))
		}, from: web, to: roleARN("data"), but: func(l *lab) {
			l.a.Roles[0].Trust = document(irsaTrust("StringLike", "system:serviceaccount:p*:data-?"))
		},
	},
	{
		kind: "bind", name: "a role of one name", set: func(l *lab) {
			l.role("", "runner", rule("", "pods", "create"))
			l.grant("ops", web, rule("rbac.authorization.k8s.io", "rolebindings", "create"), rule("rbac.authorization.k8s.io", "clusterroles", "bind", "runner"))
			l.sa("ops", "boss")
		}, from: web, to: "sa/ops/boss", but: func(l *lab) { l.c.ClusterRoles[1].Name = "other" },
	},
	{
		kind: "write-aws-auth", set: func(l *lab) { l.grant("kube-system", web, rule("", "configmaps", "update", "aws-auth")) },
		from: web, to: "cluster-admin", but: func(l *lab) { l.c.Description.AuthenticationMode = model.ModeAPI },
	},
	{
		kind: "write-aws-auth", name: "in a mode that is not known", set: func(l *lab) {
			l.grant("kube-system", web, rule("", "configmaps", "update", "aws-auth"))
			l.c.Description.AuthenticationMode = ""
		}, from: web, to: "cluster-admin", possible: true, but: func(l *lab) { l.c.Description.AuthenticationMode = model.ModeAPI },
	},
	{
		kind: "read-secrets", set: func(l *lab) { l.grant("", web, rule("", "secrets", "list")) }, from: web, to: "secrets",
		but: func(l *lab) { l.c.ClusterRoles[1].Rules[0].ResourceNames = []string{"one"} },
	},
	{
		kind: "read-secrets", name: "one of them", set: func(l *lab) { l.grant("ops", web, rule("", "secrets", "get", "key")) }, from: web, to: "secret/ops/key",
		but: func(l *lab) { l.c.ClusterRoles[1].Rules[0].ResourceNames = []string{"other"} },
	},
	{
		kind: "secret-tokens", set: func(l *lab) {
			l.grant("ops", web, rule("", "secrets", "list"))
			l.sa("ops", "boss")
		}, from: web, to: "sa/ops/boss", possible: true, but: func(l *lab) { l.c.RoleBindings[0].Namespace = "kube-system" },
	},
	{
		kind: "write-webhooks", set: func(l *lab) {
			l.grant("", web, rule("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "create"))
			l.sa("ops", "boss")
		}, from: web, to: "sa/ops/boss", but: func(l *lab) { l.c.ClusterRoles[1].Rules[0].Verbs = []string{"get"} },
	},
	{
		kind: "issue-certificates", set: func(l *lab) {
			l.grant("", web, rule("certificates.k8s.io", "certificatesigningrequests/approval", "update"), rule("certificates.k8s.io", "signers", "approve", "kubernetes.io/kube-apiserver-client"))
			l.bind("", "cluster-admin", "user:root")
		}, from: web, to: "user:root", possible: true, but: func(l *lab) { l.c.ClusterRoles[1].Rules[1].ResourceNames = []string{"kubernetes.io/kubelet-serving"} },
	},
	{
		kind: "create-volumes", set: func(l *lab) {
			l.grant("", web, rule("", "persistentvolumes", "create"))
			l.node("n")
		}, from: web, to: "node/n", possible: true, but: func(l *lab) { l.c.ClusterRoles[1].Rules[0].Verbs = []string{"get"} },
	},
	{
		kind: "ack-objects", set: func(l *lab) {
			l.grant("ops", web, rule("iam.services.k8s.aws", "roles", "create"))
			l.iamRole("ack", noTrust)
			l.c.Capabilities = []*model.Capability{{Name: "ack", Type: "ACK", RoleARN: roleARN("ack")}}
		}, from: web, to: roleARN("ack"), but: func(l *lab) { l.c.Capabilities = nil },
	},
	{
		kind: "kro-definitions", set: func(l *lab) {
			l.grant("", web, rule("kro.run", "resourcegraphdefinitions", "create"))
			l.sa("ops", "kro")
		}, from: web, to: "sa/ops/kro", possible: true, but: func(l *lab) { l.c.ServiceAccounts[1].Name = "other" },
	},

	{
		kind: "escape-to-node", set: func(l *lab) {
			l.node("n")
			l.pod("shop", "p", "web", "n").Containers[0].Privileged = true
		}, from: "pod/shop/p", to: "node/n", but: func(l *lab) { l.c.Pods[0].Containers[0].Kind = "init" },
	},
	{
		kind: "escape-to-node", name: "through a directory", set: func(l *lab) {
			l.node("n")
			l.pod("shop", "p", "web", "n").Volumes = []model.Volume{{Name: "v", HostPath: "/var/lib/kubelet/pods"}}
		}, from: "pod/shop/p", to: "node/n", but: func(l *lab) { l.c.Pods[0].Volumes[0].HostPath = "/var/log" },
	},
	{
		kind: "escape-to-node", name: "by a capability", set: func(l *lab) {
			l.node("n")
			l.pod("shop", "p", "web", "n").Containers[0].Capabilities = []string{"SYS_ADMIN"}
		}, from: "pod/shop/p", to: "node/n", possible: true, but: func(l *lab) { l.c.Pods[0].Containers[0].Capabilities = []string{"NET_BIND_SERVICE"} },
	},
	{
		kind: "escape-to-node", name: "of a pod of its own", set: func(l *lab) {
			l.node("n")
			l.grant("shop", web, rule("", "pods", "create"))
		}, from: web, to: "node/n", possible: true, but: func(l *lab) {
			l.c.Namespaces[1].Labels = map[string]string{"pod-security.kubernetes.io/enforce": "baseline"}
		},
	},
	{
		kind: "pods-of-node", set: func(l *lab) {
			l.node("n")
			l.pod("shop", "p", "web", "n").Containers[0].Privileged = true
			l.sa("ops", "boss")
			l.pod("ops", "q", "boss", "n")
		}, from: "pod/shop/p", to: "sa/ops/boss", but: func(l *lab) { l.c.Pods[1].NodeName = "m" },
	},
	{
		kind: "act-as-kubelet", set: func(l *lab) {
			l.node("n")
			l.c.Instances[0].HTTPTokens = "optional"
			l.pod("shop", "p", "web", "n")
			l.sa("ops", "boss")
			l.pod("ops", "q", "boss", "n").Automount = new(bool)
		}, from: "pod/shop/p", to: "sa/ops/boss", but: func(l *lab) { l.c.Pods[1].NodeName = "m" },
	},
	{
		kind: "act-as-kubelet", name: "by a pod of its own in one namespace", set: func(l *lab) {
			l.node("n")
			l.c.Instances[0].HTTPTokens = "optional"
			l.grant("shop", web, rule("", "pods", "create"))
			l.sa("ops", "boss")
			l.pod("ops", "q", "boss", "n")
		}, from: web, to: "sa/ops/boss", but: func(l *lab) { l.c.Instances[0].HTTPTokens = "required" },
	},
	{
		kind: "pod-identity", set: func(l *lab) {
			l.iamRole("data", podTrust)
			l.associate("shop", "web", "data")
		}, from: web, to: roleARN("data"), but: func(l *lab) { l.a.Roles[0].Trust = document(noTrust) },
	},
	{
		kind: "pod-identity", name: "with a target role", set: func(l *lab) {
			l.iamRole("data", podTrust, allow("*", "sts:AssumeRole", "sts:TagSession"))
			l.iamRole("target", `{"Effect":"Allow","Principal":{"AWS":"`+roleARN("data")+`"},"Action":["sts:AssumeRole","sts:TagSession"]}`)
			l.associate("shop", "web", "data").TargetRoleARN = roleARN("target")
		}, from: web, to: roleARN("target"), but: func(l *lab) { l.a.Roles[1].Trust = document(noTrust) },
	},
	{
		kind: "agent-spoof", set: func(l *lab) {
			l.node("n")
			l.pod("shop", "p", "web", "n").HostNetwork = true
			l.sa("ops", "boss")
			l.pod("ops", "q", "boss", "n").Containers[0].Env = []model.EnvVar{{Name: "AWS_CONTAINER_CREDENTIALS_FULL_URI"}}
			l.iamRole("data", podTrust)
			l.associate("ops", "boss", "data")
		}, from: "pod/shop/p", to: roleARN("data"), possible: true, but: func(l *lab) { l.c.Pods[0].HostNetwork = false },
	},
	{
		kind: "irsa", set: func(l *lab) { l.iamRole("data", irsaTrust("StringEquals", "system:serviceaccount:shop:web")) }, from: web, to: roleARN("data"),
		but: func(l *lab) { l.a.Roles[0].Trust = document(irsaTrust("StringEquals", "system:serviceaccount:shop:*")) },
	},
	{
		kind: "irsa", name: "not without a provider", set: func(l *lab) { l.iamRole("data", irsaTrust("StringEquals", "system:serviceaccount:shop:web")) }, from: web, to: roleARN("data"),
		but: func(l *lab) { l.a.OIDCProviders = nil },
	},
	{
		kind: "irsa", name: "of a pattern", set: func(l *lab) { l.iamRole("data", irsaTrust("StringLike", "system:serviceaccount:*:we?")) }, from: web, to: roleARN("data"),
		but: func(l *lab) { l.a.Roles[0].Trust = document(irsaTrust("StringLike", "system:serviceaccount:*:w")) },
	},
	{
		kind: "make-service-account", set: func(l *lab) {
			l.iamRole("data", podTrust)
			l.associate("ops", "gone", "data")
			l.grant("ops", web, rule("", "pods serviceaccounts", "create"))
		}, from: web, to: roleARN("data"), but: func(l *lab) { l.c.ClusterRoles[1].Rules[0].Resources = []string{"pods"} },
	},
	{
		kind: "node-role", set: func(l *lab) {
			l.node("n")
			l.c.Instances[0].HTTPTokens = "optional"
			l.iamRole("nodes", noTrust)
			l.c.Nodegroups = []*model.Nodegroup{{Name: "workers", NodeRoleARN: roleARN("nodes")}}
			l.pod("shop", "p", "web", "n")
		}, from: "pod/shop/p", to: roleARN("nodes"), but: func(l *lab) { l.c.Instances[0].HTTPTokens = "required" },
	},
	{
		kind: "node-role", name: "with root on the node", set: func(l *lab) {
			l.node("n")
			l.iamRole("nodes", noTrust)
			l.c.Nodegroups = []*model.Nodegroup{{Name: "workers", NodeRoleARN: roleARN("nodes")}}
			l.pod("shop", "p", "web", "n").Containers[0].Privileged = true
		}, from: "pod/shop/p", to: roleARN("nodes"), but: func(l *lab) { l.c.Nodegroups = nil },
	},

	{
		kind: "hold-account-admin", set: func(l *lab) { l.iamRole("ci", noTrust, allow("*", "*")) }, from: roleARN("ci"), to: "account-admin",
		but: func(l *lab) { l.a.Roles[0].Inline = nil },
	},
	{
		kind: "hold-account-admin", name: "not through a session policy", set: func(l *lab) {
			l.iamRole("ci", podTrust, allow("*", "*"))
			a := l.associate("shop", "web", "ci")
			a.DisableSessionTags = true
		}, from: web, to: "account-admin", but: func(l *lab) { l.c.PodIdentityAssociations[0].Policy = document(allow("*", "s3:GetObject")) },
	},
	{
		kind: "write-iam", set: func(l *lab) { l.iamRole("ci", noTrust, allow("*", "iam:AttachRolePolicy")) }, from: roleARN("ci"), to: "account-admin",
		but: func(l *lab) { l.a.Roles[0].Inline[0].Document = document(allow("*", "iam:GetRole")) },
	},
	{
		kind: "write-iam", name: "of roles, as a user", set: func(l *lab) { l.iamUser("ann", allow("*", "iam:AttachRolePolicy")) }, from: "arn:aws:iam::" + home + ":user/ann", to: "account-admin",
		possible: true, but: func(l *lab) { l.a.Users[0].Inline = nil },
	},
	{
		kind: "update-trust-policy", set: func(l *lab) {
			l.iamRole("boss", noTrust)
			l.iamRole("ci", noTrust, allow(roleARN("bo*"), "iam:UpdateAssumeRolePolicy"))
		}, from: roleARN("ci"), to: roleARN("boss"), but: func(l *lab) {
			l.a.Roles[1].Inline[0].Document = document(allow(roleARN("ba*"), "iam:UpdateAssumeRolePolicy"))
		},
	},
	{
		kind: "update-trust-policy", name: "of any role", set: func(l *lab) {
			l.iamRole("boss", noTrust)
			l.iamRole("ci", noTrust, allow("*", "iam:UpdateAssumeRolePolicy"))
		}, from: roleARN("ci"), to: roleARN("boss"), but: func(l *lab) { l.a.Roles[1].Inline = nil },
	},
	{
		kind: "make-credentials", set: func(l *lab) {
			l.iamUser("boss")
			l.iamRole("ci", noTrust, allow("arn:aws:iam::"+home+":user/boss", "iam:CreateAccessKey"))
		}, from: roleARN("ci"), to: "arn:aws:iam::" + home + ":user/boss", but: func(l *lab) { l.a.Roles[0].Inline = nil },
	},
	{
		kind: "recreate-principal", set: func(l *lab) {
			l.awsAuth("- {rolearn: " + roleARN("gone") + ", username: x, groups: [system:masters]}")
			l.iamRole("ci", noTrust, allow("*", "iam:CreateRole"))
		}, from: roleARN("ci"), to: "cluster-admin", but: func(l *lab) { l.iamRole("gone", noTrust) },
	},
	{
		kind: "assume-role", set: func(l *lab) {
			l.iamRole("boss", trustOf(roleARN("ci")))
			l.iamRole("ci", noTrust)
		}, from: roleARN("ci"), to: roleARN("boss"), but: func(l *lab) { l.a.Roles[0].Trust = document(trustOf("arn:aws:iam::" + home + ":root")) },
	},
	{
		kind: "assume-role", name: "any that leaves it to the account", set: func(l *lab) {
			l.iamRole("boss", trustOf("arn:aws:iam::"+home+":root"))
			l.iamRole("ci", noTrust, allow("*", "sts:AssumeRole"))
		}, from: roleARN("ci"), to: roleARN("boss"), but: func(l *lab) { l.a.Roles[0].Trust = document(noTrust) },
	},
	{
		kind: "assume-role", name: "with tags that go along", set: func(l *lab) {
			l.iamRole("data", podTrust)
			l.iamRole("boss", `{"Effect":"Allow","Principal":{"AWS":"`+roleARN("data")+`"},"Action":["sts:AssumeRole","sts:TagSession"]}`)
			l.associate("shop", "web", "data")
		}, from: web, to: roleARN("boss"), but: func(l *lab) { l.a.Roles[1].Trust = document(trustOf(roleARN("data"))) },
	},
	{
		kind: "pass-role", set: func(l *lab) {
			l.iamRole("boss", serviceTrust("lambda.amazonaws.com"))
			l.iamRole("ci", noTrust, allow("*", "lambda:CreateFunction", "lambda:InvokeFunction"), allow(roleARN("boss"), "iam:PassRole"))
		}, from: roleARN("ci"), to: roleARN("boss"), but: func(l *lab) { l.a.Roles[0].Trust = document(noTrust) },
	},
	{
		kind: "run-as-role", set: func(l *lab) {
			l.iamRole("boss", serviceTrust("lambda.amazonaws.com"))
			l.iamRole("ci", noTrust, allow("*", "lambda:UpdateFunctionCode"))
		}, from: roleARN("ci"), to: roleARN("boss"), possible: true, but: func(l *lab) { l.a.Roles[0].Trust = document(noTrust) },
	},
	{
		kind: "run-on-node", set: func(l *lab) {
			l.node("n")
			l.iamRole("ci", noTrust, allow("arn:aws:ec2:us-east-1:"+home+":instance/"+l.c.Instances[0].ID, "ssm:StartSession"))
		}, from: roleARN("ci"), to: "node/n", but: func(l *lab) { l.a.Roles[0].Inline = nil },
	},
	{
		kind: "create-access-entry", set: func(l *lab) {
			l.iamRole("ci", noTrust, allow("*", "eks:CreateAccessEntry", "eks:AssociateAccessPolicy"))
		},
		from: roleARN("ci"), to: "cluster-admin", but: func(l *lab) { l.c.Description.AuthenticationMode = model.ModeConfigMap },
	},
	{
		kind: "create-access-entry-group", set: func(l *lab) {
			l.iamRole("ci", noTrust, allow("*", "eks:CreateAccessEntry"))
			l.bind("", "cluster-admin", "group:admins")
		}, from: roleARN("ci"), to: "cluster-admin", but: func(l *lab) { l.c.ClusterRoleBindings = nil },
	},
	{
		kind: "associate-access-policy", set: func(l *lab) {
			l.iamRole("ci", noTrust, allow("*", "eks:AssociateAccessPolicy"))
			l.entry(roleARN("ci"), "ci")
		}, from: roleARN("ci"), to: "cluster-admin", but: func(l *lab) { l.c.AccessEntries = nil },
	},
	{
		kind: "update-access-entry", set: func(l *lab) {
			l.iamRole("ci", noTrust, allow("*", "eks:UpdateAccessEntry"))
			l.entry(roleARN("ci"), "ci")
			l.bind("", "cluster-admin", "group:admins")
		}, from: roleARN("ci"), to: "cluster-admin", but: func(l *lab) { l.c.ClusterRoleBindings = nil },
	},
	{
		kind: "widen-other-entry", set: func(l *lab) {
			l.iamRole("ci", noTrust, allow("*", "eks:AssociateAccessPolicy"))
			l.entry(roleARN("dev"), "dev")
		}, from: roleARN("ci"), to: "cluster-admin", possible: true, but: func(l *lab) { l.c.AccessEntries = nil },
	},
	{
		kind: "change-authentication-mode", set: func(l *lab) {
			l.c.Description.AuthenticationMode = model.ModeConfigMap
			l.iamRole("ci", noTrust, allow("*", "eks:CreateAccessEntry", "eks:AssociateAccessPolicy", "eks:UpdateClusterConfig"))
		}, from: roleARN("ci"), to: "cluster-admin", but: func(l *lab) {
			l.a.Roles[0].Inline[0].Document = document(allow("*", "eks:CreateAccessEntry", "eks:AssociateAccessPolicy"))
		},
	},
	{
		kind: "identity-provider", set: func(l *lab) {
			l.iamRole("ci", noTrust, allow("*", "eks:AssociateIdentityProviderConfig"))
			l.bind("", "cluster-admin", "group:admins")
		}, from: roleARN("ci"), to: "cluster-admin", but: func(l *lab) { l.a.Roles[0].Inline = nil },
	},
	{
		kind: "create-capability", set: func(l *lab) { l.iamRole("ci", noTrust, allow("*", "eks:CreateCapability", "iam:PassRole")) }, from: roleARN("ci"), to: "cluster-admin", possible: true,
		but: func(l *lab) { l.a.Roles[0].Inline = nil },
	},
	{
		kind: "addon", set: func(l *lab) { l.iamRole("ci", noTrust, allow("*", "eks:CreateAddon", "iam:PassRole")) }, from: roleARN("ci"), to: "cluster-admin", possible: true,
		but: func(l *lab) { l.a.Roles[0].Inline = nil },
	},
	{
		kind: "add-node", set: func(l *lab) {
			l.iamRole("ci", noTrust, allow("*", "eks:CreateNodegroup", "iam:PassRole"))
			l.sa("ops", "boss")
			l.pod("ops", "p", "boss", "n").Owner = "daemonset/agent"
			l.c.Workloads = []*model.Workload{{Meta: model.Meta{Namespace: "ops", Name: "agent"}, Kind: "DaemonSet", PodSpec: model.PodSpec{ServiceAccount: "boss"}}}
		}, from: roleARN("ci"), to: "sa/ops/boss", possible: true, but: func(l *lab) { l.c.Workloads = nil },
	},
	{
		kind: "attach-role", set: func(l *lab) {
			l.iamRole("data", podTrust)
			l.iamRole("ci", noTrust, allow("*", "eks:CreatePodIdentityAssociation", "iam:PassRole"))
		}, from: roleARN("ci"), to: roleARN("data"), possible: true, but: func(l *lab) { l.a.Roles[0].Trust = document(noTrust) },
	},
	{
		kind: "attach-role", name: "for whoever can run a pod", set: func(l *lab) {
			l.iamRole("data", podTrust)
			l.iamRole("ci", noTrust, allow("*", "eks:CreatePodIdentityAssociation", "iam:PassRole"))
			l.entry(roleARN("ci"), "ci")
			l.policy(roleARN("ci"), "AmazonEKSEditPolicy", "shop")
		}, from: roleARN("ci"), to: roleARN("data"), but: func(l *lab) { l.c.PolicyAssociations = nil },
	},
	{
		kind: "use-resource", set: func(l *lab) {
			l.iamRole("data", podTrust, allow("arn:aws:s3:::orders/*", "s3:Get*"))
			l.associate("shop", "web", "data")
		}, from: web, to: "arn:aws:s3:::orders/2026", but: func(l *lab) {
			l.a.Roles[0].Inline[0].Document = document(allow("arn:aws:s3:::orders/*", "s3:ListBucket"))
		},
	},
	{
		kind: "use-resource", name: "in another account", set: func(l *lab) { l.iamRole("ci", noTrust, allow("*", "sqs:SendMessage")) },
		from: roleARN("ci"), to: "arn:aws:sqs:us-east-1:" + away + ":q", possible: true, but: func(l *lab) { l.a.Roles[0].Inline = nil },
	},
	{
		kind: "outside-trust", set: func(l *lab) { l.iamRole("ci", trustOf("arn:aws:iam::"+away+":root")) }, from: "internet-facing", to: roleARN("ci"),
		but: func(l *lab) { l.a.Roles[0].Trust = document(noTrust) },
	},
	{
		kind: "outside-trust", name: "through a public provider, if its conditions let in", set: func(l *lab) {
			l.iamRole("ci", `{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::`+home+`:oidc-provider/token.actions.githubusercontent.com"},"Action":"sts:AssumeRoleWithWebIdentity",
				"Condition":{"StringLike":{"token.actions.githubusercontent.com:sub":"repo:example/*"},"StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com"}}}`)
		}, from: "internet-facing", to: roleARN("ci"), possible: true, but: func(l *lab) { l.a.Roles[0].Trust = document(noTrust) },
	},
	{
		kind: "unread", set: func(l *lab) { delete(l.c.Read, model.AreaClusterRoleBindings) }, from: web, to: "cluster-admin", possible: true,
		but: func(l *lab) { l.c.MarkRead(model.AreaClusterRoleBindings) },
	},
	{
		kind: "unread", name: "policies of a role", set: func(l *lab) { l.iamRole("ci", noTrust).PoliciesUnknown = true }, from: roleARN("ci"), to: "account-admin", possible: true,
		but: func(l *lab) { l.a.Roles[0].PoliciesUnknown = false },
	},
	{
		kind: "unread", name: "neither associations nor roles", set: func(l *lab) {
			delete(l.c.Read, model.AreaPodIdentityAssociations)
			delete(l.a.Read, model.AreaIAMRoles)
		}, from: web, to: "account-admin", possible: true,
		but: func(l *lab) { l.a.MarkRead(model.AreaIAMRoles) },
	},
}

// TestKinds draws a step of each kind, and takes it away again.
func TestKinds(t *testing.T) {
	for _, c := range kindCases {
		t.Run(c.kind+" "+c.name, func(t *testing.T) {
			l := newLab()
			c.set(l)
			if !c.leads(t, l) {
				t.Errorf("no path from %s to %s with this step and possible=%v", c.from, c.to, c.possible)
			}
			c.but(l)
			if c.leads(t, l) {
				t.Error("the step is still there")
			}
		})
	}
	for _, k := range Kinds {
		if !slices.ContainsFunc(kindCases, func(c kindCase) bool { return c.kind == k.ID }) {
			t.Errorf("no case draws a step of kind %s", k.ID)
		}
	}
}

// leads says whether a path of the case has a step of its kind, and all of it is as certain as the case has it.
func (c *kindCase) leads(t *testing.T, l *lab) bool {
	t.Helper()
	q := Question{From: c.from, Most: 50}
	if c.from != FromInternetFacing {
		q.Of = target(c.from)
	}
	q.To = []Target{target(c.to)}
	for _, p := range l.graph(q.To...).Ask(q).Paths {
		for _, h := range p.Hops {
			if h.Text == "" || !h.Certain && len(h.Conditions) == 0 || h.Certain && len(h.Conditions) > 0 {
				t.Errorf("a step that says too little: %+v", h)
			}
		}
		if p.Certain != c.possible && slices.ContainsFunc(p.Hops, func(h Hop) bool { return h.Step == c.kind }) {
			return true
		}
	}
	return false
}
