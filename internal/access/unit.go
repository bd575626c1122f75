package access

import (
	"slices"
	"strings"

	"drawbridge/internal/model"
)

// Unit is what somebody deployed: a workload with its pods, or pods without a workload that the snapshot knows (made by
// hand, or by the controller of a custom resource), of which the first stands for all.
type Unit struct {
	// Object is the workload, or the first pod.
	Object      model.Object
	Namespace   string
	Labels      map[string]string // of the pods
	Annotations map[string]string
	Spec        *model.PodSpec // the template, or the first pod's
	Pods        []*model.Pod   // that run now, finished ones left out
}

// ServiceAccount is the name of the service account that the unit's pods run as.
func (u *Unit) ServiceAccount() string { return ServiceAccountName(u.Spec) }

// Units lists what is deployed in the cluster, workloads first, each in the snapshot's order.
func (c *Cluster) Units() []*Unit { return c.units() }

// unitName names a workload by its namespace and kind/name, the kind in lower case.
func unitName(namespace, n string) name {
	kind, rest, _ := strings.Cut(n, "/")
	return name{namespace, strings.ToLower(kind) + "/" + rest}
}

// newUnitNames files the units that are workloads by their names.
func (c *Cluster) newUnitNames() map[name]*Unit {
	by := make(map[name]*Unit, len(c.Workloads))
	for _, u := range c.Units() {
		if w, ok := u.Object.(*model.Workload); ok {
			if n := unitName(w.Namespace, w.Kind+"/"+w.Name); by[n] == nil {
				by[n] = u
			}
		}
	}
	return by
}

// newPodNames files the pods by their names.
func (c *Cluster) newPodNames() map[name]*model.Pod {
	by := make(map[name]*model.Pod, len(c.Pods))
	for _, p := range c.Pods {
		if n := (name{p.Namespace, p.Name}); by[n] == nil {
			by[n] = p
		}
	}
	return by
}

func (c *Cluster) newUnits() []*Unit {
	var all []*Unit
	byWorkload := map[[3]string]*Unit{} // namespace, kind in lower case, name
	for _, w := range c.Workloads {
		u := &Unit{Object: w, Namespace: w.Namespace, Labels: w.TemplateLabels, Annotations: w.TemplateAnnotations, Spec: &w.PodSpec}
		byWorkload[[3]string{w.Namespace, strings.ToLower(w.Kind), w.Name}] = u
		all = append(all, u)
	}
	byOwner := map[[2]string]*Unit{} // namespace, owner
	for _, p := range c.Pods {
		if finished(p) {
			continue
		}
		if u := workloadOf(byWorkload, p); u != nil {
			u.Pods = append(u.Pods, p)
			continue
		}
		key := [2]string{p.Namespace, p.Owner}
		if u := byOwner[key]; u != nil && p.Owner != "" {
			u.Pods = append(u.Pods, p)
			continue
		}
		u := &Unit{Object: p, Namespace: p.Namespace, Labels: p.Labels, Annotations: p.Annotations, Spec: &p.PodSpec, Pods: []*model.Pod{p}}
		byOwner[key] = u
		all = append(all, u)
	}
	return slices.Clip(all)
}

// workloadOf finds the workload of a pod. Sources leave out ReplicaSets of a Deployment and Jobs of a CronJob, whose names
// are the owner's with one part added (Kubernetes documentation, "Deployments" and "CronJob", 2026-11).
func workloadOf(by map[[3]string]*Unit, p *model.Pod) *Unit {
	kind, owner, ok := strings.Cut(p.Owner, "/")
	if !ok {
		return nil
	}
	if u := by[[3]string{p.Namespace, kind, owner}]; u != nil {
		return u
	}
	parent := map[string]string{"replicaset": "deployment", "job": "cronjob"}[kind]
	cut := strings.LastIndexByte(owner, '-')
	if parent == "" || cut < 0 {
		return nil
	}
	return by[[3]string{p.Namespace, parent, owner[:cut]}]
}

// finished says whether a pod's containers are gone, and with them what they held.
func finished(p *model.Pod) bool { return p.Phase == "Succeeded" || p.Phase == "Failed" }
