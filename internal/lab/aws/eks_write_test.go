package aws_test

import (
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"drawbridge/internal/lab/aws"
)

func TestCreateAccessEntryRules(t *testing.T) {
	tests := []struct {
		name string
		in   eks.CreateAccessEntryInput
		code string // "" for success
	}{
		{"role", eks.CreateAccessEntryInput{PrincipalArn: str(roleARN("dev")), KubernetesGroups: []string{"dev"}}, ""},
		{"of another account that the lab lacks", eks.CreateAccessEntryInput{PrincipalArn: str("arn:aws:iam::777788889999:role/any")}, ""},
		{"username with session", eks.CreateAccessEntryInput{PrincipalArn: str(roleARN("dev")), Username: str("dev:{{SessionName}}")}, ""},
		{"principal does not exist", eks.CreateAccessEntryInput{PrincipalArn: str(roleARN("nobody"))}, "InvalidParameterException"},
		{"service-linked role", eks.CreateAccessEntryInput{PrincipalArn: str("arn:aws:iam::111122223333:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS")}, "InvalidParameterException"},
		{"session ARN", eks.CreateAccessEntryInput{PrincipalArn: str("arn:aws:sts::111122223333:assumed-role/dev/x")}, "InvalidParameterException"},
		{"root", eks.CreateAccessEntryInput{PrincipalArn: str("arn:aws:iam::111122223333:root")}, "InvalidParameterException"},
		{"other partition", eks.CreateAccessEntryInput{PrincipalArn: str("arn:aws-cn:iam::777788889999:role/x")}, "InvalidParameterException"},
		{"system group", eks.CreateAccessEntryInput{PrincipalArn: str(roleARN("dev")), KubernetesGroups: []string{"system:masters"}}, "InvalidParameterException"},
		{"reserved username", eks.CreateAccessEntryInput{PrincipalArn: str(roleARN("dev")), Username: str("eks:x")}, "InvalidParameterException"},
		{"session without colon", eks.CreateAccessEntryInput{PrincipalArn: str(roleARN("dev")), Username: str("{{SessionName}}")}, "InvalidParameterException"},
		{"unknown type", eks.CreateAccessEntryInput{PrincipalArn: str(roleARN("dev")), Type: str("LINUX")}, "InvalidParameterException"},
		{"node type with groups", eks.CreateAccessEntryInput{PrincipalArn: str(roleARN("node")), Type: str("EC2_LINUX"), KubernetesGroups: []string{"g"}}, "InvalidParameterException"},
		{"node type", eks.CreateAccessEntryInput{PrincipalArn: str(roleARN("node")), Type: str("EC2_LINUX")}, ""},
		{"node type of another account", eks.CreateAccessEntryInput{PrincipalArn: str("arn:aws:iam::777788889999:role/node"), Type: str("EC2_LINUX")}, "InvalidParameterException"},
		{"duplicate", eks.CreateAccessEntryInput{PrincipalArn: str(roleARN("admin"))}, "ResourceInUseException"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv, _, reg := newLab(t, aws.Options{})
			reg.PutAccessEntry(aws.AccessEntry{ClusterName: "prod", PrincipalARN: roleARN("admin")})
			tt.in.ClusterName = str("prod")
			_, err := eksClient(srv).CreateAccessEntry(t.Context(), &tt.in)
			if tt.code == "" {
				must(0, err)(t)
				equal(t, 2, len(reg.AccessEntries("prod")))
				return
			}
			status := 400
			if tt.code == "ResourceInUseException" {
				status = 409
			}
			wantCode(t, err, tt.code, status)
			equal(t, 1, len(reg.AccessEntries("prod")))
		})
	}
}

