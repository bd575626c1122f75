package main

import (
	lab "drawbridge/internal/lab/aws"
	"drawbridge/internal/lab/aws/wire"
)

// People come through IAM Identity Center. The roles' paths are its own.
const (
	ssoAdmin     = "AWSReservedSSO_PlatformAdmin_0a1b2c3d4e5f6789"
	ssoDeveloper = "AWSReservedSSO_Developer_1b2c3d4e5f67890a"
	ssoAuditor   = "AWSReservedSSO_Auditor_2c3d4e5f67890a1b"
	ssoPath      = "/aws-reserved/sso.amazonaws.com/"
)

// The issuers of the clusters' tokens, and of a cluster that was deleted in 2024.
const (
	legacyIssuer     = "oidc.eks.us-east-1.amazonaws.com/id/5A1D7C0E9B3F42868D0C6A4E7B91F3D2"
	transitionIssuer = "oidc.eks.us-east-1.amazonaws.com/id/9C4E2B7F60D841A3B5E8F1027A6D3C94"
	platformIssuer   = "oidc.eks.us-east-1.amazonaws.com/id/E3078D5B1A9C4F62907B4D8E6C2F15A0"
	deletedIssuer    = "oidc.eks.us-east-1.amazonaws.com/id/0F6B8A2D4C7E41959A3E5D1B7C8F2046"
	githubIssuer     = "token.actions.githubusercontent.com"
)

// seedAccount is what belongs to no cluster: AWS's policies, people, pipelines, providers, trails.
func seedAccount(a *lab.Account) {
	seedManagedPolicies(a)
	seedPeople(a)
	seedPipelines(a)
	for _, issuer := range []string{
		legacyIssuer, transitionIssuer, platformIssuer,
		deletedIssuer, // irsa-provider-stale
	} {
		a.PutOIDCProvider(lab.OIDCProvider{URL: issuer, ClientIDList: []string{"sts.amazonaws.com"}, CreateDate: wire.At(date(2023, 6, 21))})
	}
	a.PutOIDCProvider(lab.OIDCProvider{URL: githubIssuer, ClientIDList: []string{"sts.amazonaws.com"}, CreateDate: wire.At(date(2023, 2, 1))})
	// trail-misses-read-events: one trail leaves reads out, the other records one region.
	yes := true
	a.Region(region).PutTrail(lab.Trail{
		Name: "management-events", S3BucketName: "example-trail", IsMultiRegionTrail: true, Logging: true,
		EventSelectors: []lab.EventSelector{{ReadWriteType: "WriteOnly", IncludeManagementEvents: &yes}},
	})
	a.Region(region).PutTrail(lab.Trail{
		Name: "shop-audit", S3BucketName: "example-shop-audit", Logging: true,
		EventSelectors: []lab.EventSelector{{ReadWriteType: "All", IncludeManagementEvents: &yes}},
	})
}

// seedManagedPolicies are AWS's, reduced to what the fleet needs of them; the versions are synthetic.
func seedManagedPolicies(a *lab.Account) {
	put := func(name string, statements ...statement) {
		arn := awsPolicy(name)
		a.PutPolicy(lab.ManagedPolicy{
			PolicyName: name, ARN: arn, CreateDate: wire.At(date(2018, 5, 27)),
			Versions: []lab.PolicyVersion{{VersionID: "v1", IsDefaultVersion: true, Document: document(statements...)}},
		})
	}
	put("AdministratorAccess", allow("*", "*"))
	put("ReadOnlyAccess", allow("ec2:Describe* eks:Describe* eks:List* iam:Get* iam:List* s3:GetBucketLocation s3:ListAllMyBuckets logs:Describe*", "*"))
	put("AmazonEKSClusterPolicy", allow("ec2:CreateNetworkInterface ec2:CreateSecurityGroup ec2:DescribeInstances ec2:DescribeSubnets elasticloadbalancing:DescribeLoadBalancers kms:DescribeKey", "*"))
	put("AmazonEKSWorkerNodePolicy", allow("ec2:DescribeInstances ec2:DescribeInstanceTypes ec2:DescribeSubnets ec2:DescribeVpcs eks:DescribeCluster eks-auth:AssumeRoleForPodIdentity", "*"))
	put("AmazonEKS_CNI_Policy",
		allow("ec2:AssignPrivateIpAddresses ec2:AttachNetworkInterface ec2:CreateNetworkInterface ec2:DeleteNetworkInterface ec2:DescribeInstances "+
			"ec2:DescribeNetworkInterfaces ec2:DetachNetworkInterface ec2:ModifyNetworkInterfaceAttribute ec2:UnassignPrivateIpAddresses", "*"),
		allow("ec2:CreateTags", "arn:aws:ec2:*:*:network-interface/*"))
	put("AmazonEC2ContainerRegistryPullOnly", allow("ecr:GetAuthorizationToken ecr:BatchGetImage ecr:GetDownloadUrlForLayer", "*"))
	put("AmazonEC2ContainerRegistryReadOnly", allow("ecr:GetAuthorizationToken ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:DescribeImages ecr:GetDownloadUrlForLayer ecr:ListImages", "*"))
	put("AmazonEKSFargatePodExecutionRolePolicy", allow("ecr:GetAuthorizationToken ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer", "*"))
	put("AmazonSSMManagedInstanceCore", allow("ssm:UpdateInstanceInformation ssmmessages:CreateControlChannel ssmmessages:OpenControlChannel", "*"))
	put("AmazonS3FullAccess", allow("s3:* s3-object-lambda:*", "*"))
	put("CloudWatchReadOnlyAccess", allow("cloudwatch:Describe* cloudwatch:Get* cloudwatch:List* logs:Get* logs:Describe*", "*"))
	put("SecurityAudit", allow("iam:GenerateCredentialReport iam:Get* iam:List* eks:Describe* eks:List* cloudtrail:DescribeTrails cloudtrail:GetTrailStatus", "*"))
}

