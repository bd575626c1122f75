package projection

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"drawbridge/internal/model"
)

// Deployment keeps the template of a Deployment's pods.
func Deployment(d *appsv1.Deployment) *model.Workload {
	return workload("Deployment", d, &d.Spec.Template)
}

// DaemonSet keeps the template of a DaemonSet's pods.
func DaemonSet(d *appsv1.DaemonSet) *model.Workload {
	return workload("DaemonSet", d, &d.Spec.Template)
}

// StatefulSet keeps the template of a StatefulSet's pods.
func StatefulSet(s *appsv1.StatefulSet) *model.Workload {
	return workload("StatefulSet", s, &s.Spec.Template)
}

// ReplicaSet keeps the template of a ReplicaSet's pods; see [Controlled] for those of a Deployment.
func ReplicaSet(r *appsv1.ReplicaSet) *model.Workload {
	return workload("ReplicaSet", r, &r.Spec.Template)
}

// ReplicationController keeps the template of a ReplicationController's pods.
func ReplicationController(r *corev1.ReplicationController) *model.Workload {
	return workload("ReplicationController", r, r.Spec.Template)
}

// Job keeps the template of a Job's pods; see [Controlled] for those of a CronJob.
func Job(j *batchv1.Job) *model.Workload { return workload("Job", j, &j.Spec.Template) }

// CronJob keeps the template of the pods of a CronJob's jobs.
func CronJob(c *batchv1.CronJob) *model.Workload {
	return workload("CronJob", c, &c.Spec.JobTemplate.Spec.Template)
}

func workload(kind string, o metav1.Object, t *corev1.PodTemplateSpec) *model.Workload {
	w := &model.Workload{Meta: meta(o), Kind: kind}
	if t != nil {
		w.TemplateLabels = internMap(t.Labels)
		w.TemplateAnnotations = annotations(t.Annotations)
		w.PodSpec = podSpec(&t.Spec)
	}
	return w
}
