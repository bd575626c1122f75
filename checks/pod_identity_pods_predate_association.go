package checks

import (
	"fmt"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var podIdentityPodsPredateAssociation = &check.Check{
	ID:         "pod-identity-pods-predate-association",
	Title:      "Pods are older than their Pod Identity association",
	Severity:   finding.Medium,
	Needs:      []model.Area{model.AreaPodIdentityAssociations, model.AreaPods, model.AreaServiceAccounts, model.AreaNodes, model.AreaInstances},
	Techniques: []string{"T1078.004"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		for _, a := range p.Cluster.PodIdentityAssociations {
			var old []*model.Pod
			undated := 0
			for _, pod := range p.Access.PodsOf(a.Namespace, a.ServiceAccount) {
				switch {
				case access.Predates(pod, a):
					old = append(old, pod)
				case !access.Injected(&pod.PodSpec).PodIdentity && (pod.Created.IsZero() || a.Created.IsZero()):
					undated++
				}
			}
			if undated > 0 {
				p.NotAssessed("%d pods of %s/%s have no credentials of its association, but whether they are older was not read", undated, a.Namespace, a.ServiceAccount)
			}
			if len(old) > 0 {
				reportOldPods(p, a, old)
			}
		}
	},
}

func reportOldPods(p *check.Pass, a *model.PodIdentityAssociation, old []*model.Pod) {
	var names, held []string
	count := map[string]int{}
	for _, pod := range old {
		names = append(names, pod.Name)
		is := identityNow(p.Access.CredentialsOf(pod))
		if count[is]++; count[is] == 1 {
			held = append(held, is)
		}
	}
	if len(held) > 1 {
		for i, is := range held {
			held[i] = fmt.Sprintf("%s (%d)", is, count[is])
		}
	}
	r := p.Report(a, "%s of service account %s/%s are older than the association with %s and still run with %s until they are restarted",
		check.Some(names, 3), a.Namespace, a.ServiceAccount, a.RoleARN, strings.Join(held, ", ")).
		Because(a, "createdAt", "%s", a.Created.Format("2006-01-02 15:04:05Z07:00"))
	for _, pod := range old[:min(len(old), 20)] {
		r.Because(pod, "metadata.creationTimestamp", "%s", pod.Created.Format("2006-01-02 15:04:05Z07:00"))
	}
	r.Chain(p.Access.CredentialsOf(old[0]).Why)
	restarted := map[string]bool{}
	for _, w := range p.Access.WorkloadsOf(a.Namespace, a.ServiceAccount) {
		name := w.Subject().Name
		switch w.Kind {
		case "Deployment", "DaemonSet", "StatefulSet":
			if !restarted[name] && len(restarted) < 10 {
				restarted[name] = true
				r.Fix(plan.Shell("kubectl", "rollout", "restart", "-n", a.Namespace, name))
			}
		}
	}
	if len(restarted) == 0 {
		r.Fix(plan.Shell("kubectl", "delete", "-n", a.Namespace, "pod/"+old[0].Name) + " # where a controller makes it again")
	}
}

// identityNow is a pod's AWS identity in words.
func identityNow(i access.Credentials) string {
	switch i.Via {
	case access.ViaNothing:
		return "no AWS identity"
	case access.ViaUnknown:
		return "an identity that was not read"
	case access.ViaStaticKeys:
		return "static keys"
	}
	if i.RoleARN == "" {
		return "a role through " + string(i.Via)
	}
	return i.RoleARN + " through " + string(i.Via)
}