func seedPeople(a *lab.Account) {
	sso := func(name string, policies []lab.InlinePolicy, attached ...string) {
		r := role(name, trustSSO(), date(2022, 1, 10), policies, attached...)
		r.Path = ssoPath
		a.PutRole(r)
	}
	sso(ssoAdmin, nil, awsPolicy("AdministratorAccess"))
	sso(ssoDeveloper, inline("clusters", allow("eks:DescribeCluster eks:ListClusters", "*"), allow("logs:FilterLogEvents logs:GetLogEvents", "arn:aws:logs:us-east-1:"+org+":log-group:/shop/*")))
	sso(ssoAuditor, nil, awsPolicy("SecurityAudit"))
	a.PutRole(role("break-glass", trustPrincipal("arn:aws:iam::"+org+":root"), date(2022, 1, 10), inline("kubeconfig", allow("eks:DescribeCluster", "*"))))
	a.PutRole(role("security-audit", trustPrincipal(arn("role"+ssoPath+ssoAuditor)), date(2024, 5, 6), nil, awsPolicy("SecurityAudit")))
	a.PutRole(role("oncall", trustPrincipal(arn("role"+ssoPath+ssoDeveloper)), date(2022, 3, 1), inline("kubeconfig", allow("eks:DescribeCluster eks:ListClusters", "*"))))
	a.PutRole(role("support-desk", trustPrincipal(arn("role"+ssoPath+ssoDeveloper)), date(2022, 3, 1), inline("kubeconfig", allow("eks:DescribeCluster", "*"))))

	// iam-attaches-pod-identity: whoever is in the group may give any role to any service account.
	a.PutGroup(lab.Group{
		GroupName: "platform-engineers", CreateDate: wire.At(date(2022, 5, 4)),
		InlinePolicies: inline("pod-identity", allow("eks:CreatePodIdentityAssociation eks:UpdatePodIdentityAssociation eks:ListPodIdentityAssociations", "*"), allow("iam:PassRole iam:GetRole", "*")),
	})
	user := func(name string, groups []string, policies []lab.InlinePolicy) {
		a.PutUser(lab.User{UserName: name, CreateDate: wire.At(date(2021, 3, 15)), Groups: groups, InlinePolicies: policies})
	}
	user("jane.doe", []string{"platform-engineers"}, nil)
	user("ci-deployer", nil, inline("kubeconfig", allow("eks:DescribeCluster", "*")))
	user("reporting-export", nil, inline("bucket", allow("s3:PutObject s3:GetObject", "arn:aws:s3:::example-reporting-export/*")))
}

func seedPipelines(a *lab.Account) {
	// iam-grants-cluster-access: builds the clusters, and could give itself each of them.
	a.PutRole(role("terraform-pipeline", trustToken(githubIssuer, map[string]map[string]string{"StringEquals": {
		githubIssuer + ":aud": "sts.amazonaws.com", githubIssuer + ":sub": "repo:example-shop/infrastructure:ref:refs/heads/main",
	}}), date(2023, 2, 1),
		inline("clusters", allow("eks:*", "*"), allow("iam:PassRole", "arn:aws:iam::"+org+":role/*"), allow("ec2:Describe* ec2:CreateLaunchTemplate ec2:CreateTags", "*"))))
	// As it should be: pushes images and asks for an endpoint.
	a.PutRole(role("github-actions-deploy", trustToken(githubIssuer, map[string]map[string]string{"StringEquals": {
		githubIssuer + ":aud": "sts.amazonaws.com", githubIssuer + ":sub": "repo:example-shop/storefront:environment:production",
	}}), date(2023, 2, 1),
		inline("deploy", allow("eks:DescribeCluster", "arn:aws:eks:us-east-1:"+org+":cluster/*"), allow("ecr:PutImage ecr:UploadLayerPart ecr:InitiateLayerUpload ecr:CompleteLayerUpload", "arn:aws:ecr:us-east-1:"+org+":repository/shop/*"))))
	a.PutRole(role("jenkins-deployer", trustService("ec2.amazonaws.com"), date(2021, 3, 20), inline("deploy", allow("eks:DescribeCluster", "*"))))

	for service, name := range map[string]string{"eks.amazonaws.com": "AWSServiceRoleForAmazonEKS", "eks-nodegroup.amazonaws.com": "AWSServiceRoleForAmazonEKSNodegroup"} {
		r := role(name, trustService(service), date(2021, 3, 9), nil)
		r.Path = "/aws-service-role/" + service + "/"
		a.PutRole(r)
	}
}

// seedNodes makes a cluster's own role, the role of its nodes and the instance profile that carries it.
func seedNodes(a *lab.Account, c string, nodes lab.Role) {
	a.PutRole(role(c+"-cluster", trustService("eks.amazonaws.com"), nodes.CreateDate.Time, nil, awsPolicy("AmazonEKSClusterPolicy")))
	nodes.AssumeRolePolicyDocument = trustService("ec2.amazonaws.com")
	a.PutRole(nodes)
	a.PutInstanceProfile(lab.InstanceProfile{InstanceProfileName: nodes.RoleName, Roles: []string{nodes.RoleName}, CreateDate: nodes.CreateDate})
}
