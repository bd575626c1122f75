package oracle

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	awsAuthBefore = "{apiVersion: v1, kind: ConfigMap, metadata: {name: aws-auth, namespace: kube-system}, data: {mapUsers: ''}}"
	awsAuthAfter  = "{apiVersion: v1, kind: ConfigMap, metadata: {name: aws-auth, namespace: kube-system}, data: {mapUsers: '[{userarn: \"arn:aws:iam::444455556666:user/ID\", username: ID, groups: [\"system:masters\"]}]'}}"
)

// noAWSAuth takes aws-auth away first.
func noAWSAuth(ways []way) []way {
	for i := range ways {
		do := ways[i].do
		ways[i].do = func(a *act) []string {
			a.must(client(a, a.admin()).CoreV1().ConfigMaps("kube-system").Delete(a.Context(), "aws-auth", metav1.DeleteOptions{}))
			do(a)
			return nil // who is enough: there is one aws-auth
		}
	}
	return ways
}

// gains wants the message to say who gained.
func gains(ways []way) []way {
	for i := range ways {
		do := ways[i].do
		ways[i].do = func(a *act) []string {
			do(a)
			return []string{"arn:aws:iam::444455556666:user/" + a.id, "system:masters"}
		}
	}
	return ways
}

var awsAuthAttacks = []attack{
	{detection: "aws-auth-created", severity: "high", ways: noAWSAuth(made("v1/configmaps", awsAuthAfter))},
	{detection: "aws-auth-changed", severity: "critical", ways: gains(changed("v1/configmaps", awsAuthBefore, awsAuthAfter, "data"))},
	{detection: "aws-auth-deleted", severity: "high", ways: []way{
		{name: "delete", do: func(a *act) []string {
			a.prepare("v1/configmaps", awsAuthBefore)
			a.must(a.client().CoreV1().ConfigMaps("kube-system").Delete(a.Context(), "aws-auth", metav1.DeleteOptions{}))
			return nil
		}},
		{name: "with all of the namespace", severity: "medium", do: func(a *act) []string {
			a.prepare("v1/configmaps", awsAuthBefore)
			a.must(a.client().CoreV1().ConfigMaps("kube-system").DeleteCollection(a.Context(), metav1.DeleteOptions{}, metav1.ListOptions{FieldSelector: "metadata.name=aws-auth"}))
			return []string{"kube-system"}
		}},
	}},
}

