// Package kube starts a real Kubernetes control plane on loopback: etcd, kube-apiserver and, where asked for,
// kube-controller-manager, built from Go modules by the command in the folder build.
//
// It is the Kubernetes half of the lab, for tests and drills. It is not a whole cluster: there is no scheduler, no
// kubelet and no network, so pods are objects and nothing ever runs in them. [Cluster.InstallEKS] puts into it what an
// EKS cluster is known to contain; what nobody published is left out, not invented.
//
// The package needs a Unix system. It may import client-go and the operating system; no product package may import it.
package kube
