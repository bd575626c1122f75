package main

import (
	"context"
	_ "embed"

	lab "drawbridge/internal/lab/aws"
	"drawbridge/internal/lab/aws/wire"
	"drawbridge/internal/lab/kube"
)

//go:embed platform.yaml
var platformManifests string

// platform is the newest cluster, access entries only and Pod Identity throughout, but nobody installed the agent
// (pod-identity-agent-missing).
func platform() cluster {
	since := date(2026, 2, 3)
	pods := date(2026, 3, 10)
	yes := true
	archive := association("platform", "archive", "archiver", "platform-archive", pods)
	archive.DisableSessionTags = &yes // pod-identity-session-tags-disabled, for the session policy
	archive.Policy = document(allow("s3:PutObject", "arn:aws:s3:::example-archive/*"))
	billing := association("platform", "billing", "settlement", "platform-settlement", pods)
	billing.TargetRoleARN = "arn:aws:iam::" + partner + ":role/settlement-upload" // pod-identity-target-role
	return cluster{
		name: "platform", created: since, aws: seedPlatform, manifests: platformManifests,
		nodes: []nodeGroup{
			{name: "system", first: 210, count: 2, profile: "platform-nodes", tokens: "required", hops: 1},
			{first: 220, count: 2, profile: "platform-nodes", tokens: "required", hops: 1, nodeClass: "default"},
			{name: "windows", first: 230, count: 1, profile: "platform-nodes", tokens: "required", hops: 1, windows: true},
			{first: 240, count: 2, fargate: true},
		},
		associations: []lab.PodIdentityAssociation{
			// As it should be.
			association("platform", "catalog", "catalog-api", "platform-catalog", pods),
			association("platform", "checkout", "checkout-api", "platform-checkout", pods),
			association("platform", "kube-system", "karpenter", "platform-karpenter", pods),
			// pod-identity-shared-role; the role's trust policy says nothing either (pod-identity-trust-unconditioned).
			association("platform", "data", "etl", "platform-data", pods),
			association("platform", "data", "warehouse-sync", "platform-data", pods),
			association("platform", "data", "spark", "platform-spark", pods),           // pod-identity-role-privileged
			association("platform", "ml", "default", "platform-training", pods),        // pod-identity-default-service-account
			association("platform", "invoices", "invoices", "platform-invoices", pods), // pod-identity-dangling: no such namespace
			association("platform", "catalog", "feed-export", "platform-feed", pods),   // pod-identity-dangling: no such role
			association("platform", "jobs", "nightly", "platform-nightly", pods),       // pod-identity-unsupported-node: on Fargate
			association("platform", "pricing", "pricing", "platform-pricing", pods),    // pod-identity-unsupported-node: on Windows
			// pod-identity-pods-predate-association: made yesterday, the pods are from October.
			association("platform", "recommendations", "recommender", "platform-recommender", now.AddDate(0, 0, -1)),
			archive, billing,
		},
		change: func(ctx context.Context, c *kube.Cluster) error { return c.InstallKarpenter(ctx) },
	}
}

func seedPlatform(a *lab.Account, r *lab.Region) {
	since := date(2026, 2, 3)
	yes, no := true, false
	r.PutCluster(lab.Cluster{
		Name: "platform", Version: "1.36", RoleARN: arn("role/platform-cluster"), CreatedAt: wire.At(since), Tags: map[string]string{"team": "platform"},
		Identity:           &lab.Identity{OIDC: &lab.OIDC{Issuer: "https://" + platformIssuer}},
		AccessConfig:       &lab.AccessConfig{AuthenticationMode: "API", BootstrapClusterCreatorAdminPermissions: &no},
		Logging:            &lab.Logging{ClusterLogging: []lab.LogSetup{{Types: []string{"api", "audit", "authenticator"}, Enabled: &yes}}},
		ResourcesVpcConfig: &lab.VpcConfig{EndpointPublicAccess: &no, EndpointPrivateAccess: &yes},
	})
	days := 365
	r.PutLogGroup(lab.LogGroup{
		LogGroupName: "/aws/eks/platform/cluster", RetentionInDays: &days,
		SubscriptionFilters: []lab.SubscriptionFilter{{FilterName: "detections", DestinationARN: "arn:aws:firehose:us-east-1:" + org + ":deliverystream/detections"}},
	})
	for _, g := range []lab.Nodegroup{{NodegroupName: "system"}, {NodegroupName: "windows", AMIType: "WINDOWS_CORE_2022_x86_64"}} {
		g.ClusterName, g.NodeRole, g.CreatedAt = "platform", arn("role/platform-nodes"), wire.At(since)
		r.PutNodegroup(g)
	}
	r.PutFargateProfile(lab.FargateProfile{
		ClusterName: "platform", FargateProfileName: "jobs", PodExecutionRoleARN: arn("role/platform-fargate"), CreatedAt: wire.At(since),
		Selectors: []lab.FargateSelector{{Namespace: "jobs"}},
	})
	for _, name := range []string{"vpc-cni", "coredns", "kube-proxy"} {
		r.PutAddon(lab.Addon{ClusterName: "platform", AddonName: name, CreatedAt: wire.At(since)})
	}
	r.PutCapability(lab.Capability{ClusterName: "platform", CapabilityName: "argocd", Type: "ARGOCD", RoleARN: arn("role/platform-argocd"), CreatedAt: wire.At(since)})
	seedPlatformRoles(a)
	seedPlatformEntries(r)
}

