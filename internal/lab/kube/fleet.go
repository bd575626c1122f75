package kube

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Fleet is a synthetic population, spread evenly and always the same for the same numbers: namespaces team-0000…,
// service accounts sa-0000…, pods pod-00000… and nodes as an EKS node group has them.
type Fleet struct {
	Namespaces, ServiceAccounts, Pods, Nodes int
	// Annotations returns the annotations of the i-th service account; nil means none.
	Annotations func(i int) map[string]string
	// Running gives the pods the status of a running pod, at the price of a second request each.
	Running bool
}

// Objects returns the fleet's objects, for [Cluster.Load].
func (f Fleet) Objects() []runtime.Object {
	var objects []runtime.Object
	for i := range f.Namespaces {
		objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: f.namespace(i)}})
	}
	for i := range f.Nodes {
		objects = append(objects, Node(i, "fleet"))
	}
	for i := range f.ServiceAccounts {
		sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace(i), Name: fmt.Sprintf("sa-%04d", i)}}
		if f.Annotations != nil {
			sa.Annotations = f.Annotations(i)
		}
		objects = append(objects, sa)
	}
	for i := range f.Pods {
		sa, node := i, ""
		account := "default"
		if f.ServiceAccounts > 0 {
			sa = i % f.ServiceAccounts
			account = fmt.Sprintf("sa-%04d", sa)
		}
		if f.Nodes > 0 {
			node = Node(i%f.Nodes, "fleet").Name
		}
		pod := Pod(f.namespace(sa), fmt.Sprintf("pod-%05d", i), account, node)
		if f.Running {
			pod.Status = Running(i)
		}
		objects = append(objects, pod)
	}
	return objects
}

func (f Fleet) namespace(i int) string {
	if f.Namespaces == 0 {
		return metav1.NamespaceDefault
	}
	return fmt.Sprintf("team-%04d", i%f.Namespaces)
}

// Pod returns a pod with one container, on the node if one is named.
func Pod(namespace, name, serviceAccount, node string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app.kubernetes.io/name": name}},
		Spec: corev1.PodSpec{
			ServiceAccountName: serviceAccount,
			NodeName:           node,
			Containers:         []corev1.Container{{Name: "app", Image: "registry.example.com/app:1.0"}},
		},
	}
}

// Running returns the status of a running pod; i makes its address.
func Running(i int) corev1.PodStatus {
	ip := fmt.Sprintf("10.1.%d.%d", i/250%250, i%250+1)
	return corev1.PodStatus{
		Phase:      corev1.PodRunning,
		PodIP:      ip,
		PodIPs:     []corev1.PodIP{{IP: ip}},
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
	}
}

// Node returns the i-th node of a managed node group, as EKS labels it: the labels of the kubelet on AWS, the provider
// id aws:///<zone>/<instance>, and eks.amazonaws.com/nodegroup (EKS User Guide, "Simplify node lifecycle with managed
// node groups", 2026-11).
func Node(i int, group string) *corev1.Node {
	zone := "us-east-1" + string(rune('a'+i%3))
	name := fmt.Sprintf("ip-10-0-%d-%d.ec2.internal", i/250%250, i%250+1)
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			corev1.LabelHostname:                name,
			corev1.LabelOSStable:                "linux",
			corev1.LabelArchStable:              "amd64",
			corev1.LabelInstanceTypeStable:      "m7i.large",
			corev1.LabelTopologyRegion:          "us-east-1",
			corev1.LabelTopologyZone:            zone,
			"eks.amazonaws.com/nodegroup":       group,
			"eks.amazonaws.com/capacityType":    "ON_DEMAND",
			"eks.amazonaws.com/nodegroup-image": "ami-0123456789abcdef0",
		}},
		Spec: corev1.NodeSpec{ProviderID: fmt.Sprintf("aws:///%s/i-%017x", zone, i+1)},
		Status: corev1.NodeStatus{
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("10.0.%d.%d", i/250%250, i%250+1)},
				{Type: corev1.NodeInternalDNS, Address: name},
			},
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
			NodeInfo:   corev1.NodeSystemInfo{OperatingSystem: "linux", Architecture: "amd64", KubeletVersion: "v1.36.3-eks-0000000"},
		},
	}
}
