// Package kube reads the identity state of a cluster from its Kubernetes API, with get and list and nothing else: its
// HTTP transport refuses every other request. Secrets are never asked for, and of ConfigMaps only aws-auth.
//
// What it may not read becomes a gap, and the rest goes on. It knows nothing of AWS but the names in a kubeconfig. It
// may import client-go; what is kept of an object is decided by package projection.
package kube