const (
	agentBefore = `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: eks-pod-identity-agent, namespace: kube-system}, spec: {selector: {matchLabels: {app: agent}}, template: {metadata: {labels: {app: agent}}, spec: {hostNetwork: true, containers: [{name: eks-pod-identity-agent, image: "602401143452.dkr.ecr.us-east-1.amazonaws.com/eks/eks-pod-identity-agent:v0.1.20", args: [--port, "80"]}]}}}}`
	agentImage  = `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: eks-pod-identity-agent, namespace: kube-system}, spec: {selector: {matchLabels: {app: agent}}, template: {metadata: {labels: {app: agent}}, spec: {hostNetwork: true, containers: [{name: eks-pod-identity-agent, image: "registry.example.com/ID:1"}]}}}}`
	agentFlag   = `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: eks-pod-identity-agent, namespace: kube-system}, spec: {selector: {matchLabels: {app: agent}}, template: {metadata: {labels: {app: agent}}, spec: {hostNetwork: true, containers: [{name: eks-pod-identity-agent, image: "602401143452.dkr.ecr.us-east-1.amazonaws.com/eks/eks-pod-identity-agent:v0.1.20", args: [--endpoint, "https://ID.example.com"]}]}}}}`

	webhookBefore = `{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: pod-identity-webhook-ID}, webhooks: [{name: iam-for-pods.amazonaws.com, clientConfig: {url: "https://127.0.0.1:23443/mutate"}, failurePolicy: Ignore, sideEffects: None, admissionReviewVersions: [v1], rules: [{operations: [CREATE], apiGroups: [""], apiVersions: [v1], resources: [pods]}], namespaceSelector: {matchLabels: {lab: nowhere}}}]}`
	webhookAfter  = `{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: pod-identity-webhook-ID}, webhooks: [{name: iam-for-pods.amazonaws.com, clientConfig: {url: "https://127.0.0.1:23444/ID"}, failurePolicy: Ignore, sideEffects: None, admissionReviewVersions: [v1], rules: [{operations: [CREATE], apiGroups: [""], apiVersions: [v1], resources: [pods]}], namespaceSelector: {matchLabels: {lab: nowhere}}}]}`
	webhookNew    = `{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: sidecar-ID}, webhooks: [{name: sidecar.example.com, clientConfig: {url: "https://127.0.0.1:23444/ID"}, failurePolicy: Ignore, sideEffects: None, admissionReviewVersions: [v1], rules: [{operations: ["*"], apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"]}], namespaceSelector: {matchLabels: {lab: nowhere}}}]}`
	validatingNew = `{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: audit-ID}, webhooks: [{name: audit.example.com, clientConfig: {url: "https://127.0.0.1:23444/ID"}, failurePolicy: Ignore, sideEffects: None, admissionReviewVersions: [v1], rules: [{operations: [CREATE], apiGroups: [""], apiVersions: [v1], resources: [secrets]}], namespaceSelector: {matchLabels: {lab: nowhere}}}]}`
	policyNew     = `{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingAdmissionPolicy, metadata: {name: mutate-ID}, spec: {reinvocationPolicy: Never, failurePolicy: Ignore, matchConstraints: {resourceRules: [{operations: [CREATE], apiGroups: [""], apiVersions: [v1], resources: [pods]}]}, mutations: [{patchType: JSONPatch, jsonPatch: {expression: '[JSONPatch{op: "add", path: "/spec/serviceAccountName", value: "web"}]'}}]}}`
)

var podAttacks = []attack{
	{detection: "pod-identity-agent-changed", severity: "high", ways: slices.Concat(
		onAgent("image", changed("apps/v1/daemonsets", agentBefore, agentImage, "spec"), "registry.example.com/"),
		onAgent("endpoint", changed("apps/v1/daemonsets", agentBefore, agentFlag, "spec"), "--endpoint"),
		[]way{{name: "delete", do: func(a *act) []string {
			a.prepare("apps/v1/daemonsets", agentBefore)
			a.must(a.client().AppsV1().DaemonSets("kube-system").Delete(a.Context(), "eks-pod-identity-agent", metav1.DeleteOptions{}))
			return []string{"deleted"}
		}}},
	)},
	{detection: "admission-webhook-changed", severity: "medium", ways: slices.Concat(
		raised("high", changed("admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", webhookBefore, webhookAfter, "webhooks")),
		[]way{{name: "delete EKS' own", severity: "high", do: func(a *act) []string {
			o := a.prepare("admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", webhookBefore)
			a.must(a.client().AdmissionregistrationV1().MutatingWebhookConfigurations().Delete(a.Context(), o.GetName(), metav1.DeleteOptions{}))
			return naming(o)
		}}, {name: "delete all", severity: "high", do: func(a *act) []string {
			a.must(a.client().AdmissionregistrationV1().MutatingWebhookConfigurations().DeleteCollection(a.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "lab=nowhere"}))
			return nil
		}}},
		calledIt("mutating webhook", made("admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", webhookNew)),
		calledIt("validating webhook", made("admissionregistration.k8s.io/v1/validatingwebhookconfigurations", validatingNew, "secrets")),
		calledIt("mutating policy", made("admissionregistration.k8s.io/v1/mutatingadmissionpolicies", policyNew, "pods")),
	)},
	{detection: "privileged-pod-created", severity: "high", ways: slices.Concat(
		calledIt("privileged pod", made("v1/pods", podWith("securityContext: {privileged: true}", ""), "privileged")),
		calledIt("host path", made("v1/pods", podWith("volumeMounts: [{name: host, mountPath: /host}]", "volumes: [{name: host, hostPath: {path: /}}]"), "hostPath /")),
		calledIt("kubelet's pods", made("v1/pods", podWith("name: c", "volumes: [{name: host, hostPath: {path: /var/lib/kubelet/pods}}]"), "hostPath /var/lib/kubelet/pods")),
		calledIt("hostPID", made("v1/pods", podWith("name: c", "hostPID: true"), "hostPID")),
		calledIt("capability", made("v1/pods", podWith("securityContext: {capabilities: {add: [SYS_PTRACE]}}", ""), "SYS_PTRACE")),
		calledIt("deployment", made("apps/v1/deployments", deploymentWith("securityContext: {privileged: true}", ""), "privileged")),
		calledIt("cron job", made("batch/v1/cronjobs", cronJobWith("securityContext: {privileged: true}", ""), "privileged")),
		calledIt("deployment", changed("apps/v1/deployments", deploymentWith("name: c", ""), deploymentWith("securityContext: {privileged: true}", ""), "spec", "privileged")),
		calledIt("daemon set", changed("apps/v1/daemonsets", daemonSetWith("name: c", ""), daemonSetWith("name: c", "hostPID: true"), "spec", "hostPID")),
		raised("medium", calledIt("host network", made("v1/pods", podWith("name: c", "hostNetwork: true"), "hostNetwork"))),
		[]way{{name: "ephemeral container", do: func(a *act) []string {
			return a.debug("plain", `{name: ID, image: busybox, securityContext: {privileged: true}}`, "update")
		}}},
	)},
}

