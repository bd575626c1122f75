package checks

import (
	"slices"
	"strings"

	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var workloadStaticAWSCredentials = &check.Check{
	ID:         "workload-static-aws-credentials",
	Title:      "Workload gets AWS credentials the old way",
	Severity:   finding.High,
	Needs:      []model.Area{model.AreaWorkloads, model.AreaPods},
	Techniques: []string{"T1552.001", "T1552.007"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		for _, u := range p.Access.Units() {
			reportStaticKeys(p, u.Object, u.Spec)
			reportKeyFiles(p, u.Object, u.Spec)
			// kube2iam and kiam read this annotation and hand the node's power to assume roles to pods.
			const key = "iam.amazonaws.com/role"
			if role := u.Annotations[key]; role != "" {
				p.Report(u.Object, "names an IAM role for kube2iam or kiam in annotation %s (medium: what it reaches depends on an agent that was not looked at)", key).
					Severity(finding.Medium).
					Because(u.Object, "metadata.annotations", "%s is %s", key, role).
					Fix("# give the service account a Pod Identity association, restart, then remove the annotation").
					Fix(plan.Command(plan.CreatePodIdentityAssociation{Cluster: p.Cluster.ID(), Namespace: u.Namespace, ServiceAccount: u.ServiceAccount(), RoleARN: "ROLE-ARN"})).
					Key(key)
			}
		}
	},
}

// reportStaticKeys reports the environment variables and Secret keys of a pod that are named as AWS access keys are.
// Values are never in a snapshot, so names are the evidence.
func reportStaticKeys(p *check.Pass, o model.Object, s *model.PodSpec) {
	for _, c := range s.Containers {
		for _, e := range c.Env {
			name := e.Name
			key := e.From[strings.LastIndexByte(e.From, '/')+1:]
			if name != "AWS_SECRET_ACCESS_KEY" && !(strings.HasPrefix(e.From, "secret/") && strings.EqualFold(key, "AWS_SECRET_ACCESS_KEY")) {
				continue
			}
			where := "written in the pod's own specification"
			if e.From != "" {
				where = "from " + e.From
			}
			p.Report(o, "container %s has long-lived AWS keys in %s, %s", c.Name, name, where).
				Because(o, "spec.containers["+c.Name+"].env["+name+"]", "%s", where).
				Fix("# give the service account a Pod Identity association, remove the variables, then delete the keys in IAM").
				Fix(plan.Command(plan.CreatePodIdentityAssociation{Cluster: p.Cluster.ID(), Namespace: o.Subject().Namespace, ServiceAccount: serviceAccountOf(s), RoleARN: "ROLE-ARN"})).
				Fix(plan.Shell("aws", "iam", "delete-access-key", "--user-name", "USER", "--access-key-id", "KEY-ID")).
				Key(c.Name + "/" + name)
		}
	}
}

// reportKeyFiles reports Secrets that a container mounts where AWS credentials are looked for: in the directory .aws, or where
// AWS_SHARED_CREDENTIALS_FILE may point.
func reportKeyFiles(p *check.Pass, o model.Object, s *model.PodSpec) {
	secrets := map[string]string{}
	for _, v := range s.Volumes {
		if v.Secret != "" {
			secrets[v.Name] = v.Secret
		}
	}
	if len(secrets) == 0 {
		return
	}
	for _, c := range s.Containers {
		points := slices.ContainsFunc(c.Env, func(e model.EnvVar) bool { return e.Name == "AWS_SHARED_CREDENTIALS_FILE" })
		for _, m := range c.Mounts {
			secret := secrets[m.Volume]
			inHome := slices.Contains(strings.Split(m.Path, "/"), ".aws")
			if secret == "" || !inHome && !points {
				continue
			}
			how := "at " + m.Path
			if !inHome {
				how += ", and AWS_SHARED_CREDENTIALS_FILE is set (medium: where it points is not read)"
			}
			r := p.Report(o, "container %s has an AWS credentials file from Secret %s, mounted %s", c.Name, secret, how).
				Because(o, "spec.containers["+c.Name+"].volumeMounts", "%s from secret/%s", m.Path, secret).
				Fix("# give the service account a Pod Identity association, take the mount out, then delete the keys in IAM").
				Fix(plan.Command(plan.CreatePodIdentityAssociation{Cluster: p.Cluster.ID(), Namespace: o.Subject().Namespace, ServiceAccount: serviceAccountOf(s), RoleARN: "ROLE-ARN"})).
				Key(c.Name + " " + m.Path)
			if !inHome {
				r.Severity(finding.Medium)
			}
		}
	}
}

func serviceAccountOf(s *model.PodSpec) string {
	if s.ServiceAccount == "" {
		return "default"
	}
	return s.ServiceAccount
}
