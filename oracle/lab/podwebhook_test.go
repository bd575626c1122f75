package oracle

import (
	"encoding/json"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
)

// podWebhook is a stand-in for EKS' pod identity webhook: what it puts into pods is what that does
// (amazon-eks-pod-identity-webhook, pkg/handler, 2026-08). Who gets what, the site's lists say.
func (s *site) podWebhook() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Request == nil {
			http.Error(w, "no review", http.StatusBadRequest)
			return
		}
		answer := &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		var pod corev1.Pod
		if json.Unmarshal(review.Request.Object.Raw, &pod) == nil {
			account := review.Request.Namespace + "/" + pod.Spec.ServiceAccountName
			if patch := inject(&pod, s.associated[account], s.irsa[account]); patch != nil {
				kind := admissionv1.PatchTypeJSONPatch
				answer.PatchType, answer.Patch = &kind, patch
			}
		}
		review.Response, review.Request = answer, nil
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(&review)
	})
}

// inject is the patch for a pod, nil if it gets nothing.
func inject(pod *corev1.Pod, associated bool, role string) []byte {
	volume, audience, file := "aws-iam-token", "sts.amazonaws.com", "token"
	mount := "/var/run/secrets/eks.amazonaws.com/serviceaccount"
	env := []corev1.EnvVar{{Name: "AWS_REGION", Value: region}, {Name: "AWS_ROLE_ARN", Value: role}, {Name: "AWS_WEB_IDENTITY_TOKEN_FILE", Value: mount + "/token"}}
	switch {
	case associated:
		volume, audience, file = "eks-pod-identity-token", "pods.eks.amazonaws.com", "eks-pod-identity-token"
		mount = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"
		env = []corev1.EnvVar{{Name: "AWS_REGION", Value: region}, {Name: "AWS_CONTAINER_CREDENTIALS_FULL_URI", Value: "http://169.254.170.23/v1/credentials"}, {Name: "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Value: mount + "/eks-pod-identity-token"}}
	case role == "":
		return nil
	}
	seconds := int64(86400)
	spec := pod.Spec.DeepCopy()
	spec.Volumes = append(spec.Volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: audience, ExpirationSeconds: &seconds, Path: file}}},
	}}})
	for i := range spec.Containers {
		c := &spec.Containers[i]
		c.Env = append(c.Env, env...)
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: mount, ReadOnly: true})
	}
	patch, err := json.Marshal([]map[string]any{{"op": "replace", "path": "/spec", "value": spec}})
	if err != nil {
		return nil
	}
	return patch
}
