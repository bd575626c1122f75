package access

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// Audiences of the tokens that pods exchange for AWS credentials (EKS User Guide, "IAM roles for service accounts" and
// "Learn how EKS Pod Identity grants pods access", 2026-11). The IRSA audience is the default; the annotation
// eks.amazonaws.com/audience changes it.
const (
	PodIdentityAudience = "pods.eks.amazonaws.com"
	IRSAAudience        = "sts.amazonaws.com"
)

// Annotations and labels that decide about IRSA and Pod Identity (amazon-eks-pod-identity-webhook, README and
// pkg/handler, 2026-08).
const (
	RoleAnnotation           = "eks.amazonaws.com/role-arn"
	AudienceAnnotation       = "eks.amazonaws.com/audience"
	SkipContainersAnnotation = "eks.amazonaws.com/skip-containers"
	SkipWebhookLabel         = "eks.amazonaws.com/skip-pod-identity-webhook" //nolint:gosec // the name of a label
)

// Via says by which way a pod gets AWS credentials.
type Via string

// The ways, and the two answers that are none.
const (
	ViaPodIdentity Via = "Pod Identity"
	ViaIRSA        Via = "IRSA"
	ViaStaticKeys  Via = "static keys"
	ViaNodeRole    Via = "node role"
	ViaNothing     Via = "none"
	ViaUnknown     Via = "unknown"
)

// Credentials are the AWS identity that a pod has.
type Credentials struct {
	Via Via
	// RoleARN is the IAM role; empty for static keys, for none, and where it is not known.
	RoleARN string
	// Association is set for Pod Identity.
	Association *model.PodIdentityAssociation
	// Why is the chain of facts that leads there.
	Why []finding.Evidence
}

// Association returns the Pod Identity association of a service account, or nil. There is at most one (EKS User Guide,
// "Assign an IAM role to a Kubernetes service account", 2026-11).
func (c *Cluster) Association(namespace, serviceAccount string) *model.PodIdentityAssociation {
	return c.podIdentity[name{namespace, serviceAccount}]
}

// IRSARole returns the role that a service account's annotation names, or "".
func IRSARole(sa *model.ServiceAccount) string {
	if sa == nil {
		return ""
	}
	return sa.Annotations[RoleAnnotation]
}

// HoldsAWSRole says whether new pods of a service account get an IAM role through Pod Identity or IRSA, and which.
// Pod Identity goes before IRSA in the webhook.
func (c *Cluster) HoldsAWSRole(namespace, serviceAccount string) (role string, via Via) {
	if a := c.Association(namespace, serviceAccount); a != nil {
		return a.RoleARN, ViaPodIdentity
	}
	sa, _ := c.ServiceAccount(namespace, serviceAccount)
	if role := IRSARole(sa); role != "" {
		return role, ViaIRSA
	}
	return "", ViaNothing
}

// AWSServiceAccount is a service account that holds an IAM role.
type AWSServiceAccount struct {
	Namespace, Name string
	RoleARN         string
	Via             Via
	// Object is the association or the annotated service account.
	Object model.Object
}

