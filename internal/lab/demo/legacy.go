package main

import (
	_ "embed"

	lab "drawbridge/internal/lab/aws"
	"drawbridge/internal/lab/aws/wire"
	"drawbridge/internal/lab/kube"
)

//go:embed legacy.yaml
var legacyManifests string

// legacy is the shop's first cluster: people come through aws-auth alone (authentication-mode-config-map,
// cluster-creator-admin), pods get AWS roles through IRSA or worse.
func legacy() cluster {
	return cluster{
		name: "legacy", created: date(2021, 3, 9), aws: seedLegacy, manifests: legacyManifests,
		// node-role-reachable: IMDSv1 answers on all nodes.
		nodes: []nodeGroup{{name: "workers", first: 10, count: 4, profile: "legacy-nodes", tokens: "optional", hops: 2}},
		eks:   kube.EKS{CNIRoleARN: arn("role/legacy-vpc-cni"), AWSAuth: map[string]string{"mapRoles": legacyRoles, "mapUsers": legacyUsers, "mapAccounts": legacyAccounts}},
	}
}

const legacyRoles = `# EKS wrote the first row.
- rolearn: arn:aws:iam::111122223333:role/legacy-nodes
  username: system:node:{{EC2PrivateDNSName}}
  groups: [system:bootstrappers, system:nodes]

# aws-auth-ineffective: the path that IAM Identity Center shows is in the way. The next row does match (aws-auth-system-masters).
- rolearn: arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_PlatformAdmin_0a1b2c3d4e5f6789
  username: platform-admin:{{SessionName}}
  groups: [system:masters]
- rolearn: arn:aws:iam::111122223333:role/AWSReservedSSO_PlatformAdmin_0a1b2c3d4e5f6789
  username: platform-admin
  groups: [system:masters]

- rolearn: arn:aws:iam::111122223333:role/AWSReservedSSO_Developer_1b2c3d4e5f67890a
  username: developer
  groups: [shop-developers]

# A pipeline that was admin before anybody asked (aws-auth-system-masters).
- rolearn: arn:aws:iam::111122223333:role/jenkins-deployer
  username: jenkins
  groups: [system:masters]

# aws-auth-session-name-template: whoever is on call chooses a group by the session's name.
- rolearn: arn:aws:iam::111122223333:role/oncall
  username: oncall:{{SessionName}}
  groups: ["{{SessionName}}"]

# aws-auth-ghost-principal: the project ended in 2023, its role was deleted.
- rolearn: arn:aws:iam::111122223333:role/warehouse-migration
  username: warehouse-migration
  groups: [cluster-operators]

# aws-auth-invalid: to YAML the username is a number and "y" is a truth value; this row is not read as it looks.
- rolearn: arn:aws:iam::111122223333:role/support-desk
  username: 2023
  groups: [y, shop-viewers]

# aws-auth-duplicate: further down, in other letters, the developers are operators after all.
- rolearn: arn:aws:iam::111122223333:role/awsreservedsso_developer_1B2C3D4E5F67890A
  username: developer
  groups: [cluster-operators]
`

const legacyUsers = `- userarn: arn:aws:iam::111122223333:user/jane.doe
  username: jane.doe
  groups: [shop-developers]
- userarn: arn:aws:iam::111122223333:user/martin.roe
  username: martin.roe
  groups: [cluster-operators]
`

// aws-auth-map-accounts: the partner's whole account may sign in.
const legacyAccounts = `- "444455556666"
`

