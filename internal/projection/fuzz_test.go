package projection

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// FuzzPod projects whatever decodes as a pod; it must not panic, and a literal value must not be kept.
func FuzzPod(f *testing.F) {
	f.Add([]byte(`{"metadata":{"ownerReferences":[{"controller":true}],"annotations":{"eks.amazonaws.com/":""}},"spec":{"containers":[{"image":"a@:/eks-pod-identity-agent","env":[{"valueFrom":{}}]}],"volumes":[{"projected":{"sources":[{}]}}]}}`))
	f.Add([]byte(`{"spec":{"ephemeralContainers":[{"securityContext":{"windowsOptions":{},"capabilities":{"add":[""]}}}],"os":{}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p corev1.Pod
		if json.Unmarshal(b, &p) != nil {
			return
		}
		for i := range p.Spec.Containers {
			for j := range p.Spec.Containers[i].Env {
				p.Spec.Containers[i].Env[j].Value = "{{value}}"
			}
		}
		kept := Pod(&p)
		for _, c := range kept.Containers {
			for _, e := range c.Env {
				if e.Name == "{{value}}" || e.From == "{{value}}" {
					t.Errorf("value kept in %+v", e)
				}
			}
		}
	})
}

// FuzzNodeClass projects custom resources that follow no schema.
func FuzzNodeClass(f *testing.F) {
	f.Add([]byte(`{"apiVersion":"karpenter.k8s.aws/v1","kind":"EC2NodeClass","metadata":{"name":"x","labels":{"a":1},"ownerReferences":[{"controller":"yes"}]},"spec":{"role":1,"metadataOptions":{"httpPutResponseHopLimit":1e400}}}`))
	f.Add([]byte(`{"apiVersion":"eks.amazonaws.com/v1","kind":"NodeClass","metadata":[],"spec":"x"}`))
	f.Add([]byte(`{"apiVersion":"a/b/c","kind":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var u unstructured.Unstructured
		if json.Unmarshal(b, &u.Object) == nil {
			NodeClass(&u)
		}
	})
}