func TestAccessEntryLife(t *testing.T) {
	srv, acct, reg := newLab(t, aws.Options{})
	c, ctx := eksClient(srv), t.Context()
	dev := str(roleARN("dev"))
	entry := must(c.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: str("prod"), PrincipalArn: dev, KubernetesGroups: []string{"a", "b"}}))(t).AccessEntry
	equal(t, "STANDARD", *entry.Type)
	updated := must(c.UpdateAccessEntry(ctx, &eks.UpdateAccessEntryInput{ClusterName: str("prod"), PrincipalArn: dev, KubernetesGroups: []string{"c"}}))(t).AccessEntry
	equal(t, []string{"c"}, updated.KubernetesGroups)
	equal(t, *entry.Username, *updated.Username)
	_, err := c.UpdateAccessEntry(ctx, &eks.UpdateAccessEntryInput{ClusterName: str("prod"), PrincipalArn: dev, Username: str("system:admin")})
	wantCode(t, err, "InvalidParameterException", 400)

	view, edit := policyARN("AmazonEKSViewPolicy"), policyARN("AmazonEKSEditPolicy")
	associate := func(policy string, scope types.AccessScope) error {
		_, err := c.AssociateAccessPolicy(ctx, &eks.AssociateAccessPolicyInput{ClusterName: str("prod"), PrincipalArn: dev, PolicyArn: &policy, AccessScope: &scope})
		return err
	}
	must(0, associate(view, types.AccessScope{Type: types.AccessScopeTypeNamespace, Namespaces: []string{"shop-*"}}))(t)
	must(0, associate(edit, types.AccessScope{Type: types.AccessScopeTypeCluster}))(t)
	must(0, associate(view, types.AccessScope{Type: types.AccessScopeTypeCluster}))(t) // replaces the scope
	wantCode(t, associate(policyARN("AmazonEKSNoPolicy"), types.AccessScope{Type: types.AccessScopeTypeCluster}), "InvalidParameterException", 400)
	wantCode(t, associate(view, types.AccessScope{Type: types.AccessScopeTypeNamespace}), "InvalidParameterException", 400)
	wantCode(t, associate(view, types.AccessScope{Type: types.AccessScopeTypeCluster, Namespaces: []string{"a"}}), "InvalidParameterException", 400)
	list := must(c.ListAssociatedAccessPolicies(ctx, &eks.ListAssociatedAccessPoliciesInput{ClusterName: str("prod"), PrincipalArn: dev}))(t).AssociatedAccessPolicies
	equal(t, []string{view, edit}, []string{*list[0].PolicyArn, *list[1].PolicyArn})
	equal(t, types.AccessScopeTypeCluster, list[0].AccessScope.Type)
	equal(t, []string{*dev}, must(c.ListAccessEntries(ctx, &eks.ListAccessEntriesInput{ClusterName: str("prod"), AssociatedPolicyArn: &edit}))(t).AccessEntries)
	must(c.DisassociateAccessPolicy(ctx, &eks.DisassociateAccessPolicyInput{ClusterName: str("prod"), PrincipalArn: dev, PolicyArn: &edit}))(t)
	_, err = c.DisassociateAccessPolicy(ctx, &eks.DisassociateAccessPolicyInput{ClusterName: str("prod"), PrincipalArn: dev, PolicyArn: &edit})
	wantCode(t, err, "ResourceNotFoundException", 404)

	before := reg.AccessEntries("prod")[0]
	equal(t, acct.PutRole(aws.Role{RoleName: "dev"}), *dev) // recreated: same ARN, new unique id
	equal(t, before.PrincipalID, reg.AccessEntries("prod")[0].PrincipalID)
	must(c.DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{ClusterName: str("prod"), PrincipalArn: dev}))(t)
	_, err = c.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: str("prod"), PrincipalArn: dev})
	wantCode(t, err, "ResourceNotFoundException", 404)
	must(c.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: str("prod"), PrincipalArn: dev}))(t)
	after := reg.AccessEntries("prod")[0]
	equal(t, 0, len(after.Policies)) // the associations went with the entry
	if after.PrincipalID == before.PrincipalID || after.AccessEntryARN == before.AccessEntryARN {
		t.Errorf("the new entry is bound to %s as %s, like the old one", after.PrincipalID, after.AccessEntryARN)
	}
}

func TestNodeEntriesTakeNoPolicies(t *testing.T) {
	srv, _, reg := newLab(t, aws.Options{})
	for i, kind := range []string{"EC2_LINUX", "EC2"} {
		role := []string{"node", "cluster"}[i]
		reg.PutAccessEntry(aws.AccessEntry{ClusterName: "prod", PrincipalARN: roleARN(role), Type: kind})
		_, err := eksClient(srv).AssociateAccessPolicy(t.Context(), &eks.AssociateAccessPolicyInput{
			ClusterName: str("prod"), PrincipalArn: str(roleARN(role)),
			PolicyArn: str(policyARN("AmazonEKSAutoNodePolicy")), AccessScope: &types.AccessScope{Type: types.AccessScopeTypeCluster},
		})
		if kind == "EC2" {
			must(0, err)(t)
		} else {
			wantCode(t, err, "InvalidRequestException", 400)
		}
		_, err = eksClient(srv).UpdateAccessEntry(t.Context(), &eks.UpdateAccessEntryInput{ClusterName: str("prod"), PrincipalArn: str(roleARN(role)), KubernetesGroups: []string{"g"}})
		wantCode(t, err, "InvalidRequestException", 400)
	}
}

