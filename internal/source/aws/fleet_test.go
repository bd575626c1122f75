package aws

import (
	"context"
	"fmt"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	lab "drawbridge/internal/lab/aws"
	"drawbridge/internal/model"
)

// The fixtures are synthetic.
const (
	account = "111122223333"
	foreign = "444455556666"
	home    = "eu-central-1"
	away    = "us-east-1"
)

const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`

// wide is a policy document with the characters that percent-encoding is about.
const wide = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::a+b/100%25 c/ä"}}`

// fleet is a lab with one account that has something of everything.
func fleet(t testing.TB, options lab.Options) *lab.Server {
	t.Helper()
	s := lab.New(options)
	a := s.Account(account, "aws")
	seedIAM(a)
	seedProd(a.Region(home))
	r := a.Region(home)
	r.PutCluster(lab.Cluster{Name: "legacy"})
	r.PutLogGroup(lab.LogGroup{LogGroupName: "/aws/eks/legacy/cluster-archive"})
	a.Region(away).PutCluster(lab.Cluster{Name: "prod", AccessConfig: &lab.AccessConfig{AuthenticationMode: "API"}})
	a.Region(away).PutTrail(lab.Trail{
		Name: "org", IsMultiRegionTrail: true, IsOrganizationTrail: true, Logging: true,
		AdvancedEventSelectors: []byte(`[{"Name":"eks","FieldSelectors":[{"Field":"eventCategory","Equals":["Management"]}]}]`),
	})
	r.PutTrail(lab.Trail{Name: "local"})
	s.PutOrganization(organization())
	return s.Start(t)
}

const management = "777788889999"

// organization has the account in a unit, and lets it read all as a delegated administrator does.
func organization() lab.Organization {
	return lab.Organization{
		ID: "o-example123", ManagementAccount: management, Delegated: []string{account},
		Policies: []lab.OrganizationPolicy{
			{ID: "p-guard123", Name: "guard", Type: "SERVICE_CONTROL_POLICY", Content: `{"Statement":{"Effect":"Deny","Action":"eks:CreateAccessEntry","Resource":"*"}}`},
			{ID: "p-fence123", Name: "fence", Type: "RESOURCE_CONTROL_POLICY", Content: wide},
		},
		Root: lab.Unit{ID: "r-ab12", Attached: []string{"p-fence123"}, Accounts: []lab.Member{{ID: management}, {ID: foreign}}, Units: []lab.Unit{{
			ID: "ou-ab12-11111111", Attached: []string{"p-FullAWSAccess", "p-guard123"}, Accounts: []lab.Member{{ID: account}},
		}}},
	}
}

func seedIAM(a *lab.Account) {
	managed := a.PutPolicy(lab.ManagedPolicy{PolicyName: "deploy", Versions: []lab.PolicyVersion{
		{VersionID: "v1", Document: `{"Statement":[]}`}, {VersionID: "v2", Document: wide, IsDefaultVersion: true},
	}})
	limit := a.PutPolicy(lab.ManagedPolicy{PolicyName: "limit", Versions: []lab.PolicyVersion{{VersionID: "v1", Document: `{}`, IsDefaultVersion: true}}})
	view := a.PutPolicy(lab.ManagedPolicy{
		PolicyName: "ViewOnlyAccess", ARN: "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess",
		Versions: []lab.PolicyVersion{{VersionID: "v1", Document: `{}`, IsDefaultVersion: true}},
	})
	a.PutPolicy(lab.ManagedPolicy{PolicyName: "Unused", ARN: "arn:aws:iam::aws:policy/Unused", Versions: []lab.PolicyVersion{{VersionID: "v1", Document: `{}`, IsDefaultVersion: true}}})
	role := func(name string, more ...func(*lab.Role)) {
		r := lab.Role{RoleName: name, AssumeRolePolicyDocument: trust}
		for _, m := range more {
			m(&r)
		}
		a.PutRole(r)
	}
	for _, name := range []string{"cluster", "fargate", "addon", "capability", "target", "unrelated"} {
		role(name)
	}
	role("node", func(r *lab.Role) { r.AttachedPolicies = []string{view} })
	role("app", func(r *lab.Role) {
		r.Path, r.PermissionsBoundary, r.Tags = "/team/", limit, []lab.Tag{{Key: "team", Value: "shop"}}
		r.InlinePolicies = []lab.InlinePolicy{{PolicyName: "s3", PolicyDocument: wide}, {PolicyName: "empty", PolicyDocument: `{}`}}
		r.AttachedPolicies = []string{managed}
	})
	group := lab.Group{GroupName: "admins", InlinePolicies: []lab.InlinePolicy{{PolicyName: "g", PolicyDocument: `{}`}}, AttachedPolicies: []string{managed}}
	a.PutGroup(group)
	a.PutUser(lab.User{UserName: "jane", Groups: []string{"admins"}, InlinePolicies: []lab.InlinePolicy{{PolicyName: "u", PolicyDocument: `{}`}}, AttachedPolicies: []string{view}})
	a.PutUser(lab.User{UserName: "unrelated"})
	a.PutInstanceProfile(lab.InstanceProfile{InstanceProfileName: "nodes", Roles: []string{"node"}})
	a.PutOIDCProvider(lab.OIDCProvider{URL: "oidc.eks.eu-central-1.amazonaws.com/id/0123", ClientIDList: []string{"sts.amazonaws.com"}})
}

