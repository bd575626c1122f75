package main

import (
	"context"
	_ "embed"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	lab "drawbridge/internal/lab/aws"
	"drawbridge/internal/lab/aws/wire"
	"drawbridge/internal/lab/kube"
)

//go:embed transition.yaml
var transitionManifests string

// transition is the payments cluster on its way from aws-auth to access entries (authentication-mode-transitional), with
// a Pod Identity agent that somebody changed.
func transition() cluster {
	since := date(2023, 6, 20)
	pods := date(2025, 9, 2)
	return cluster{
		name: "transition", created: since, aws: seedTransition, manifests: transitionManifests,
		nodes: []nodeGroup{
			{name: "general", first: 110, count: 3, profile: "transition-nodes", tokens: "required", hops: 1},
			{name: "payments", first: 120, count: 2, profile: "transition-nodes", tokens: "required", hops: 1},
		},
		associations: []lab.PodIdentityAssociation{
			association("transition", "payments", "payments-api", "transition-payments", pods),
			association("transition", "payments", "ledger", "transition-ledger", pods),
			association("transition", "notifications", "mailer", "transition-mailer", pods),
			association("transition", "monitoring", "grafana", "transition-grafana", pods),
			// pod-identity-shadows-irsa: the annotation stayed, and with it the wider role.
			association("transition", "fraud", "scoring", "transition-scoring", pods),
		},
		eks: kube.EKS{
			CNIRoleARN: arn("role/transition-vpc-cni"), Agent: kube.AgentWithTokenVerification(),
			AWSAuth: map[string]string{"mapRoles": transitionRoles},
		},
		change: changeAgent, tamper: tamperWebhook,
	}
}

const transitionRoles = `# EKS keeps this row beside the access entry; that is no duplicate.
- rolearn: arn:aws:iam::111122223333:role/transition-nodes
  username: system:node:{{EC2PrivateDNSName}}
  groups: [system:bootstrappers, system:nodes]
# aws-auth-shadowed-by-access-entry: comes back when the entry of the same role is deleted.
- rolearn: arn:aws:iam::111122223333:role/AWSReservedSSO_Developer_1b2c3d4e5f67890a
  username: developer
  groups: [system:masters]
# authentication-mode-transitional: nobody moved the build server yet.
- rolearn: arn:aws:iam::111122223333:role/jenkins-deployer
  username: jenkins
  groups: [deployers]
`

func seedTransition(a *lab.Account, r *lab.Region) {
	since := date(2023, 6, 20)
	yes := true
	r.PutCluster(lab.Cluster{
		Name: "transition", Version: "1.34", RoleARN: arn("role/transition-cluster"), CreatedAt: wire.At(since), Tags: map[string]string{"team": "payments"},
		Identity:           &lab.Identity{OIDC: &lab.OIDC{Issuer: "https://" + transitionIssuer}},
		AccessConfig:       &lab.AccessConfig{AuthenticationMode: "API_AND_CONFIG_MAP", BootstrapClusterCreatorAdminPermissions: &yes},
		Logging:            &lab.Logging{ClusterLogging: []lab.LogSetup{{Types: []string{"api", "audit", "authenticator"}, Enabled: &yes}}},
		ResourcesVpcConfig: &lab.VpcConfig{EndpointPublicAccess: &yes, EndpointPrivateAccess: &yes, PublicAccessCIDRs: []string{"198.51.100.0/24", "203.0.113.17/32"}},
	})
	// control-plane-log-not-forwarded: a week, and nobody listens.
	days := 7
	r.PutLogGroup(lab.LogGroup{LogGroupName: "/aws/eks/transition/cluster", RetentionInDays: &days})
	for _, name := range []string{"general", "payments"} {
		r.PutNodegroup(lab.Nodegroup{ClusterName: "transition", NodegroupName: name, NodeRole: arn("role/transition-nodes"), CreatedAt: wire.At(since)})
	}
	for _, name := range []string{"coredns", "kube-proxy", "eks-pod-identity-agent"} {
		r.PutAddon(lab.Addon{ClusterName: "transition", AddonName: name, CreatedAt: wire.At(since)})
	}
	r.PutAddon(lab.Addon{ClusterName: "transition", AddonName: "vpc-cni", ServiceAccountRoleARN: arn("role/transition-vpc-cni"), CreatedAt: wire.At(since)})
	// oidc-identity-provider-associated
	r.PutIdentityProviderConfig(lab.OIDCConfig{
		ClusterName: "transition", IdentityProviderConfigName: "dex", IssuerURL: "https://dex.example.com", ClientID: "kubernetes",
		UsernameClaim: "email", GroupsClaim: "groups", Status: "ACTIVE",
	})
	seedTransitionRoles(a)
	seedTransitionEntries(a, r)
}

