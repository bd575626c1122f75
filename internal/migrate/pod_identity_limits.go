package migrate

import (
	"cmp"
	"fmt"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
)

// How long trust policies may be, white space aside: what an account has, and the most that it gets when it asks (IAM User Guide,
// "IAM and AWS STS quotas", 2026-11).
const (
	TrustPolicyQuota    = 2048
	TrustPolicyQuotaMax = 4096
)

// How long session tags may be (IAM User Guide, "Pass session tags in AWS STS", 2026-11).
const (
	tagValueMax = 256
	podNameMax  = 253 // Kubernetes documentation, "Object Names and IDs"
	podUIDSize  = 36
)

// tooLong says that a trust policy would be over the account's quota, or "". One that is over the quota that every account has
// tells that it was raised.
func (p *planner) tooLong(e edit) string {
	quota := cmp.Or(p.TrustPolicyQuota, TrustPolicyQuota)
	before, after := characters(e.before), characters(e.after)
	if characters(e.role.Trust) > quota {
		quota = TrustPolicyQuotaMax
	}
	if after <= quota || after <= before {
		return ""
	}
	return fmt.Sprintf("the trust policy of %s would have %d characters without white space, and the quota is %d: give the service account a role of its own, or have the quota raised (to %d at most) and plan with --trust-policy-quota", e.role.ARN, after, quota, TrustPolicyQuotaMax)
}

// characters counts those of a document that IAM counts. White space within strings is counted too: whether IAM does is not said.
func characters(doc model.Document) int {
	text := jsontext.Value(doc).Clone()
	if text.Compact() != nil {
		return utf8.RuneCountInString(string(doc))
	}
	return utf8.RuneCount(text)
}

// sessionTags are the tags that EKS adds to the sessions of a service account's pods, those of the pod as long as they can be
// (EKS User Guide, "Grant Pods access to AWS resources based on tags", 2026-11).
func sessionTags(s access.PodSession, cluster string) map[string]int {
	return map[string]int{
		"eks-cluster-arn": len(s.ClusterARN), "eks-cluster-name": len(cluster), "kubernetes-namespace": len(s.Namespace),
		"kubernetes-service-account": len(s.ServiceAccount), "kubernetes-pod-name": podNameMax, "kubernetes-pod-uid": podUIDSize,
	}
}

// untaggable says that a session of a service account's pods cannot have the tags that EKS adds, or "".
func (p *planner) untaggable(s access.PodSession) string {
	for key, size := range sessionTags(s, p.cluster.Name) {
		if size > tagValueMax && !s.Untagged {
			return fmt.Sprintf("session tag %s would have %d characters, and may have %d", key, size, tagValueMax)
		}
	}
	return ""
}

// packed says how much there is for STS to pack into a session, which has a limit of its own that nobody publishes.
func (p *planner) packed(holders []Holder) []string {
	most, whose := 0, ""
	for i := range holders {
		h := &holders[i]
		if h.Outcome != BecomesPodIdentity {
			continue
		}
		size := 0
		for key, n := range sessionTags(access.PodSession{ClusterARN: p.cluster.ARN, Namespace: h.Account.Namespace, ServiceAccount: h.Account.Name}, p.cluster.Name) {
			size += len(key) + n
		}
		if size > most {
			most, whose = size, h.Account.Namespace+"/"+h.Account.Name
		}
	}
	if most == 0 {
		return nil
	}
	return []string{fmt.Sprintf("EKS tags the sessions of pods with up to %d characters (%s). Whether STS can pack them is not known beforehand, because the limit of what it packs is not published: the error would be PackedPolicyTooLarge", most, whose)}
}