// AWSServiceAccounts lists the service accounts that hold an IAM role, each way of its own, sorted by name.
func (c *Cluster) AWSServiceAccounts() []AWSServiceAccount {
	var all []AWSServiceAccount
	for _, a := range c.PodIdentityAssociations {
		all = append(all, AWSServiceAccount{a.Namespace, a.ServiceAccount, a.RoleARN, ViaPodIdentity, a})
	}
	for _, sa := range c.ServiceAccounts {
		if role := IRSARole(sa); role != "" {
			all = append(all, AWSServiceAccount{sa.Namespace, sa.Name, role, ViaIRSA, sa})
		}
	}
	slices.SortStableFunc(all, func(a, b AWSServiceAccount) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	return all
}

// Injection is what the pod-identity webhook put into a running pod.
type Injection struct {
	PodIdentity bool
	IRSA        bool
}

// Injected reads off a pod's own specification what the webhook gave it when it was made: environment and token of Pod
// Identity or IRSA. It is the only certain sign, because a later association or annotation changes no running pod.
func Injected(s *model.PodSpec) Injection {
	var in Injection
	for _, c := range s.Containers {
		for _, e := range c.Env {
			switch e.Name {
			case "AWS_CONTAINER_CREDENTIALS_FULL_URI":
				in.PodIdentity = true
			case "AWS_WEB_IDENTITY_TOKEN_FILE":
				in.IRSA = true
			}
		}
	}
	return in
}

// StaticKeys names the environment variables of a pod that hold AWS access keys, as container/variable.
func StaticKeys(s *model.PodSpec) []string {
	var names []string
	for _, c := range s.Containers {
		for _, e := range c.Env {
			if e.Name == "AWS_ACCESS_KEY_ID" || e.Name == "AWS_SECRET_ACCESS_KEY" {
				names = append(names, c.Name+"/"+e.Name)
			}
		}
	}
	return names
}

// CredentialsOf says which AWS identity a running pod has now. The SDKs' order decides where there are several: keys in the
// environment, then web identity (IRSA), then container credentials (Pod Identity), then the node's role (AWS SDKs and
// Tools Reference Guide, "Standardized credential providers", 2026-11; Go, botocore and Java v2 agree).
func (c *Cluster) CredentialsOf(p *model.Pod) Credentials { return c.held()[p] }

func (c *Cluster) credentialsOf(p *model.Pod) Credentials {
	if keys := StaticKeys(&p.PodSpec); len(keys) > 0 {
		return Credentials{Via: ViaStaticKeys, Why: []finding.Evidence{fact(p, "spec.containers[].env", "%s is set, which every AWS SDK uses first", keys[0])}}
	}
	sa := ServiceAccountName(&p.PodSpec)
	in := Injected(&p.PodSpec)
	object, presence := c.ServiceAccount(p.Namespace, sa)
	association := c.Association(p.Namespace, sa)
	switch {
	case in.IRSA:
		why := fact(p, "spec.containers[].env", "AWS_WEB_IDENTITY_TOKEN_FILE is set, which the AWS SDKs use before container credentials")
		role := IRSARole(object)
		if role == "" {
			return Credentials{Via: ViaIRSA, Why: []finding.Evidence{why, {Text: "the role is not known: the service account has no annotation now", Source: "ServiceAccount " + p.Namespace + "/" + sa}}}
		}
		return Credentials{Via: ViaIRSA, RoleARN: role, Why: []finding.Evidence{why, fact(object, "metadata.annotations", "%s is %s", RoleAnnotation, role)}}
	case in.PodIdentity && association != nil:
		return Credentials{Via: ViaPodIdentity, RoleARN: association.RoleARN, Association: association, Why: []finding.Evidence{
			fact(p, "spec.containers[].env", "AWS_CONTAINER_CREDENTIALS_FULL_URI is set"), fact(association, "roleArn", "%s", association.RoleARN),
		}}
	case in.PodIdentity && !c.Complete(model.AreaPodIdentityAssociations):
		return Credentials{Via: ViaPodIdentity, Why: []finding.Evidence{fact(p, "spec.containers[].env", "AWS_CONTAINER_CREDENTIALS_FULL_URI is set; its association was not read")}}
	case presence == Unread && association == nil:
		return Credentials{Via: ViaUnknown, Why: []finding.Evidence{{Text: "service accounts were not read", Source: "list serviceaccounts"}}}
	}
	return c.nodeCredentials(p)
}

// nodeCredentials is what a pod has that was given nothing of its own: the node's role, if it can reach it.
func (c *Cluster) nodeCredentials(p *model.Pod) Credentials {
	reach := c.NodeRoleReach(p)
	switch reach.Answer {
	case Yes:
		return Credentials{Via: ViaNodeRole, RoleARN: reach.RoleARN, Why: reach.Why}
	case No:
		return Credentials{Via: ViaNothing, Why: reach.Why}
	}
	return Credentials{Via: ViaUnknown, Why: reach.Why}
}

// Predates says whether a pod is older than an association and was not given it, so that it still runs with what it had.
func Predates(p *model.Pod, a *model.PodIdentityAssociation) bool {
	return !Injected(&p.PodSpec).PodIdentity && before(p.Created, a.Created)
}

func before(a, b time.Time) bool { return !a.IsZero() && !b.IsZero() && a.Before(b) }

// Unsupported says why pods with this specification cannot use Pod Identity, or "". Pod Identity works on Linux EC2
// nodes, and on hybrid nodes with an agent set up for them (EKS User Guide, "EKS Pod Identity considerations", 2026-11).
func (c *Cluster) Unsupported(namespace string, labels map[string]string, s *model.PodSpec) string {
	switch {
	case c.OnFargate(namespace, labels, s):
		return "Fargate"
	case c.OnWindows(s):
		return "Windows"
	}
	return ""
}

// OptedOut says by what a pod keeps the pod-identity webhook away, or "".
func OptedOut(labels, annotations map[string]string) string {
	if _, ok := labels[SkipWebhookLabel]; ok {
		return "label " + SkipWebhookLabel
	}
	if v := annotations[SkipContainersAnnotation]; v != "" {
		return "annotation " + SkipContainersAnnotation
	}
	return ""
}

// fact is one link of a chain: what a field of an object says.
func fact(o model.Object, field, format string, args ...any) finding.Evidence {
	return finding.Evidence{Text: fmt.Sprintf(format, args...), Source: o.Subject().String() + " " + field}
}