func seedTransitionRoles(a *lab.Account) {
	since := date(2023, 6, 20)
	seedNodes(a, "transition", role("transition-nodes", "", since, nil, awsPolicy("AmazonEKSWorkerNodePolicy"), awsPolicy("AmazonEC2ContainerRegistryPullOnly")))
	a.PutRole(role("transition-vpc-cni", trustIRSA(transitionIssuer, "kube-system", "aws-node"), since, nil, awsPolicy("AmazonEKS_CNI_Policy")))
	// As it should be: each for one service account of this cluster.
	a.PutRole(role("transition-payments", trustPods("transition", "payments", "payments-api"), since, inline("payments",
		allow("dynamodb:GetItem dynamodb:PutItem dynamodb:UpdateItem", "arn:aws:dynamodb:us-east-1:"+org+":table/payments"), allow("kms:Decrypt", "arn:aws:kms:us-east-1:"+org+":key/11111111-2222-3333-4444-555555555555"))))
	a.PutRole(role("transition-ledger", trustPods("transition", "payments", "ledger"), since, inline("ledger",
		allow("dynamodb:GetItem dynamodb:PutItem dynamodb:Query", "arn:aws:dynamodb:us-east-1:"+org+":table/ledger"))))
	a.PutRole(role("transition-mailer", trustPods("transition", "notifications", "mailer"), since, inline("mail", allow("ses:SendEmail", "arn:aws:ses:us-east-1:"+org+":identity/example.com"))))
	a.PutRole(role("transition-grafana", trustPods("transition", "monitoring", "grafana"), since, nil, awsPolicy("CloudWatchReadOnlyAccess")))
	a.PutRole(role("transition-scoring", trustPods("transition", "fraud", "scoring"), since, inline("model", allow("s3:GetObject", "arn:aws:s3:::example-fraud-models/*"))))
	a.PutRole(role("transition-scoring-irsa", trustIRSA(transitionIssuer, "fraud", "scoring"), since, inline("models", allow("s3:GetObject s3:PutObject s3:ListBucket", "arn:aws:s3:::example-fraud-*"))))
	// irsa-pod-identity-candidate
	a.PutRole(role("transition-external-dns", trustIRSA(transitionIssuer, "external-dns", "external-dns"), since, inline("zones",
		allow("route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z0123456789EXAMPLE"), allow("route53:ListHostedZones route53:ListResourceRecordSets", "*"))))
	a.PutRole(role("cluster-insights", trustService("ec2.amazonaws.com"), since, nil))
	a.PutRole(role("vendor-access", trustPrincipal("arn:aws:iam::"+partner+":root"), since, inline("kubeconfig", allow("eks:DescribeCluster", "*"))))
	a.PutRole(role("transition-spot-nodes", trustService("ec2.amazonaws.com"), since, nil, awsPolicy("AmazonEKSWorkerNodePolicy")))
	a.PutRole(role("release-bot", trustPrincipal(arn("role/github-actions-deploy")), since, inline("kubeconfig", allow("eks:DescribeCluster", "*"))))
	// access-entry-ghost-principal: deleted and made again after its access entry.
	a.PutRole(role("data-analyst", trustPrincipal(arn("role"+ssoPath+ssoDeveloper)), date(2026, 8, 3), inline("kubeconfig", allow("eks:DescribeCluster", "*"))))
}

