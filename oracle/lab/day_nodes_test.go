package oracle

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"drawbridge/internal/lab/kube"
)

func (d *day) nodesJoin() {
	for i := range nodeCount - 1 {
		d.join(i)
	}
}

// join is what the kubelet of a new node does, and EKS for it.
func (d *day) join(i int) {
	c := client(d, d.kubelet(d, i))
	n := kube.Node(i, "general")
	n.Status.DaemonEndpoints.KubeletEndpoint.Port = kubeletPort
	made, err := c.CoreV1().Nodes().Create(d.Context(), n, metav1.CreateOptions{})
	d.must(err)
	made.Status = n.Status
	_, err = c.CoreV1().Nodes().UpdateStatus(d.Context(), made, metav1.UpdateOptions{})
	d.must(err)
	holder, seconds := n.Name, int32(40)
	leases := c.CoordinationV1().Leases("kube-node-lease")
	lease, err := leases.Create(d.Context(), &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: n.Name}, Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds}}, metav1.CreateOptions{})
	d.must(err)
	for range 3 {
		now := metav1.NowMicro()
		lease.Spec.RenewTime = &now
		lease, err = leases.Update(d.Context(), lease, metav1.UpdateOptions{})
		d.must(err)
	}
	_, err = c.StorageV1().CSINodes().Create(d.Context(), &storagev1.CSINode{ObjectMeta: metav1.ObjectMeta{Name: n.Name}}, metav1.CreateOptions{})
	d.must(err)
	for _, path := range []string{"/api/v1/services", "/api/v1/pods?fieldSelector=spec.nodeName%3D" + n.Name, "/apis/node.k8s.io/v1/runtimeclasses", "/apis/storage.k8s.io/v1/csidrivers"} {
		d.must(c.CoreV1().RESTClient().Get().RequestURI(path).Do(d.Context()).Error())
	}
	d.servingCertificate(c, n)
	manager := d.as("NodeManager", "3456789012")
	_, err = manager.CoreV1().Nodes().Get(d.Context(), n.Name, metav1.GetOptions{})
	d.must(err)
	d.joined = append(d.joined, c)
}

// servingCertificate is asked for by the kubelet, approved by EKS and signed by the controller.
func (d *day) servingCertificate(c kubernetes.Interface, n *corev1.Node) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	d.must(err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "system:node:" + n.Name, Organization: []string{"system:nodes"}}, DNSNames: []string{n.Name}}, key)
	d.must(err)
	csr, err := c.CertificatesV1().CertificateSigningRequests().Create(d.Context(), &certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{GenerateName: "csr-"}, Spec: certificatesv1.CertificateSigningRequestSpec{
		Request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), SignerName: certificatesv1.KubeletServingSignerName,
		Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth},
	}}, metav1.CreateOptions{})
	d.must(err)
	eks := d.as("CertificateController", "4567890123").CertificatesV1().CertificateSigningRequests()
	csr.Status.Conditions = append(csr.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "AutoApproved"})
	_, err = eks.UpdateApproval(d.Context(), csr.Name, csr, metav1.UpdateOptions{})
	d.must(err)
	d.await(d.T, "the certificate", func() bool {
		signed, err := c.CertificatesV1().CertificateSigningRequests().Get(d.Context(), csr.Name, metav1.GetOptions{})
		return err == nil && len(signed.Status.Certificate) > 0
	})
}

// work is one round of the scheduler and of the kubelets over all pods.
func (d *day) work() {
	d.Helper()
	pods, err := d.kube.Admin.CoreV1().Pods("").List(d.Context(), metav1.ListOptions{})
	d.must(err)
	for i := range pods.Items {
		p := &pods.Items[i]
		switch {
		case p.Spec.NodeName == "" && p.DeletionTimestamp == nil:
			to := kube.Node(i%len(d.joined), "").Name
			if a := p.Spec.Affinity; a != nil && a.NodeAffinity != nil && a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil { // of a DaemonSet's
				for _, term := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
					for _, f := range term.MatchFields {
						to = f.Values[0]
					}
				}
			}
			d.gone(d.scheduler.CoreV1().Pods(p.Namespace).Bind(d.Context(), &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: p.Name, UID: p.UID}, Target: corev1.ObjectReference{Kind: "Node", Name: to}}, metav1.CreateOptions{}))
		case p.DeletionTimestamp != nil:
			if c := d.kubeletOf(p); c != nil {
				now := int64(0)
				d.gone(c.CoreV1().Pods(p.Namespace).Delete(d.Context(), p.Name, metav1.DeleteOptions{GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &p.UID}}))
			}
		case p.Status.Phase == corev1.PodPending:
			if c := d.kubeletOf(p); c != nil {
				d.run(c, p, i)
			}
		}
	}
}

