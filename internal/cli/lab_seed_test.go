package cli_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"drawbridge/internal/lab/aws"
	"drawbridge/internal/lab/aws/wire"
	"drawbridge/internal/lab/kube"
	source "drawbridge/internal/source/kube"
)

// The lab's cluster and account.
const (
	account = "111122223333"
	region  = "us-east-1"
	cluster = "prod"
	// readers is the group that is bound to exactly the ClusterRole that the documentation asks for.
	readers = "drawbridge-readers"
	// caller is who signs with the lab's AWS credentials.
	caller = "arn:aws:sts::" + account + ":assumed-role/lab-caller/lab"
)

// world is one cluster in both of its halves: a real API server, and the lab's AWS that knows it.
type world struct {
	aws  *aws.Server
	kube *kube.Cluster
}

// newWorld starts and seeds both halves, and makes this process's environment that of somebody who may read them.
func newWorld(t *testing.T) *world {
	t.Helper()
	kube.Require(t)
	w := &world{aws: aws.New(aws.Options{PageSize: 2}).Start(t)}
	w.aws.Account(account, "aws")
	for _, v := range w.aws.Env(account, region) {
		key, value, _ := strings.Cut(v, "=")
		t.Setenv(key, value)
	}
	t.Setenv("AWS_PROFILE", "") // so that it is restored; the AWS CLI would look for a profile without a name
	os.Unsetenv("AWS_PROFILE")
	t.Setenv("KUBECONFIG", os.DevNull)
	w.kube = kube.New(t, kube.Options{
		Controllers: kube.IdentityControllers(), AuditPolicy: kube.FullAudit,
		Prepare: func(_ context.Context, c *kube.Cluster) ([]string, error) {
			config, err := c.ServeWebhook(w.authenticator(t))
			return []string{"--authentication-token-webhook-config-file=" + config, "--authentication-token-webhook-version=v1"}, err
		},
	})
	w.seedAWS()
	w.seedKubernetes(t)
	return w
}

// authenticator answers TokenReviews as that of EKS does: it replays the presigned call to learn who signed it.
func (w *world) authenticator(t *testing.T) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var review authenticationv1.TokenReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		who, err := w.signer(r.Context(), review.Spec.Token)
		if err != nil {
			t.Logf("token refused: %v", err)
		}
		review.Status = authenticationv1.TokenReviewStatus{Authenticated: err == nil, User: authenticationv1.UserInfo{Username: who, Groups: []string{readers}}}
		if err := json.NewEncoder(rw).Encode(review); err != nil {
			t.Errorf("answer a token review: %v", err)
		}
	})
}

// signer verifies a token for the cluster and returns the principal whose key signed it.
func (w *world) signer(ctx context.Context, token string) (string, error) {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "k8s-aws-v1."))
	if err != nil {
		return "", err
	}
	signed, err := url.Parse(string(raw))
	if err != nil {
		return "", err
	}
	q := signed.Query()
	at, err := time.Parse("20060102T150405Z", q.Get("X-Amz-Date"))
	if err != nil {
		return "", err
	}
	// The lab does not compute signatures, so it is done here: with the cluster's name in the header, as the server has it.
	again := *signed
	plain := url.Values{}
	for _, keep := range []string{"Action", "Version", "X-Amz-Expires"} {
		plain.Set(keep, q.Get(keep))
	}
	again.RawQuery = plain.Encode()
	req := &http.Request{Method: http.MethodGet, URL: &again, Host: signed.Host, Header: http.Header{"X-K8s-Aws-Id": {cluster}}}
	credentials := awssdk.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: os.Getenv("AWS_SESSION_TOKEN")}
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // SHA-256 of no body
	scope := strings.Split(q.Get("X-Amz-Credential"), "/")                           // key, day, region, service, aws4_request
	if len(scope) != 5 {
		return "", fmt.Errorf("no credential in %s", signed.Redacted())
	}
	want, _, err := v4.NewSigner().PresignHTTP(ctx, credentials, req, empty, "sts", scope[2], at)
	if err != nil {
		return "", err
	}
	if wanted, err := url.Parse(want); err != nil || wanted.Query().Get("X-Amz-Signature") != q.Get("X-Amz-Signature") {
		return "", fmt.Errorf("the signature is not one for cluster %s: %s", cluster, signed.Redacted())
	}
	// Who it is, the lab's STS knows.
	endpoint := w.aws.URL() + "/?" + signed.RawQuery
	answer, err := http.Post(endpoint, "application/x-www-form-urlencoded", strings.NewReader("Action=GetCallerIdentity&Version=2011-06-15"))
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	_, rest, found := strings.Cut(string(body), "<Arn>")
	arn, _, _ := strings.Cut(rest, "</Arn>")
	if err != nil || !found {
		return "", fmt.Errorf("STS answered %s: %s", answer.Status, body)
	}
	return arn, nil
}