func TestPodIdentityAssociationRules(t *testing.T) {
	yes := awssdk.Bool(true)
	app := str(roleARN("app"))
	tests := []struct {
		name string
		in   eks.CreatePodIdentityAssociationInput
		code string
	}{
		{"plain", eks.CreatePodIdentityAssociationInput{Namespace: str("n"), RoleArn: app}, ""},
		{"session policy", eks.CreatePodIdentityAssociationInput{Namespace: str("n"), RoleArn: app, Policy: str(`{"Statement":[]}`), DisableSessionTags: yes}, ""},
		{"session policy with tags", eks.CreatePodIdentityAssociationInput{Namespace: str("n"), RoleArn: app, Policy: str(`{"Statement":[]}`)}, "InvalidParameterException"},
		{"session policy that is no JSON", eks.CreatePodIdentityAssociationInput{Namespace: str("n"), RoleArn: app, Policy: str(`{`), DisableSessionTags: yes}, "InvalidParameterException"},
		{"role of another account", eks.CreatePodIdentityAssociationInput{Namespace: str("n"), RoleArn: str("arn:aws:iam::777788889999:role/x")}, "InvalidParameterException"},
		{"role without the trust", eks.CreatePodIdentityAssociationInput{Namespace: str("n"), RoleArn: str(roleARN("dev"))}, "InvalidParameterException"},
		{"role that does not exist", eks.CreatePodIdentityAssociationInput{Namespace: str("n"), RoleArn: str(roleARN("none"))}, "InvalidParameterException"},
		{"taken", eks.CreatePodIdentityAssociationInput{Namespace: str("taken"), RoleArn: app}, "ResourceInUseException"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv, _, reg := newLab(t, aws.Options{})
			reg.PutPodIdentityAssociation(aws.PodIdentityAssociation{ClusterName: "prod", Namespace: "taken", ServiceAccount: "sa", RoleARN: *app})
			tt.in.ClusterName, tt.in.ServiceAccount = str("prod"), str("sa")
			out, err := eksClient(srv).CreatePodIdentityAssociation(t.Context(), &tt.in)
			if tt.code != "" {
				wantCode(t, err, tt.code, map[bool]int{true: 409, false: 400}[tt.code == "ResourceInUseException"])
				return
			}
			must(0, err)(t)
			equal(t, (*string)(nil), out.Association.ExternalId)
		})
	}
}

func TestPodIdentityAssociationLife(t *testing.T) {
	srv, _, _ := newLab(t, aws.Options{})
	c, ctx := eksClient(srv), t.Context()
	srv.Deny("iam:PassRole")
	create := &eks.CreatePodIdentityAssociationInput{ClusterName: str("prod"), Namespace: str("n"), ServiceAccount: str("sa"), RoleArn: str(roleARN("app"))}
	_, err := c.CreatePodIdentityAssociation(ctx, create)
	wantCode(t, err, "AccessDeniedException", 403)
	srv.Allow()
	a := must(c.CreatePodIdentityAssociation(ctx, create))(t).Association
	target := str("arn:aws:iam::" + other + ":role/far")
	b := must(c.UpdatePodIdentityAssociation(ctx, &eks.UpdatePodIdentityAssociationInput{ClusterName: str("prod"), AssociationId: a.AssociationId, TargetRoleArn: target}))(t).Association
	equal(t, "us-east-1/111122223333/prod/n/sa", *b.ExternalId)
	_, err = c.UpdatePodIdentityAssociation(ctx, &eks.UpdatePodIdentityAssociationInput{ClusterName: str("prod"), AssociationId: a.AssociationId, Policy: str(`{}`)})
	wantCode(t, err, "InvalidParameterException", 400)
	b = must(c.UpdatePodIdentityAssociation(ctx, &eks.UpdatePodIdentityAssociationInput{ClusterName: str("prod"), AssociationId: a.AssociationId, TargetRoleArn: str("")}))(t).Association
	equal(t, (*string)(nil), b.ExternalId)
	must(c.DeletePodIdentityAssociation(ctx, &eks.DeletePodIdentityAssociationInput{ClusterName: str("prod"), AssociationId: a.AssociationId}))(t)
	_, err = c.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: str("prod"), AssociationId: a.AssociationId})
	wantCode(t, err, "ResourceNotFoundException", 404)
	again := must(c.CreatePodIdentityAssociation(ctx, create))(t).Association
	if *again.AssociationId == *a.AssociationId {
		t.Error("a recreated association has the old id")
	}
}

