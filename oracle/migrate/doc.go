// Package oracle holds the proofs of migrations against reality: random clusters are moved from aws-auth to access entries step
// by step, and the real authenticator's mappers, Kubernetes' Node and RBAC authorizers, and the stand-in for access policies are
// asked before and after each phase. What they decide otherwise must be in the proof, and what is in the proof they must decide
// otherwise.
//
// It holds only tests. The parts are asked as libraries, so that there can be thousands of clusters; oracle/lab does the same
// with a few, through a whole control plane and with `--apply`. What EKS makes of an access entry is written down here a second
// time, in eks_test.go, from its documentation.
package oracle
