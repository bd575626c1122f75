// Package oracle compares internal/authenticator with the real aws-iam-authenticator.
//
// It is a module of its own because the authenticator is built with older Kubernetes and AWS
// libraries than drawbridge. It holds the reference side, which oracle/migrate asks too, and tests.
package oracle