func TestAuthenticationModeMovesForward(t *testing.T) {
	order := []types.AuthenticationMode{types.AuthenticationModeConfigMap, types.AuthenticationModeApiAndConfigMap, types.AuthenticationModeApi}
	for i, from := range order {
		for j, to := range order {
			t.Run(string(from+" to "+to), func(t *testing.T) {
				srv, _, reg := newLab(t, aws.Options{})
				reg.PutCluster(aws.Cluster{Name: "c", AccessConfig: &aws.AccessConfig{AuthenticationMode: string(from)}})
				c, ctx := eksClient(srv), t.Context()
				out, err := c.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: str("c"), AccessConfig: &types.UpdateAccessConfigRequest{AuthenticationMode: to}})
				if j != i+1 {
					wantCode(t, err, "InvalidParameterException", 400)
					return
				}
				must(0, err)(t)
				equal(t, types.UpdateTypeAccessConfigUpdate, out.Update.Type)
				equal(t, types.UpdateStatusInProgress, out.Update.Status)
				update := must(c.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: str("c"), UpdateId: out.Update.Id}))(t).Update
				equal(t, types.UpdateStatusSuccessful, update.Status)
				equal(t, []types.UpdateParam{{Type: types.UpdateParamTypeAuthenticationMode, Value: str(string(to))}}, update.Params, ignoreSerde)
				equal(t, to, must(c.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: str("c")}))(t).Cluster.AccessConfig.AuthenticationMode)
			})
		}
	}
}

func TestClusterLife(t *testing.T) {
	srv, _, reg := newLab(t, aws.Options{Steps: 1})
	c, ctx := eksClient(srv), t.Context()
	in := &eks.CreateClusterInput{Name: str("new"), RoleArn: str(roleARN("cluster")), ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: []string{"subnet-1"}}}
	created := must(c.CreateCluster(ctx, in))(t).Cluster
	equal(t, types.ClusterStatusCreating, created.Status)
	equal(t, types.AuthenticationModeConfigMap, created.AccessConfig.AuthenticationMode)
	_, err := c.CreateCluster(ctx, in)
	wantCode(t, err, "ResourceInUseException", 409)
	status := func() types.ClusterStatus {
		return must(c.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: str("new")}))(t).Cluster.Status
	}
	equal(t, []types.ClusterStatus{types.ClusterStatusCreating, types.ClusterStatusActive}, []types.ClusterStatus{status(), status()})

	mode := func(m types.AuthenticationMode) error {
		_, err := c.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: str("new"), AccessConfig: &types.UpdateAccessConfigRequest{AuthenticationMode: m}})
		return err
	}
	must(0, mode(types.AuthenticationModeApiAndConfigMap))(t)
	wantCode(t, mode(types.AuthenticationModeApi), "ResourceInUseException", 409)
	ids := must(c.ListUpdates(ctx, &eks.ListUpdatesInput{Name: str("new")}))(t).UpdateIds
	for _, want := range []types.UpdateStatus{types.UpdateStatusInProgress, types.UpdateStatusSuccessful} {
		equal(t, want, must(c.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: str("new"), UpdateId: &ids[0]}))(t).Update.Status)
	}
	entries := reg.AccessEntries("new") // the creator's entry is visible now
	equal(t, []string{roleARN("lab-caller"), policyARN("AmazonEKSClusterAdminPolicy")}, []string{entries[0].PrincipalARN, entries[0].Policies[0].PolicyARN})

	_, err = c.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{
		Name: str("new"), DeletionProtection: awssdk.Bool(true),
		UpgradePolicy: &types.UpgradePolicyRequest{SupportType: types.SupportTypeExtended},
	})
	wantCode(t, err, "InvalidParameterException", 400)
	must(c.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: str("new"), DeletionProtection: awssdk.Bool(true)}))(t)
	ids = must(c.ListUpdates(ctx, &eks.ListUpdatesInput{Name: str("new")}))(t).UpdateIds
	for range 2 {
		must(c.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: str("new"), UpdateId: &ids[1]}))(t)
	}
	_, err = c.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: str("new")})
	wantCode(t, err, "InvalidRequestException", 400)
	must(c.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: str("prod")}))(t)
	must(c.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: str("prod")}))(t)
	_, err = c.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: str("prod")})
	wantCode(t, err, "ResourceNotFoundException", 404)
}