func seedLegacy(a *lab.Account, r *lab.Region) {
	since := date(2021, 3, 9)
	yes, no := true, false
	r.PutCluster(lab.Cluster{
		Name: "legacy", Version: "1.33", RoleARN: arn("role/legacy-cluster"), CreatedAt: wire.At(since), Tags: map[string]string{"team": "shop"},
		Identity:     &lab.Identity{OIDC: &lab.OIDC{Issuer: "https://" + legacyIssuer}},
		AccessConfig: &lab.AccessConfig{AuthenticationMode: "CONFIG_MAP", BootstrapClusterCreatorAdminPermissions: &yes},
		// control-plane-logging-incomplete: operations wanted the scheduler, nobody asked for audit.
		Logging: &lab.Logging{ClusterLogging: []lab.LogSetup{{Types: []string{"api", "scheduler"}, Enabled: &yes}, {Types: []string{"audit", "authenticator", "controllerManager"}, Enabled: &no}}},
		// cluster-endpoint-public
		ResourcesVpcConfig: &lab.VpcConfig{EndpointPublicAccess: &yes, EndpointPrivateAccess: &no, PublicAccessCIDRs: []string{"0.0.0.0/0"}},
	})
	r.PutLogGroup(lab.LogGroup{LogGroupName: "/aws/eks/legacy/cluster"})
	r.PutNodegroup(lab.Nodegroup{ClusterName: "legacy", NodegroupName: "workers", NodeRole: arn("role/legacy-nodes"), CreatedAt: wire.At(since)})
	for _, name := range []string{"coredns", "kube-proxy"} {
		r.PutAddon(lab.Addon{ClusterName: "legacy", AddonName: name, CreatedAt: wire.At(since)})
	}
	r.PutAddon(lab.Addon{ClusterName: "legacy", AddonName: "vpc-cni", ServiceAccountRoleARN: arn("role/legacy-vpc-cni"), CreatedAt: wire.At(since)})

	// node-role-privileged: what pods could not get otherwise was given to the nodes.
	seedNodes(a, "legacy", role("legacy-nodes", "", since, inline("apps",
		allow("secretsmanager:* dynamodb:*", "*"), allow("sts:AssumeRole", arn("role/legacy-thumbnailer"))),
		awsPolicy("AmazonEKSWorkerNodePolicy"), awsPolicy("AmazonEC2ContainerRegistryReadOnly"), awsPolicy("AmazonS3FullAccess"), awsPolicy("AmazonSSMManagedInstanceCore")))

	// As it should be.
	a.PutRole(role("legacy-vpc-cni", trustIRSA(legacyIssuer, "kube-system", "aws-node"), since, nil, awsPolicy("AmazonEKS_CNI_Policy")))
	a.PutRole(role("legacy-cluster-autoscaler", trustIRSA(legacyIssuer, "kube-system", "cluster-autoscaler"), since,
		inline("scale", allow("autoscaling:DescribeAutoScalingGroups ec2:DescribeLaunchTemplateVersions", "*"),
			allow("autoscaling:SetDesiredCapacity autoscaling:TerminateInstanceInAutoScalingGroup", "arn:aws:autoscaling:us-east-1:"+org+":autoScalingGroup:*:autoScalingGroupName/eks-workers-*"))))
	a.PutRole(role("legacy-storefront", trustIRSA(legacyIssuer, "shop", "storefront"), since, inline("assets", allow("s3:GetObject", "arn:aws:s3:::example-shop-assets/*"))))

	// irsa-trust-wildcard-subject: any service account may be the order service.
	a.PutRole(role("legacy-orders", trustToken(legacyIssuer, map[string]map[string]string{
		"StringEquals": {legacyIssuer + ":aud": "sts.amazonaws.com"}, "StringLike": {legacyIssuer + ":sub": "system:serviceaccount:*:orders*"},
	}), since,
		inline("queue", allow("sqs:SendMessage sqs:ReceiveMessage sqs:DeleteMessage", "arn:aws:sqs:us-east-1:"+org+":orders"))))
	// irsa-trust-without-audience; the role is on a default service account besides.
	a.PutRole(role("legacy-media", trustToken(legacyIssuer, map[string]map[string]string{"StringEquals": {legacyIssuer + ":sub": "system:serviceaccount:media:default"}}), since,
		inline("media", allow("s3:GetObject s3:PutObject", "arn:aws:s3:::example-shop-media/*"))))
	// irsa-trust-mismatch: StringEquals takes the * for a letter, so the search falls back to the node's role.
	a.PutRole(role("legacy-search", trustIRSA(legacyIssuer, "search", "*"), since, inline("index", allow("es:ESHttpGet es:ESHttpPost", "arn:aws:es:us-east-1:"+org+":domain/shop/*"))))
	// irsa-provider-stale: still trusts the issuer of the cluster that this one replaced.
	a.PutRole(role("legacy-reporting", trustIRSA(deletedIssuer, "reporting", "etl"), since, inline("reports", allow("athena:StartQueryExecution athena:GetQueryResults", "*"))))
	// irsa-role-privileged: backups wanted everything.
	a.PutRole(role("legacy-backup", trustIRSA(legacyIssuer, "velero", "velero"), since, nil, awsPolicy("AdministratorAccess")))
	// workload-static-aws-credentials: taken through kube2iam.
	a.PutRole(role("legacy-thumbnailer", trustPrincipal(arn("role/legacy-nodes")), since, inline("media", allow("s3:GetObject", "arn:aws:s3:::example-shop-media/*"))))
}
