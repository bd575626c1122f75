// Package projection turns objects of the Kubernetes API into those of the snapshot. It is the one place that decides
// what of a cluster drawbridge ever keeps: live clusters, raw dumps and manifests all pass through it.
//
// What identity does not need is dropped, and with it whatever could hold a secret: the values of environment
// variables, commands and arguments, probes and hooks, user data, annotations but for an allow-list, and ConfigMaps but
// for aws-auth. Of those that remain, labels (63 characters, meant for selecting), names, image references, paths and
// CEL expressions are kept as written.
//
// It is pure and never panics, whatever the object holds; the object itself must not be nil. Results share memory with
// the objects they are made from. Nothing is concluded here, and defaults that the API server would have set are not
// filled in.
package projection