func podSpec(container, spec string) string {
	if spec != "" {
		spec += ", "
	}
	return `{` + spec + `containers: [{name: c, image: "registry.example.com/tool:1", ` + withoutName(container) + `}]}`
}

// withoutName leaves out the member that every container here has.
func withoutName(container string) string {
	if container == "name: c" {
		return "imagePullPolicy: Always"
	}
	return container
}

func podWith(container, spec string) string {
	return `{apiVersion: v1, kind: Pod, metadata: {name: tool-ID, namespace: shop}, spec: ` + podSpec(container, spec) + `}`
}

func templateWith(container, spec string) string {
	return `selector: {matchLabels: {app: ID}}, template: {metadata: {labels: {app: ID}}, spec: ` + podSpec(container, spec) + `}`
}

func deploymentWith(container, spec string) string {
	return `{apiVersion: apps/v1, kind: Deployment, metadata: {name: tool-ID, namespace: shop}, spec: {` + templateWith(container, spec) + `}}`
}

func daemonSetWith(container, spec string) string {
	return `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: tool-ID, namespace: shop}, spec: {` + templateWith(container, spec) + `}}`
}

func cronJobWith(container, spec string) string {
	if spec == "" {
		spec = "restartPolicy: Never"
	} else {
		spec += ", restartPolicy: Never"
	}
	return `{apiVersion: batch/v1, kind: CronJob, metadata: {name: tool-ID, namespace: shop}, spec: {schedule: "0 0 1 1 *", jobTemplate: {spec: {template: {spec: ` + podSpec(container, spec) + `}}}}}`
}

// calledIt puts what is attacked before the ways' names.
func calledIt(what string, ways []way) []way {
	for i := range ways {
		ways[i].name = what + ", " + ways[i].name
	}
	return ways
}

// raised are ways that are reported with another severity than the attack's.
func raised(s severity, ways []way) []way {
	for i := range ways {
		ways[i].severity = s
	}
	return ways
}

// onAgent are the ways to change the agent: the message says what it has.
func onAgent(what string, ways []way, want string) []way {
	for i := range ways {
		do := ways[i].do
		ways[i].do = func(a *act) []string {
			do(a)
			return []string{want, a.id}
		}
	}
	return calledIt(what, ways)
}