func arnOf(resource string) string { return "arn:aws:iam::" + account + ":" + resource }

func seedProd(r *lab.Region) {
	yes := true
	r.PutCluster(lab.Cluster{
		Name: "prod", RoleARN: arnOf("role/cluster"), Tags: map[string]string{"env": "prod"},
		AccessConfig:        &lab.AccessConfig{AuthenticationMode: "API_AND_CONFIG_MAP", BootstrapClusterCreatorAdminPermissions: &yes},
		Logging:             &lab.Logging{ClusterLogging: []lab.LogSetup{{Types: []string{"authenticator", "audit"}, Enabled: &yes}, {Types: []string{"api"}}}},
		ResourcesVpcConfig:  &lab.VpcConfig{EndpointPublicAccess: &yes, PublicAccessCIDRs: []string{"198.51.100.0/24"}},
		RemoteNetworkConfig: []byte(`{"remoteNodeNetworks":[{"cidrs":["10.80.0.0/16"]}]}`),
	})
	r.PutAccessEntry(lab.AccessEntry{ClusterName: "prod", PrincipalARN: arnOf("user/jane"), KubernetesGroups: []string{"ops", "dev"}})
	scoped := lab.AssociatedAccessPolicy{PolicyARN: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSEditPolicy", AccessScope: lab.AccessScope{Type: "namespace", Namespaces: []string{"shop", "dev-*"}}}
	admin := lab.AssociatedAccessPolicy{PolicyARN: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy", AccessScope: lab.AccessScope{Type: "cluster"}}
	view := lab.AssociatedAccessPolicy{PolicyARN: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", AccessScope: lab.AccessScope{Type: "cluster"}}
	r.PutAccessEntry(lab.AccessEntry{ClusterName: "prod", PrincipalARN: arnOf("role/team/app")}, scoped, admin, view)
	r.PutAccessEntry(lab.AccessEntry{ClusterName: "prod", PrincipalARN: "arn:aws:iam::" + foreign + ":role/partner"}, admin)
	r.PutAccessEntry(lab.AccessEntry{ClusterName: "prod", PrincipalARN: arnOf("role/node"), Type: "EC2_LINUX"})
	for i, sa := range []string{"web", "api", "default"} {
		a := lab.PodIdentityAssociation{ClusterName: "prod", Namespace: "shop", ServiceAccount: sa, RoleARN: arnOf("role/team/app")}
		if i == 0 {
			a.TargetRoleARN, a.DisableSessionTags, a.Policy = "arn:aws:iam::"+foreign+":role/data", &yes, `{"Statement":[]}`
		}
		r.PutPodIdentityAssociation(a)
	}
	r.PutNodegroup(lab.Nodegroup{ClusterName: "prod", NodegroupName: "spot", NodeRole: arnOf("role/node"), Labels: map[string]string{"pool": "spot"}})
	r.PutNodegroup(lab.Nodegroup{ClusterName: "prod", NodegroupName: "base", NodeRole: arnOf("role/node"), LaunchTemplate: &lab.LaunchTemplate{ID: "lt-1", Version: "2"}})
	r.PutLaunchTemplate(lab.Template{LaunchTemplateID: "lt-1", LaunchTemplateName: "base", Versions: []lab.TemplateData{{}, {
		IAMInstanceProfile: &lab.IAMInstanceProfile{ARN: arnOf("instance-profile/nodes")}, MetadataOptions: &lab.MetadataOptions{HTTPTokens: "optional", HTTPPutResponseHopLimit: 2, HTTPEndpoint: "enabled"},
	}}})
	r.PutFargateProfile(lab.FargateProfile{ClusterName: "prod", FargateProfileName: "jobs", PodExecutionRoleARN: arnOf("role/fargate"), Selectors: []lab.FargateSelector{{Namespace: "jobs", Labels: map[string]string{"a": "b"}}}})
	r.PutAddon(lab.Addon{ClusterName: "prod", AddonName: "vpc-cni", ServiceAccountRoleARN: arnOf("role/addon"), PodIdentityAssociations: []string{"arn:aws:eks:" + home + ":" + account + ":podidentityassociation/prod/a-1"}})
	r.PutAddon(lab.Addon{ClusterName: "prod", AddonName: "coredns"})
	r.PutAddon(lab.Addon{ClusterName: "prod", AddonName: "kube-proxy"})
	r.PutCapability(lab.Capability{ClusterName: "prod", CapabilityName: "ack", Type: "ACK", RoleARN: arnOf("role/capability")})
	r.PutIdentityProviderConfig(lab.OIDCConfig{ClusterName: "prod", IdentityProviderConfigName: "dex", IssuerURL: "https://dex.example.com", ClientID: "kube", GroupsClaim: "groups", RequiredClaims: map[string]string{"hd": "example.com"}})
	seedInstances(r)
	days := 30
	r.PutLogGroup(lab.LogGroup{LogGroupName: "/aws/eks/prod/cluster", RetentionInDays: &days, SubscriptionFilters: []lab.SubscriptionFilter{{FilterName: "siem", DestinationARN: "arn:aws:firehose:" + home + ":" + account + ":deliverystream/siem", FilterPattern: "{ $.x = 1 }"}}})
}

func seedInstances(r *lab.Region) {
	profile := &lab.IAMInstanceProfile{ARN: arnOf("instance-profile/nodes")}
	r.PutInstance(lab.Instance{
		InstanceID: "i-managed", PrivateDNSName: "ip-10-0-0-1.ec2.internal", IAMInstanceProfile: profile, MetadataOptions: &lab.MetadataOptions{HTTPTokens: "required", HTTPPutResponseHopLimit: 1, HTTPEndpoint: "enabled"},
		Tags: []lab.EC2Tag{{Key: "eks:cluster-name", Value: "prod"}, {Key: "eks:nodegroup-name", Value: "base"}, {Key: "kubernetes.io/cluster/prod", Value: "owned"}},
	})
	r.PutInstance(lab.Instance{InstanceID: "i-karpenter", Tags: []lab.EC2Tag{{Key: "kubernetes.io/cluster/prod", Value: "owned"}}})
	r.PutInstance(lab.Instance{InstanceID: "i-other", Tags: []lab.EC2Tag{{Key: "eks:cluster-name", Value: "other"}}})
	r.PutInstance(lab.Instance{InstanceID: "i-gone", State: lab.InstanceState{Code: 48, Name: "terminated"}, Tags: []lab.EC2Tag{{Key: "eks:cluster-name", Value: "prod"}}})
}

// options read the whole fleet at home as the lab's caller, and retry without waiting and often enough that calls which
// the lab throttles get through, however the calls of a run happen to interleave.
func options(s *lab.Server) Options {
	return Options{
		AllClusters: true,
		Regions:     []string{home},
		Now:         func() time.Time { return lab.Epoch },
		Config: func(_ context.Context, region string) (awssdk.Config, error) {
			cfg := s.Config(account, region)
			cfg.Retryer = func() awssdk.Retryer {
				return retry.NewStandard(func(o *retry.StandardOptions) {
					o.MaxAttempts = 50
					o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
				})
			}
			return cfg, nil
		},
	}
}

func collect(t testing.TB, o Options) *model.Snapshot {
	t.Helper()
	s, err := Collect(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func clusterOf(t testing.TB, s *model.Snapshot, name, region string) *model.Cluster {
	t.Helper()
	for _, c := range s.Clusters {
		if c.Name == name && c.Region == region {
			return c
		}
	}
	t.Fatalf("no cluster %s in %s", name, region)
	return nil
}

func gapLines(s *model.Snapshot) []string {
	var lines []string
	for _, g := range s.Gaps {
		lines = append(lines, fmt.Sprintf("%s%s %s %s: %s", g.Cluster, g.Account, g.Area, g.Action, g.Reason))
	}
	return lines
}
