package oracle

import (
	"encoding/base64"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// chart is what a chart of ordinary kind brings: a service account, roles, their bindings, and a workload.
func chart(namespace, name, annotations, clusterRules, rules, spec string) string {
	kind, more := "Deployment", "replicas: 1, "
	if strings.Contains(spec, "hostPath") {
		kind, more = "DaemonSet", ""
	}
	one := func(text string) string {
		return strings.NewReplacer("NAMESPACE", namespace, "NAME", name, "ANNOTATIONS", annotations, "CLUSTER_RULES", clusterRules, "RULES", rules, "SPEC", spec, "KIND", kind, "MORE", more).Replace(text)
	}
	return one(`
{apiVersion: v1, kind: ServiceAccount, metadata: {name: NAME, namespace: NAMESPACE, annotations: {ANNOTATIONS}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: NAME, namespace: NAMESPACE}, data: {log-level: info}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: NAME}, rules: [CLUSTER_RULES]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: NAME}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: NAME}, subjects: [{kind: ServiceAccount, name: NAME, namespace: NAMESPACE}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: NAME, namespace: NAMESPACE}, rules: [RULES{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create, get, list, watch, update, patch]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: NAME, namespace: NAMESPACE}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: NAME}, subjects: [{kind: ServiceAccount, name: NAME, namespace: NAMESPACE}]}
---
{apiVersion: v1, kind: Service, metadata: {name: NAME, namespace: NAMESPACE}, spec: {selector: {app: NAME}, ports: [{port: 443}]}}
---
{apiVersion: apps/v1, kind: KIND, metadata: {name: NAME, namespace: NAMESPACE}, spec: {MOREselector: {matchLabels: {app: NAME}}, template: {metadata: {labels: {app: NAME}}, spec: {serviceAccountName: NAME, SPECcontainers: [{name: c, image: "registry.example.com/NAME:v1.0", securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}}}}
`)
}

// The charts are like the published ones of those names in what bears on identity, and synthetic in the rest.
var (
	ingressChart = chart("ingress", "ingress-nginx", "",
		`{apiGroups: [""], resources: [configmaps, endpoints, nodes, pods, secrets, namespaces], verbs: [list, watch]}, {apiGroups: [""], resources: [services], verbs: [get, list, watch]}, {apiGroups: [networking.k8s.io], resources: [ingresses, ingressclasses], verbs: [get, list, watch]}, {apiGroups: [networking.k8s.io], resources: [ingresses/status], verbs: [update]}, {apiGroups: [""], resources: [events], verbs: [create, patch]}`,
		`{apiGroups: [""], resources: [configmaps, pods, secrets, endpoints], verbs: [get, list, watch]}, `, "")
	metricsChart = chart("kube-system", "metrics-server", "",
		`{apiGroups: [""], resources: [nodes/metrics], verbs: [get]}, {apiGroups: [""], resources: [pods, nodes], verbs: [get, list, watch]}`, "", "") + `
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: "metrics-server:system:auth-delegator"}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:auth-delegator"}, subjects: [{kind: ServiceAccount, name: metrics-server, namespace: kube-system}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: metrics-server-auth-reader, namespace: kube-system}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: extension-apiserver-authentication-reader}, subjects: [{kind: ServiceAccount, name: metrics-server, namespace: kube-system}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: "system:metrics-server-aggregated-reader", labels: {rbac.authorization.k8s.io/aggregate-to-view: "true"}}, rules: [{apiGroups: [metrics.k8s.io], resources: [pods, nodes], verbs: [get, list, watch]}]}
`
	certChart = chart("cert-manager", "cert-manager", "",
		`{apiGroups: [cert-manager.io], resources: [certificates, certificaterequests, issuers, clusterissuers], verbs: ["*"]}, {apiGroups: [""], resources: [secrets], verbs: [get, list, watch, create, update, delete, patch]}, {apiGroups: [""], resources: [events], verbs: [create, patch]}, {apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests], verbs: [get, list, watch, update]}, {apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests/status], verbs: [update, patch]}, {apiGroups: [certificates.k8s.io], resources: [signers], resourceNames: ["issuers.cert-manager.io/*", "clusterissuers.cert-manager.io/*"], verbs: [sign]}, {apiGroups: [cert-manager.io], resources: [signers], verbs: [approve]}, {apiGroups: [authorization.k8s.io], resources: [subjectaccessreviews], verbs: [create]}`,
		`{apiGroups: [""], resources: [serviceaccounts/token], resourceNames: [cert-manager], verbs: [create]}, `, "") + `
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: certificates.cert-manager.io}, spec: {group: cert-manager.io, scope: Namespaced, names: {kind: Certificate, plural: certificates, singular: certificate}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}
---
{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: cert-manager-webhook}, webhooks: [{name: webhook.cert-manager.io, clientConfig: {service: {name: cert-manager, namespace: cert-manager, path: /validate}}, failurePolicy: Ignore, sideEffects: None, admissionReviewVersions: [v1], rules: [{operations: [CREATE, UPDATE], apiGroups: [cert-manager.io], apiVersions: [v1], resources: ["*/*"]}]}]}
`
	balancerChart = chart("kube-system", "aws-load-balancer-controller", `eks.amazonaws.com/role-arn: "arn:aws:iam::111122223333:role/lbc"`,
		`{apiGroups: [elbv2.k8s.aws], resources: [targetgroupbindings, ingressclassparams], verbs: [get, list, watch, update, patch, create, delete]}, {apiGroups: [""], resources: [nodes, namespaces, endpoints, pods, services], verbs: [get, list, watch]}, {apiGroups: [""], resources: [pods/status, services/status], verbs: [update, patch]}, {apiGroups: [""], resources: [secrets, configmaps], verbs: [get, list, watch]}, {apiGroups: [networking.k8s.io], resources: [ingresses], verbs: [get, list, patch, update, watch]}`, "", "") + `
---
{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: aws-load-balancer-webhook}, webhooks: [{name: mpod.elbv2.k8s.aws, clientConfig: {service: {name: aws-load-balancer-controller, namespace: kube-system, path: /mutate-v1-pod}}, failurePolicy: Ignore, timeoutSeconds: 1, sideEffects: None, admissionReviewVersions: [v1], namespaceSelector: {matchExpressions: [{key: elbv2.k8s.aws/pod-readiness-gate-inject, operator: In, values: [enabled]}]}, rules: [{operations: [CREATE], apiGroups: [""], apiVersions: [v1], resources: [pods]}]}]}
`
	dnsChart = chart("dns", "external-dns", `eks.amazonaws.com/role-arn: "arn:aws:iam::111122223333:role/dns"`,
		`{apiGroups: [""], resources: [services, pods, nodes, endpoints], verbs: [get, list, watch]}, {apiGroups: [networking.k8s.io], resources: [ingresses], verbs: [get, list, watch]}`, "", "")
	logChart = chart("logging", "aws-for-fluent-bit", "",
		`{apiGroups: [""], resources: [namespaces, pods, pods/logs], verbs: [get, list, watch]}`, "",
		`volumes: [{name: varlog, hostPath: {path: /var/log}}, {name: containers, hostPath: {path: /var/lib/docker/containers}}, {name: journal, hostPath: {path: /run/log/journal}}], `)
)

// ebsDriver is an add-on of EKS that reaches the node.
const ebsDriver = `
{apiVersion: v1, kind: ServiceAccount, metadata: {name: ebs-csi-node-sa, namespace: kube-system}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: ebs-csi-node-role}, rules: [{apiGroups: [""], resources: [nodes], verbs: [get, patch]}, {apiGroups: [storage.k8s.io], resources: [volumeattachments, csinodes], verbs: [get, list, watch]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: ebs-csi-node-getter-binding}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ebs-csi-node-role}, subjects: [{kind: ServiceAccount, name: ebs-csi-node-sa, namespace: kube-system}]}
---
{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: ebs-csi-node, namespace: kube-system}, spec: {selector: {matchLabels: {app: ebs-csi-node}}, template: {metadata: {labels: {app: ebs-csi-node}}, spec: {serviceAccountName: ebs-csi-node-sa, containers: [{name: ebs-plugin, image: "602401143452.dkr.ecr.us-east-1.amazonaws.com/eks/aws-ebs-csi-driver:v1.0.0", securityContext: {privileged: true}}], volumes: [{name: kubelet-dir, hostPath: {path: /var/lib/kubelet}}, {name: device-dir, hostPath: {path: /dev}}]}}}}
`

// shopManifest is what developers deploy: web has a Pod Identity association, cart a role by IRSA.
const shopManifest = `
{apiVersion: v1, kind: ServiceAccount, metadata: {name: web, namespace: shop}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: cart, namespace: shop, annotations: {eks.amazonaws.com/role-arn: "arn:aws:iam::111122223333:role/cart"}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: shop}, data: {color: blue}}
---
{apiVersion: v1, kind: Secret, metadata: {name: web, namespace: shop}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {selector: {app: web}, ports: [{port: 80}]}}
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: shop}, spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}}
---
{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: web, namespace: shop}, spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}}
---
{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: web, namespace: shop}, spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, maxReplicas: 10}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {replicas: 2, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {terminationGracePeriodSeconds: 2, serviceAccountName: web, containers: [{name: c, image: "registry.example.com/web:1", envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: web}}]}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {replicas: 2, selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {terminationGracePeriodSeconds: 2, serviceAccountName: cart, containers: [{name: c, image: "registry.example.com/cart:1"}]}}}}
---
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: store, namespace: shop}, spec: {replicas: 2, serviceName: store, selector: {matchLabels: {app: store}}, template: {metadata: {labels: {app: store}}, spec: {terminationGracePeriodSeconds: 2, containers: [{name: c, image: "registry.example.com/store:1"}]}}}}
---
{apiVersion: batch/v1, kind: CronJob, metadata: {name: report, namespace: shop}, spec: {schedule: "* * * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "registry.example.com/report:1"}]}}}}}}
`

// workloads is what pods ask the API server for all day: leader elections, lists, watches, events, their own Secrets.
func (d *day) workloads() {
	for _, account := range []string{"ingress/ingress-nginx", "cert-manager/cert-manager", "kube-system/aws-load-balancer-controller"} {
		namespace, name, _ := strings.Cut(account, "/")
		c := d.inPod(account)
		holder, seconds, now := name+"-0", int32(15), metav1.NewMicroTime(time.Now())
		leases := c.CoordinationV1().Leases(namespace)
		lease, err := leases.Create(d.Context(), &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, RenewTime: &now}}, metav1.CreateOptions{})
		d.must(err)
		for range 10 {
			now = metav1.NewMicroTime(time.Now())
			lease.Spec.RenewTime = &now
			lease, err = leases.Update(d.Context(), lease, metav1.UpdateOptions{})
			d.must(err)
		}
		_, err = c.CoreV1().Secrets("").List(d.Context(), metav1.ListOptions{})
		d.must(err)
		w, err := c.CoreV1().Secrets("").Watch(d.Context(), metav1.ListOptions{})
		d.must(err)
		w.Stop()
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "list", Resource: "secrets"}}}
		_, err = c.AuthorizationV1().SelfSubjectAccessReviews().Create(d.Context(), review, metav1.CreateOptions{})
		d.must(err)
	}
	cert := d.inPod("cert-manager/cert-manager")
	_, err := cert.CoreV1().Secrets("shop").Create(d.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "web-tls"}, Type: corev1.SecretTypeOpaque}, metav1.CreateOptions{})
	d.must(err)
	for range 20 {
		_, err := cert.CoreV1().Secrets("shop").Get(d.Context(), "web-tls", metav1.GetOptions{})
		d.must(err)
	}
	// Its injector writes the webhook's certificate authority; here the pipeline's client does so.
	_, err = d.as("Pipeline", "build-4711").AdmissionregistrationV1().ValidatingWebhookConfigurations().Patch(d.Context(), "cert-manager-webhook", types.JSONPatchType, []byte(`[{"op":"add","path":"/webhooks/0/clientConfig/caBundle","value":"`+caBundle(d.kube.CA)+`"}]`), metav1.PatchOptions{})
	d.must(err)
	dns := d.inPod("kube-system/coredns")
	for _, path := range []string{"/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices", "/api/v1/namespaces"} {
		d.must(dns.CoreV1().RESTClient().Get().AbsPath(path).Do(d.Context()).Error())
	}
	node := d.inPod("kube-system/aws-node")
	_, err = node.CoreV1().Pods("").List(d.Context(), metav1.ListOptions{})
	d.must(err)
	// A workload that asks for what it may not: its configuration is wrong, and it tries again.
	web := d.inPod("shop/web")
	for range 10 {
		_, _ = web.CoreV1().ConfigMaps("shop").Get(d.Context(), "leader", metav1.GetOptions{})
	}
}

func caBundle(ca []byte) string { return base64.StdEncoding.EncodeToString(ca) }