func seedPlatformRoles(a *lab.Account) {
	since := date(2026, 2, 3)
	put := func(name, trust string, policies []lab.InlinePolicy, attached ...string) {
		a.PutRole(role(name, trust, since, policies, attached...))
	}
	seedNodes(a, "platform", role("platform-nodes", "", since, nil, awsPolicy("AmazonEKSWorkerNodePolicy"), awsPolicy("AmazonEKS_CNI_Policy"), awsPolicy("AmazonEC2ContainerRegistryPullOnly")))
	put("platform-fargate", trustService("eks-fargate-pods.amazonaws.com"), nil, awsPolicy("AmazonEKSFargatePodExecutionRolePolicy"))
	put("platform-argocd", trustService("capabilities.eks.amazonaws.com"), nil)

	// As it should be: each for one service account of this cluster, with what it needs.
	one := func(namespace, account, name string, statements ...statement) {
		put(name, trustPods("platform", namespace, account), inline("needs", statements...))
	}
	bucket := func(actions, bucket string) statement { return allow(actions, "arn:aws:s3:::"+bucket+"/*") }
	one("catalog", "catalog-api", "platform-catalog", bucket("s3:GetObject", "example-catalog"))
	one("checkout", "checkout-api", "platform-checkout", allow("sqs:SendMessage", "arn:aws:sqs:us-east-1:"+org+":orders"))
	one("kube-system", "karpenter", "platform-karpenter",
		allow("ec2:DescribeInstances ec2:DescribeSubnets ec2:DescribeInstanceTypes pricing:GetProducts", "*"),
		allow("ec2:RunInstances ec2:CreateFleet", "arn:aws:ec2:us-east-1:"+org+":fleet/*", "arn:aws:ec2:us-east-1:"+org+":instance/*"), allow("iam:PassRole", arn("role/platform-nodes")))
	one("ml", "default", "platform-training", bucket("s3:GetObject", "example-training-data"))
	one("invoices", "invoices", "platform-invoices", bucket("s3:PutObject", "example-invoices"))
	one("jobs", "nightly", "platform-nightly", bucket("s3:PutObject", "example-reports"))
	one("pricing", "pricing", "platform-pricing", allow("dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:"+org+":table/prices"))
	one("recommendations", "recommender", "platform-recommender", bucket("s3:GetObject", "example-models"))
	one("billing", "settlement", "platform-settlement", allow("sts:AssumeRole sts:TagSession", "arn:aws:iam::"+partner+":role/settlement-upload"))

	// Its condition is on the account, for session tags are off.
	put("platform-archive", document(podStatement(map[string]map[string]string{"StringEquals": {"aws:SourceAccount": org}})), inline("archive", bucket("s3:PutObject s3:GetObject", "example-archive")))
	put("platform-data", trustAnyPod(), inline("lake", bucket("s3:GetObject s3:PutObject", "example-lake"), allow("glue:GetTable glue:GetPartitions", "*"))) // pod-identity-trust-unconditioned
	// pod-identity-role-privileged: may make itself administrator.
	put("platform-spark", trustPods("platform", "data", "spark"), inline("spark", allow("s3:*", "*"), allow("iam:CreatePolicyVersion iam:AttachRolePolicy iam:PassRole", "*")))

	// irsa-pod-identity-candidate: these were here before.
	put("platform-load-balancers", trustIRSA(platformIssuer, "kube-system", "aws-load-balancer-controller"), inline("balancers",
		allow("elasticloadbalancing:DescribeLoadBalancers elasticloadbalancing:DescribeTargetHealth ec2:DescribeSubnets", "*"),
		statement{
			Effect: "Allow", Action: []string{"elasticloadbalancing:CreateListener", "elasticloadbalancing:DeleteListener", "elasticloadbalancing:RegisterTargets"}, Resource: []string{"*"},
			Condition: map[string]map[string]string{"StringEquals": {"aws:ResourceTag/elbv2.k8s.aws/cluster": "platform"}},
		}))
	put("platform-gitops-deployer", trustPrincipal(arn("role/github-actions-deploy")), inline("kubeconfig", allow("eks:DescribeCluster", "arn:aws:eks:us-east-1:"+org+":cluster/platform")))
}

func seedPlatformEntries(r *lab.Region) {
	since := date(2026, 2, 3)
	add := func(e lab.AccessEntry, policies ...lab.AssociatedAccessPolicy) { r.PutAccessEntry(e, policies...) }
	typed := func(name, kind string) {
		e := entry("platform", arn("role/"+name), since)
		e.Type = kind
		add(e)
	}
	sso := func(name string) string { return arn("role" + ssoPath + name) }

	// What EKS itself makes: none of it is a finding.
	add(entry("platform", arn("role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS"), since), onCluster("AmazonEKSClusterInsightsPolicy"), onCluster("AmazonEKSEventPolicy"))
	add(entry("platform", arn("role/platform-argocd"), since), onCluster("AmazonEKSArgoCDClusterPolicy"))
	typed("platform-nodes", "EC2_LINUX")
	typed("platform-fargate", "FARGATE_LINUX")

	// As it should be: one way to be admin, in an emergency; everybody else has namespaces.
	add(entry("platform", arn("role/break-glass"), since), onCluster("AmazonEKSClusterAdminPolicy")) // access-entry-cluster-admin: somebody may accept it
	add(entry("platform", sso(ssoDeveloper), since), onNamespaces("AmazonEKSViewPolicy", "catalog", "checkout", "recommendations"))
	add(entry("platform", arn("role/platform-gitops-deployer"), since, "gitops"))

	// access-entry-reads-secrets, and who can create what the dangling associations wait for.
	add(entry("platform", sso(ssoAdmin), since), onNamespaces("AmazonEKSAdminPolicy", "catalog", "checkout", "data", "ml"))
	add(entry("platform", arn("role/oncall"), since), onNamespaces("AmazonEKSEditPolicy", "catalog", "checkout"))
}