func seedTransitionEntries(a *lab.Account, r *lab.Region) {
	since, moved := date(2023, 6, 20), date(2025, 8, 12)
	add := func(e lab.AccessEntry, policies ...lab.AssociatedAccessPolicy) { r.PutAccessEntry(e, policies...) }
	sso := func(name string) string { return arn("role" + ssoPath + name) }

	// What EKS itself makes: none of it is a finding.
	add(entry("transition", arn("role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS"), moved), onCluster("AmazonEKSClusterInsightsPolicy"), onCluster("AmazonEKSEventPolicy"))
	nodes := entry("transition", arn("role/transition-nodes"), moved)
	nodes.Type = "EC2_LINUX"
	add(nodes)

	add(entry("transition", arn("role/terraform-pipeline"), since), onCluster("AmazonEKSClusterAdminPolicy")) // cluster-creator-admin
	add(entry("transition", sso(ssoAdmin), moved), onCluster("AmazonEKSClusterAdminPolicy"))                  // access-entry-cluster-admin
	add(entry("transition", sso(ssoDeveloper), moved), onNamespaces("AmazonEKSViewPolicy", "payments", "fraud", "notifications"))
	add(entry("transition", sso(ssoAuditor), moved), onCluster("AmazonEKSAdminViewPolicy"))                                            // access-entry-reads-secrets
	add(entry("transition", arn("role/support-desk"), moved), onNamespaces("AmazonEKSEditPolicy", "*"))                                // access-entry-system-namespace-write
	add(entry("transition", arn("role/oncall"), moved, "oncall"))                                                                      // access-entry-group-privileged
	add(entry("transition", "arn:aws:iam::"+partner+":role/acquirer-support", moved), onNamespaces("AmazonEKSViewPolicy", "payments")) // access-entry-external-account
	add(entry("transition", arn("user/ci-deployer"), moved, "deployers"))                                                              // access-entry-iam-user
	add(entry("transition", arn("role/contractor-2024"), moved), onNamespaces("AmazonEKSViewPolicy", "fraud"))                         // access-entry-ghost-principal: deleted
	add(entry("transition", arn("role/data-analyst"), moved), onNamespaces("AmazonEKSViewPolicy", "fraud"))                            // access-entry-ghost-principal: recreated
	add(entry("transition", arn("role/release-bot"), moved, "relase-managers"))                                                        // access-entry-without-permissions: a typing error
	add(entry("transition", arn("role/cluster-insights"), moved), onCluster("AmazonEKSWorkloadInsightsPolicy"))                        // access-entry-unknown-policy: no such name is published

	// access-entry-session-name-template
	vendor := entry("transition", arn("role/vendor-access"), moved, "{{SessionName}}")
	vendor.Username = "vendor:{{SessionName}}"
	add(vendor)

	// access-entry-node-type-mismatch: the node group went in 2024.
	spot := entry("transition", arn("role/transition-spot-nodes"), moved)
	spot.Type = "EC2_LINUX"
	add(spot)
}

// changeAgent is what somebody did to the agent's DaemonSet (pod-identity-agent-unexpected): credentials come from another
// address, and a second container sees the host.
func changeAgent(ctx context.Context, c *kube.Cluster) error {
	d, err := c.Admin.AppsV1().DaemonSets("kube-system").Get(ctx, "eks-pod-identity-agent", metav1.GetOptions{})
	if err != nil {
		return err
	}
	patch := fmt.Sprintf(`{"spec":{"template":{"spec":{
		"containers":[
			{"name":"eks-pod-identity-agent","args":[%s"--endpoint","https://eks-auth.example.net"]},
			{"name":"cache-exporter","image":"registry.example.net/tools/cache-exporter:latest","volumeMounts":[{"name":"kubelet","mountPath":"/host/kubelet"}]}],
		"volumes":[{"name":"kubelet","hostPath":{"path":"/var/lib/kubelet"}}]}}}}`, quoted(d.Spec.Template.Spec.Containers[0].Args))
	_, err = c.Admin.AppsV1().DaemonSets("kube-system").Patch(ctx, d.Name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}

func quoted(args []string) string {
	text := ""
	for _, a := range args {
		text += fmt.Sprintf("%q,", a)
	}
	return text
}

// tamperWebhook is what somebody did to admission (pod-identity-webhook-unexpected): EKS's webhook passes fraud by, and
// another one may change every pod.
func tamperWebhook(ctx context.Context, c *kube.Cluster) error {
	patch := `[{"op":"add","path":"/webhooks/0/namespaceSelector","value":{"matchExpressions":[{"key":"kubernetes.io/metadata.name","operator":"NotIn","values":["fraud"]}]}}]`
	_, err := c.Admin.AdmissionregistrationV1().MutatingWebhookConfigurations().Patch(ctx, "pod-identity-webhook", types.JSONPatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		return err
	}
	return c.Apply(ctx, `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: proxy-injector}
webhooks:
- name: inject.proxy.example.com
  clientConfig: {service: {namespace: mesh, name: proxy-injector, path: /inject}}
  failurePolicy: Ignore
  rules: [{operations: [CREATE], apiGroups: [""], apiVersions: [v1], resources: [pods], scope: Namespaced}]
  sideEffects: None
  admissionReviewVersions: [v1]
`)
}