func TestAutoModeNodeRoleHasItsEntry(t *testing.T) {
	srv, _, reg := newLab(t, aws.Options{})
	in := &eks.CreateClusterInput{
		Name: str("auto"), RoleArn: str(roleARN("cluster")), ResourcesVpcConfig: &types.VpcConfigRequest{},
		ComputeConfig: &types.ComputeConfigRequest{Enabled: awssdk.Bool(true), NodeRoleArn: str(roleARN("node")), NodePools: []string{"system"}},
		AccessConfig:  &types.CreateAccessConfigRequest{BootstrapClusterCreatorAdminPermissions: awssdk.Bool(false)},
	}
	_, err := eksClient(srv).CreateCluster(t.Context(), in)
	wantCode(t, err, "InvalidParameterException", 400) // Auto Mode needs access entries
	in.AccessConfig.AuthenticationMode = types.AuthenticationModeApi
	must(eksClient(srv).CreateCluster(t.Context(), in))(t)
	entries := reg.AccessEntries("auto")
	equal(t, []string{"EC2", roleARN("node"), policyARN("AmazonEKSAutoNodePolicy")}, []string{entries[0].Type, entries[0].PrincipalARN, entries[0].Policies[0].PolicyARN})
	equal(t, 1, len(entries)) // no bootstrap, no entry for the creator
}

func TestClusterLogging(t *testing.T) {
	srv, _, _ := newLab(t, aws.Options{})
	c, ctx := eksClient(srv), t.Context()
	in := &eks.UpdateClusterConfigInput{Name: str("prod"), Logging: &types.Logging{ClusterLogging: []types.LogSetup{{Types: []types.LogType{types.LogTypeAudit}, Enabled: awssdk.Bool(true)}}}}
	must(c.UpdateClusterConfig(ctx, in))(t)
	_, err := c.UpdateClusterConfig(ctx, in)
	wantCode(t, err, "InvalidParameterException", 400)
	logging := must(c.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: str("prod")}))(t).Cluster.Logging.ClusterLogging
	equal(t, []types.LogType{types.LogTypeAudit}, logging[0].Types)
	equal(t, []bool{true, false}, []bool{*logging[0].Enabled, *logging[1].Enabled})
	equal(t, 4, len(logging[1].Types))
}