// gone is no error where somebody was faster.
func (d *day) gone(err error) {
	d.Helper()
	terminating := apierrors.IsForbidden(err) && strings.Contains(err.Error(), "being terminated")
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) && !terminating {
		d.Fatal(err)
	}
}

func (d *day) kubeletOf(p *corev1.Pod) kubernetes.Interface {
	for i, c := range d.joined {
		if kube.Node(i, "").Name == p.Spec.NodeName {
			return c
		}
	}
	return nil
}

// run is what a kubelet does for a new pod: its tokens, its configuration, its status.
func (d *day) run(c kubernetes.Interface, p *corev1.Pod, i int) {
	core := c.CoreV1()
	_, err := core.ConfigMaps(p.Namespace).Get(d.Context(), "kube-root-ca.crt", metav1.GetOptions{})
	if apierrors.IsForbidden(err) {
		return // the authorizer has not seen the pod yet
	}
	d.gone(err)
	for _, v := range p.Spec.Volumes {
		if v.Projected == nil {
			continue
		}
		for _, s := range v.Projected.Sources {
			if s.ServiceAccountToken == nil {
				continue
			}
			request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: s.ServiceAccountToken.ExpirationSeconds, BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: p.Name, UID: p.UID}}}
			if a := s.ServiceAccountToken.Audience; a != "" {
				request.Spec.Audiences = []string{a}
			}
			got, err := core.ServiceAccounts(p.Namespace).CreateToken(d.Context(), p.Spec.ServiceAccountName, request, metav1.CreateOptions{})
			if d.gone(err); err != nil {
				return // the pod went
			}
			if s.ServiceAccountToken.Audience == "" {
				d.tokens[p.Namespace+"/"+p.Spec.ServiceAccountName] = got.Status.Token
			}
		}
	}
	phase, ready := "Running", `,"conditions":[{"type":"Ready","status":"True"}]`
	if p.Spec.RestartPolicy == corev1.RestartPolicyNever {
		phase, ready = "Succeeded", ""
	}
	status := fmt.Sprintf(`{"status":{"phase":%q,"podIP":"10.1.0.%d","podIPs":[{"ip":"10.1.0.%d"}],"startTime":%q%s}}`, phase, i%250+1, i%250+1, time.Now().UTC().Format(time.RFC3339), ready)
	_, err = core.Pods(p.Namespace).Patch(d.Context(), p.Name, types.StrategicMergePatchType, []byte(status), metav1.PatchOptions{}, "status")
	d.gone(err)
}

// inPod is a client with the token that a kubelet got for a service account's pod.
func (d *day) inPod(account string) kubernetes.Interface {
	d.Helper()
	token := d.tokens[account]
	if token == "" {
		d.Fatalf("no kubelet has a token of %s", account)
	}
	return client(d, &rest.Config{Host: d.kube.URL, TLSClientConfig: rest.TLSClientConfig{CAData: d.kube.CA}, BearerToken: token, QPS: -1})
}

func (d *day) nodeReplaced() {
	ops := d.as("Ops", "carol@example.com")
	old := kube.Node(0, "").Name
	d.join(nodeCount - 1)
	_, err := ops.CoreV1().Nodes().Patch(d.Context(), old, types.StrategicMergePatchType, []byte(`{"spec":{"unschedulable":true}}`), metav1.PatchOptions{})
	d.must(err)
	pods, err := ops.CoreV1().Pods("").List(d.Context(), metav1.ListOptions{FieldSelector: "spec.nodeName=" + old})
	d.must(err)
	for _, p := range pods.Items {
		if len(p.OwnerReferences) > 0 && p.OwnerReferences[0].Kind == "DaemonSet" {
			continue
		}
		err := ops.PolicyV1().Evictions(p.Namespace).Evict(d.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name}})
		if !apierrors.IsTooManyRequests(err) {
			d.gone(err)
		}
	}
	d.settled("shop")
}