func iamARN(resource string) string { return "arn:aws:iam::" + account + ":" + resource }

const (
	podTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`
	ec2Trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
)

// seedAWS seeds one of everything that the EKS side of a cluster can have, with a handful of known problems.
func (w *world) seedAWS() {
	a := w.aws.Account(account, "aws")
	r := a.Region(region)
	yes := true
	const issuer = "oidc.eks.us-east-1.amazonaws.com/id/00000000000000000000000000000001"
	r.PutCluster(aws.Cluster{
		Name: cluster, RoleARN: iamARN("role/cluster"), Endpoint: w.kube.URL,
		CertificateAuthority: &aws.Certificate{Data: base64.StdEncoding.EncodeToString(w.kube.CA)},
		AccessConfig:         &aws.AccessConfig{AuthenticationMode: "API_AND_CONFIG_MAP"},
		Identity:             &aws.Identity{OIDC: &aws.OIDC{Issuer: "https://" + issuer}},
		ResourcesVpcConfig:   &aws.VpcConfig{EndpointPublicAccess: &yes, PublicAccessCIDRs: []string{"203.0.113.0/24", "0.0.0.0/0", "198.51.100.0/24"}},
		Logging:              &aws.Logging{ClusterLogging: []aws.LogSetup{{Types: []string{"scheduler", "audit", "api"}, Enabled: &yes}}},
	})
	a.PutRole(aws.Role{RoleName: "app", AssumeRolePolicyDocument: podTrust, InlinePolicies: []aws.InlinePolicy{{PolicyName: "all", PolicyDocument: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`}}})
	a.PutRole(aws.Role{RoleName: "irsa", AssumeRolePolicyDocument: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + iamARN("oidc-provider/"+issuer) +
		`"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringLike":{"` + issuer + `:sub":"system:serviceaccount:*:*"},"StringEquals":{"` + issuer + `:aud":"sts.amazonaws.com"}}}]}`})
	for _, name := range []string{"cluster", "node", "ops", "fargate", "ack"} {
		a.PutRole(aws.Role{RoleName: name, AssumeRolePolicyDocument: ec2Trust})
	}
	a.PutUser(aws.User{UserName: "jane"})
	a.PutInstanceProfile(aws.InstanceProfile{InstanceProfileName: "node", Roles: []string{"node"}})
	a.PutOIDCProvider(aws.OIDCProvider{URL: issuer, ClientIDList: []string{"sts.amazonaws.com", "another"}})

	policy := func(name string, namespaces ...string) aws.AssociatedAccessPolicy {
		scope := aws.AccessScope{Type: "cluster"}
		if len(namespaces) > 0 {
			scope = aws.AccessScope{Type: "namespace", Namespaces: namespaces}
		}
		return aws.AssociatedAccessPolicy{PolicyARN: "arn:aws:eks::aws:cluster-access-policy/" + name, AccessScope: scope}
	}
	r.PutAccessEntry(aws.AccessEntry{ClusterName: cluster, PrincipalARN: iamARN("role/ops")}, policy("AmazonEKSClusterAdminPolicy"))
	r.PutAccessEntry(aws.AccessEntry{ClusterName: cluster, PrincipalARN: iamARN("user/jane"), KubernetesGroups: []string{"viewers", "editors", "auditors"}},
		policy("AmazonEKSViewPolicy", "shop", "kube-system"), policy("AmazonEKSEditPolicy", "kube-system", "default"), policy("AmazonEKSAdminViewPolicy"))
	r.PutAccessEntry(aws.AccessEntry{ClusterName: cluster, PrincipalARN: iamARN("role/gone"), KubernetesGroups: []string{"viewers"}})
	r.PutAccessEntry(aws.AccessEntry{ClusterName: cluster, PrincipalARN: iamARN("role/node"), Type: "EC2_LINUX"})

	past, later := wire.At(aws.Epoch), wire.At(time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC))
	r.PutPodIdentityAssociation(aws.PodIdentityAssociation{ClusterName: cluster, Namespace: "shop", ServiceAccount: "default", RoleARN: iamARN("role/app"), CreatedAt: past})
	r.PutPodIdentityAssociation(aws.PodIdentityAssociation{ClusterName: cluster, Namespace: "shop", ServiceAccount: "api", RoleARN: iamARN("role/app"), CreatedAt: later, DisableSessionTags: &yes})
	r.PutPodIdentityAssociation(aws.PodIdentityAssociation{ClusterName: cluster, Namespace: "nowhere", ServiceAccount: "ghost", RoleARN: iamARN("role/app")})

	r.PutLaunchTemplate(aws.Template{LaunchTemplateID: "lt-0a", LaunchTemplateName: "general", Versions: []aws.TemplateData{{MetadataOptions: &aws.MetadataOptions{HTTPTokens: "optional", HTTPPutResponseHopLimit: 2}}}})
	r.PutNodegroup(aws.Nodegroup{ClusterName: cluster, NodegroupName: "general", NodeRole: iamARN("role/node"), LaunchTemplate: &aws.LaunchTemplate{ID: "lt-0a", Name: "general", Version: "1"}})
	r.PutFargateProfile(aws.FargateProfile{ClusterName: cluster, FargateProfileName: "batch", PodExecutionRoleARN: iamARN("role/fargate"), Selectors: []aws.FargateSelector{{Namespace: "batch"}}})
	r.PutAddon(aws.Addon{ClusterName: cluster, AddonName: "eks-pod-identity-agent"})
	r.PutAddon(aws.Addon{ClusterName: cluster, AddonName: "vpc-cni"})
	r.PutCapability(aws.Capability{ClusterName: cluster, CapabilityName: "ack", Type: "ACK", RoleARN: iamARN("role/ack")})
	r.PutIdentityProviderConfig(aws.OIDCConfig{ClusterName: cluster, IdentityProviderConfigName: "dex", IssuerURL: "https://dex.example", ClientID: "kubernetes", GroupsClaim: "groups", Status: "ACTIVE"})
	r.PutLogGroup(aws.LogGroup{LogGroupName: "/aws/eks/" + cluster + "/cluster"})
	r.PutTrail(aws.Trail{Name: "main", S3BucketName: "logs", Logging: true, EventSelectors: []aws.EventSelector{{ReadWriteType: "WriteOnly", IncludeManagementEvents: &yes}}})
	for i := range 2 {
		n := kube.Node(i, "general")
		r.PutInstance(aws.Instance{
			InstanceID: n.Spec.ProviderID[strings.LastIndexByte(n.Spec.ProviderID, '/')+1:], PrivateDNSName: n.Name,
			Tags:               []aws.EC2Tag{{Key: "kubernetes.io/cluster/" + cluster, Value: "owned"}, {Key: "eks:cluster-name", Value: cluster}},
			IAMInstanceProfile: &aws.IAMInstanceProfile{ARN: iamARN("instance-profile/node")},
			MetadataOptions:    &aws.MetadataOptions{HTTPTokens: "optional", HTTPPutResponseHopLimit: 2, HTTPEndpoint: "enabled"},
		})
	}
}