func TestManagedResourcesMakeTheirEntries(t *testing.T) {
	srv, _, reg := newLab(t, aws.Options{})
	c, ctx := eksClient(srv), t.Context()
	must(c.CreateNodegroup(ctx, &eks.CreateNodegroupInput{ClusterName: str("prod"), NodegroupName: str("blue"), NodeRole: str(roleARN("node")), Subnets: []string{"s"}}))(t)
	must(c.CreateFargateProfile(ctx, &eks.CreateFargateProfileInput{ClusterName: str("prod"), FargateProfileName: str("f"), PodExecutionRoleArn: str(roleARN("cluster"))}))(t)
	must(c.CreateCapability(ctx, &eks.CreateCapabilityInput{
		ClusterName: str("prod"), CapabilityName: str("k"), Type: types.CapabilityTypeAck, RoleArn: str(roleARN("admin")),
		DeletePropagationPolicy: types.CapabilityDeletePropagationPolicyRetain,
	}))(t)
	kinds := map[string]string{}
	for _, e := range reg.AccessEntries("prod") {
		kinds[e.PrincipalARN] = e.Type
	}
	equal(t, map[string]string{roleARN("node"): "EC2_LINUX", roleARN("cluster"): "FARGATE_LINUX", roleARN("admin"): "STANDARD"}, kinds)
	_, err := c.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: str("prod")})
	wantCode(t, err, "ResourceInUseException", 409)
	must(c.UpdateNodegroupVersion(ctx, &eks.UpdateNodegroupVersionInput{ClusterName: str("prod"), NodegroupName: str("blue"), LaunchTemplate: &types.LaunchTemplateSpecification{Id: str("lt-1"), Version: str("2")}}))(t)
	must(c.UpdateNodegroupConfig(ctx, &eks.UpdateNodegroupConfigInput{ClusterName: str("prod"), NodegroupName: str("blue"), Labels: &types.UpdateLabelsPayload{AddOrUpdateLabels: map[string]string{"a": "b"}}}))(t)
	blue := must(c.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: str("prod"), NodegroupName: str("blue")}))(t).Nodegroup
	equal(t, []any{"lt-1", map[string]string{"a": "b"}}, []any{*blue.LaunchTemplate.Id, blue.Labels})
	must(c.UpdateCapability(ctx, &eks.UpdateCapabilityInput{ClusterName: str("prod"), CapabilityName: str("k"), RoleArn: str(roleARN("app"))}))(t)
	must(c.DeleteCapability(ctx, &eks.DeleteCapabilityInput{ClusterName: str("prod"), CapabilityName: str("k")}))(t)
	must(c.DeleteFargateProfile(ctx, &eks.DeleteFargateProfileInput{ClusterName: str("prod"), FargateProfileName: str("f")}))(t)
	must(c.DeleteNodegroup(ctx, &eks.DeleteNodegroupInput{ClusterName: str("prod"), NodegroupName: str("blue")}))(t)
	for name, n := range map[string]int{
		"nodegroups":   len(must(c.ListNodegroups(ctx, &eks.ListNodegroupsInput{ClusterName: str("prod")}))(t).Nodegroups),
		"profiles":     len(must(c.ListFargateProfiles(ctx, &eks.ListFargateProfilesInput{ClusterName: str("prod")}))(t).FargateProfileNames),
		"capabilities": len(must(c.ListCapabilities(ctx, &eks.ListCapabilitiesInput{ClusterName: str("prod")}))(t).Capabilities),
	} {
		if n != 0 {
			t.Errorf("%d %s are left", n, name)
		}
	}
}

func TestAddonOwnsItsAssociations(t *testing.T) {
	srv, _, _ := newLab(t, aws.Options{})
	c, ctx := eksClient(srv), t.Context()
	addon := must(c.CreateAddon(ctx, &eks.CreateAddonInput{
		ClusterName: str("prod"), AddonName: str("ebs"),
		PodIdentityAssociations: []types.AddonPodIdentityAssociations{{ServiceAccount: str("ebs-sa"), RoleArn: str(roleARN("app"))}},
	}))(t).Addon
	list := must(c.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{ClusterName: str("prod")}))(t).Associations
	equal(t, []string{"kube-system", *addon.AddonArn, addon.PodIdentityAssociations[0]}, []string{*list[0].Namespace, *list[0].OwnerArn, *list[0].AssociationArn})
	_, err := c.DeletePodIdentityAssociation(ctx, &eks.DeletePodIdentityAssociationInput{ClusterName: str("prod"), AssociationId: list[0].AssociationId})
	wantCode(t, err, "InvalidRequestException", 400)
	update := must(c.UpdateAddon(ctx, &eks.UpdateAddonInput{ClusterName: str("prod"), AddonName: str("ebs"), PodIdentityAssociations: []types.AddonPodIdentityAssociations{}}))(t).Update
	equal(t, types.UpdateStatusSuccessful, must(c.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: str("prod"), UpdateId: update.Id, AddonName: str("ebs")}))(t).Update.Status)
	equal(t, 0, len(must(c.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{ClusterName: str("prod")}))(t).Associations))
	must(c.DeleteAddon(ctx, &eks.DeleteAddonInput{ClusterName: str("prod"), AddonName: str("ebs")}))(t)
	equal(t, 0, len(must(c.ListAddons(ctx, &eks.ListAddonsInput{ClusterName: str("prod")}))(t).Addons))
}

