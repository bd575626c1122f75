package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"drawbridge/internal/access"
	lab "drawbridge/internal/lab/aws"
	"drawbridge/internal/lab/kube"
)

// webhook stands in for the pod identity webhook of EKS: it gives a new pod what its service account's association or
// annotation asks for, the association first (amazon-eks-pod-identity-webhook, pkg/handler, read 2026-11). Of an
// association that is younger than the pod (see createdAnnotation) it knows nothing yet.
type webhook struct {
	cluster      *kube.Cluster
	associations []lab.PodIdentityAssociation
	asked        atomic.Bool
}

func (h *webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.asked.Store(true)
	var review admissionv1.AdmissionReview // v1beta1 has the same members
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Request == nil {
		http.Error(w, "no admission review", http.StatusBadRequest)
		return
	}
	patch, err := h.patch(r, review.Request)
	response := &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: err == nil, Patch: patch}
	if err != nil {
		response.Result = &metav1.Status{Message: err.Error()}
	}
	if patch != nil {
		kind := admissionv1.PatchTypeJSONPatch
		response.PatchType = &kind
	}
	review.Request, review.Response = nil, response
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review) // the API server notices what does not arrive
}

// patch returns the JSON patch for a pod, nil for one that is left alone.
func (h *webhook) patch(r *http.Request, request *admissionv1.AdmissionRequest) ([]byte, error) {
	var pod corev1.Pod
	if err := json.Unmarshal(request.Object.Raw, &pod); err != nil {
		return nil, fmt.Errorf("read a pod: %w", err)
	}
	account, err := h.cluster.Admin.CoreV1().ServiceAccounts(request.Namespace).Get(r.Context(), pod.Spec.ServiceAccountName, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("read the service account of a pod: %w", err)
	}
	born, err := bornAt(&pod)
	if err != nil {
		return nil, err
	}
	switch role := account.Annotations[access.RoleAnnotation]; {
	case h.associated(request.Namespace, account.Name, born):
		inject(&pod.Spec, "eks-pod-identity-token", access.PodIdentityAudience, "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount", "eks-pod-identity-token",
			corev1.EnvVar{Name: "AWS_CONTAINER_CREDENTIALS_FULL_URI", Value: "http://169.254.170.23/v1/credentials"},
			corev1.EnvVar{Name: "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Value: "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token"})
	case role != "":
		audience := account.Annotations[access.AudienceAnnotation]
		if audience == "" {
			audience = access.IRSAAudience
		}
		inject(&pod.Spec, "aws-iam-token", audience, "/var/run/secrets/eks.amazonaws.com/serviceaccount", "token",
			corev1.EnvVar{Name: "AWS_ROLE_ARN", Value: role},
			corev1.EnvVar{Name: "AWS_WEB_IDENTITY_TOKEN_FILE", Value: "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"})
	default:
		return nil, nil
	}
	return json.Marshal([]map[string]any{{"op": "replace", "path": "/spec", "value": pod.Spec}})
}

func (h *webhook) associated(namespace, account string, born time.Time) bool {
	for _, a := range h.associations {
		if a.Namespace == namespace && a.ServiceAccount == account {
			return a.CreatedAt == nil || !born.Before(a.CreatedAt.Time)
		}
	}
	return false
}

// inject adds a projected token and the variables that point to it to every container.
func inject(s *corev1.PodSpec, volume, audience, mount, path string, env ...corev1.EnvVar) {
	lifetime, mode := int64(86400), int32(0o644)
	s.Volumes = append(s.Volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		DefaultMode: &mode,
		Sources:     []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: audience, ExpirationSeconds: &lifetime, Path: path}}},
	}}})
	for _, containers := range [][]corev1.Container{s.InitContainers, s.Containers} {
		for i := range containers {
			c := &containers[i]
			c.Env = append(c.Env, env...)
			c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: mount, ReadOnly: true})
		}
	}
}

// bornAt is the time at which a pod is said to have been made.
func bornAt(p *corev1.Pod) (time.Time, error) {
	text := strings.TrimSpace(p.Annotations[createdAnnotation])
	if text == "" {
		return now.Add(-podAge), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("annotation %s of pod %s/%s%s: %w", createdAnnotation, p.Namespace, p.GenerateName, p.Name, err)
	}
	return t, nil
}