// seedKubernetes makes the API server look like one of EKS, with one of every kind that is read, and binds the readers.
func (w *world) seedKubernetes(t *testing.T) {
	t.Helper()
	err := w.kube.InstallEKS(t.Context(), kube.EKS{
		Name: cluster, Region: region, Agent: kube.AgentWithTokenVerification(), NodeGroups: []kube.NodeGroup{{Name: "general", Nodes: 2}},
		AWSAuth: map[string]string{"mapRoles": `
- {rolearn: "` + iamARN("role/breakglass") + `", username: breakglass, groups: [system:masters]}
- {rolearn: "` + iamARN("role/team/lead") + `", username: lead, groups: [viewers]}
`},
	})
	if err == nil {
		err = w.kube.InstallKarpenter(t.Context())
	}
	if err == nil {
		var manifests []byte
		if manifests, err = os.ReadFile("testdata/lab.yaml"); err == nil {
			err = w.kube.Apply(t.Context(), strings.ReplaceAll(string(manifests), "$NODE", kube.Node(0, "general").Name))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	w.bind(t, readers, func(string) bool { return true })
	w.await(t, readers)
	// Controllers finish what they make for a namespace after its creation; the state must stand still to be compared.
	err = wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		n, err := w.kube.Admin.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		s, err := w.kube.Admin.CoreV1().ServiceAccounts("").List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=default"})
		return err == nil && len(s.Items) == len(n.Items), err
	})
	if err != nil {
		t.Fatalf("wait for the default service accounts: %v", err)
	}
}