func TestCertificateAuthorityRotation(t *testing.T) {
	srv, _, _ := newLab(t, aws.Options{})
	c, ctx := eksClient(srv), t.Context()
	first := must(c.ListCertificateAuthorities(ctx, &eks.ListCertificateAuthoritiesInput{ClusterName: str("prod")}))(t).CertificateAuthorities[0]
	second := must(c.CreateCertificateAuthority(ctx, &eks.CreateCertificateAuthorityInput{ClusterName: str("prod")}))(t).CertificateAuthority
	_, err := c.CreateCertificateAuthority(ctx, &eks.CreateCertificateAuthorityInput{ClusterName: str("prod")})
	wantCode(t, err, "InvalidRequestException", 400)
	_, err = c.DeleteCertificateAuthority(ctx, &eks.DeleteCertificateAuthorityInput{ClusterName: str("prod"), CertificateAuthorityId: first.Id})
	wantCode(t, err, "InvalidRequestException", 400)
	must(c.ActivateCertificateAuthority(ctx, &eks.ActivateCertificateAuthorityInput{ClusterName: str("prod"), CertificateAuthorityId: second.Id}))(t)
	must(c.DeleteCertificateAuthority(ctx, &eks.DeleteCertificateAuthorityInput{ClusterName: str("prod"), CertificateAuthorityId: first.Id}))(t)
	ca := must(c.DescribeCertificateAuthority(ctx, &eks.DescribeCertificateAuthorityInput{ClusterName: str("prod"), CertificateAuthorityId: second.Id}))(t).CertificateAuthority
	equal(t, types.CertificateAuthoritySigningStatusInUse, ca.SigningStatus)
}

func TestRestOfEKS(t *testing.T) {
	srv, _, _ := newLab(t, aws.Options{})
	c, ctx := eksClient(srv), t.Context()
	arn := str("arn:aws:eks:us-east-1:111122223333:cluster/prod")
	must(c.TagResource(ctx, &eks.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"a": "1", "b": "2"}}))(t)
	must(c.UntagResource(ctx, &eks.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"a"}}))(t)
	equal(t, map[string]string{"b": "2"}, must(c.ListTagsForResource(ctx, &eks.ListTagsForResourceInput{ResourceArn: arn}))(t).Tags)
	_, err := c.TagResource(ctx, &eks.TagResourceInput{ResourceArn: str("arn:aws:eks:us-east-1:111122223333:cluster/none"), Tags: map[string]string{"a": "1"}})
	wantCode(t, err, "NotFoundException", 404)
	oidc := &types.OidcIdentityProviderConfigRequest{IdentityProviderConfigName: str("corp"), IssuerUrl: str("https://idp.example"), ClientId: str("k8s"), GroupsClaim: str("groups")}
	must(c.AssociateIdentityProviderConfig(ctx, &eks.AssociateIdentityProviderConfigInput{ClusterName: str("prod"), Oidc: oidc}))(t)
	_, err = c.AssociateIdentityProviderConfig(ctx, &eks.AssociateIdentityProviderConfigInput{ClusterName: str("prod"), Oidc: oidc})
	wantCode(t, err, "ResourceInUseException", 409)
	list := must(c.ListIdentityProviderConfigs(ctx, &eks.ListIdentityProviderConfigsInput{ClusterName: str("prod")}))(t).IdentityProviderConfigs
	must(c.DisassociateIdentityProviderConfig(ctx, &eks.DisassociateIdentityProviderConfigInput{ClusterName: str("prod"), IdentityProviderConfig: &list[0]}))(t)
	must(c.UpdateClusterVersion(ctx, &eks.UpdateClusterVersionInput{Name: str("prod"), Version: str("1.35")}))(t)
	must(c.AssociateEncryptionConfig(ctx, &eks.AssociateEncryptionConfigInput{ClusterName: str("prod"), EncryptionConfig: []types.EncryptionConfig{{Resources: []string{"secrets"}, Provider: &types.Provider{KeyArn: str("k")}}}}))(t)
	cluster := must(c.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: str("prod")}))(t).Cluster
	equal(t, []string{"1.35", "k"}, []string{*cluster.Version, *cluster.EncryptionConfig[0].Provider.KeyArn})
}

// TestSameSeedSameWorld: ids depend on the seed and on what was done, not on the run.
func TestSameSeedSameWorld(t *testing.T) {
	world := func(seed string) []string {
		srv, _, reg := newLab(t, aws.Options{Seed: seed})
		role := must(iamClient(srv).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: str("x"), AssumeRolePolicyDocument: str(`{}`)}))(t).Role
		id := reg.PutPodIdentityAssociation(aws.PodIdentityAssociation{ClusterName: "prod", Namespace: "n", ServiceAccount: "s", RoleARN: roleARN("app")})
		return []string{*role.RoleId, id}
	}
	equal(t, world("a"), world("a"))
	if a, b := world("a"), world("b"); a[0] == b[0] || a[1] == b[1] {
		t.Errorf("seeds a and b share ids: %v %v", a, b)
	}
}
