package kube

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Unreachable is the error of a Kubernetes API that gave no usable answer to any request.
type Unreachable struct {
	// Host is the address of the API server.
	Host string
	// Err is the first request's error.
	Err error
}

// Error says what was tried, what came of it and what to try next.
func (u *Unreachable) Error() string {
	return fmt.Sprintf("read the Kubernetes API at %s: %v; %s", u.Host, u.Err, u.hint())
}

// Unwrap returns the first request's error.
func (u *Unreachable) Unwrap() error { return u.Err }

func (u *Unreachable) hint() string {
	_, badCertificate := errors.AsType[*tls.CertificateVerificationError](u.Err)
	switch {
	case apierrors.IsUnauthorized(u.Err):
		return "it does not accept these credentials: renew them, and see whether `kubectl auth whoami` works and the IAM principal has an access entry"
	case strings.Contains(u.Err.Error(), "getting credentials"):
		return "the kubeconfig's credential command did not work: run it by hand, or sign in to AWS again"
	case badCertificate:
		return "the kubeconfig does not fit this server: write it anew with `aws eks update-kubeconfig`"
	case foreign(u.Err):
		return "this is no Kubernetes API server, or a proxy answers in its place: check the server of the kubeconfig's cluster"
	}
	return "check with `kubectl get --raw /version`; a cluster with a private endpoint can be reached only from its network"
}

// unusable returns an error if no result is usable: the first that the caller did not bring about by giving up.
func unusable(host string, results []result) error {
	u := &Unreachable{Host: host}
	for _, r := range results {
		if r.usable() {
			return nil
		}
		if r.err != nil && (u.Err == nil || errors.Is(u.Err, context.Canceled)) {
			u.Err = r.err
		}
	}
	return u
}

// usable says whether a result came from a Kubernetes API server that knows who asks, be it that it forbids. What it
// does not have proves nothing: every web server answers so.
func (r *result) usable() bool {
	if r.err == nil {
		return r.store != nil
	}
	return isStatus(r.err) && !apierrors.IsUnauthorized(r.err) && !foreign(r.err)
}

// isStatus says whether an error is the answer of a server.
func isStatus(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}

// foreign says whether an error was made by the client from an answer that was not in Kubernetes' form.
func foreign(err error) bool {
	return apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}