// bind gives a group the ClusterRole of the documentation, as far as keep wants its resources.
func (w *world) bind(t *testing.T, group string, keep func(resource string) bool) {
	t.Helper()
	role := source.ClusterRole()
	role.Name = group
	rules := role.Rules[:0]
	for _, r := range role.Rules {
		var kept []string
		for _, name := range r.Resources {
			if keep(name) {
				kept = append(kept, name)
			}
		}
		if r.Resources = kept; len(kept) > 0 {
			rules = append(rules, r)
		}
	}
	role.Rules = rules
	binding := fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %[1]s}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: %[1]s}]
`, group)
	if err := w.kube.Load(t.Context(), role); err != nil {
		t.Fatal(err)
	}
	if err := w.kube.Apply(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
}

// await waits until the authorizer knows what was granted to a group.
func (w *world) await(t *testing.T, group string) {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: "somebody", Groups: []string{group},
		ResourceAttributes: &authorizationv1.ResourceAttributes{Resource: "nodes", Verb: "list"},
	}}
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
		r, err := w.kube.Admin.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		return err == nil && r.Status.Allowed, err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// kubeconfig writes a kubeconfig with one context that is called so, for a user by certificate.
func (w *world) kubeconfig(t *testing.T, context, user, group string) string {
	t.Helper()
	c, err := w.kube.Config(user, group)
	if err != nil {
		t.Fatal(err)
	}
	return w.writeKubeconfig(t, context, &clientcmdapi.AuthInfo{ClientCertificateData: c.CertData, ClientKeyData: c.KeyData})
}

func (w *world) writeKubeconfig(t *testing.T, context string, user *clientcmdapi.AuthInfo) string {
	t.Helper()
	k := clientcmdapi.NewConfig()
	k.Clusters["c"] = &clientcmdapi.Cluster{Server: w.kube.URL, CertificateAuthorityData: w.kube.CA}
	k.AuthInfos["u"] = user
	k.Contexts[context] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	k.CurrentContext = context
	path := t.TempDir() + "/kubeconfig"
	if err := clientcmd.WriteToFile(*k, path); err != nil {
		t.Fatal(err)
	}
	return path
}
