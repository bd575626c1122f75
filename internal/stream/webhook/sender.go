package webhook

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"drawbridge/internal/event"
)

// sender is who posts: one that may name any cluster, or one of some clusters.
type sender struct {
	any      bool
	clusters []string // names or ARNs
}

// credential is a line of the file of tokens: a token, before it the cluster that its bearer is bound to, if it is to one.
type credential struct{ cluster, token string }

// credentials reads the file of tokens. Lines that are empty or begin with # say nothing.
func (s *Stream) credentials() ([]credential, error) {
	data, err := os.ReadFile(s.o.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("read the token of senders: %w", err)
	}
	var all []credential
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		switch f := strings.Fields(line); {
		case len(f) == 0 || f[0][0] == '#':
		case len(f) == 1:
			all = append(all, credential{token: f[0]})
		case len(f) == 2 && clusterForm.MatchString(f[0]):
			all = append(all, credential{f[0], f[1]})
		default:
			return nil, fmt.Errorf("read the token of senders: line %d of %s: want a token, or a cluster's name or ARN and a token", n, s.o.TokenFile)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("read the token of senders: %s is empty", s.o.TokenFile)
	}
	return all, nil
}

// authenticate says who posts. That the certificate is of one of the authorities was checked when the connection was made.
func (s *Stream) authenticate(r *http.Request) (sender, error) {
	who := sender{any: true}
	if s.o.TokenFile != "" {
		var err error
		if who, err = s.bearer(r); err != nil {
			return sender{}, err
		}
	}
	if !s.o.ClusterFromCertificate {
		return who, nil
	}
	name := ""
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		name = r.TLS.PeerCertificates[0].Subject.CommonName
	}
	if !clusterForm.MatchString(name) {
		return sender{}, &refusal{http.StatusForbidden, "the common name of the certificate is no cluster"}
	}
	if who.any {
		return sender{clusters: []string{name}}, nil
	}
	who.clusters = slices.DeleteFunc(who.clusters, func(c string) bool { return !same(c, name) })
	return who, nil
}

// bearer is who bears a token. All are compared, and equally long, so that the time tells nothing.
func (s *Stream) bearer(r *http.Request) (sender, error) {
	all, err := s.credentials()
	if err != nil {
		return sender{}, err
	}
	scheme, got, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	have := sha256.Sum256([]byte(got))
	var who sender
	for _, c := range all {
		want := sha256.Sum256([]byte(c.token))
		if subtle.ConstantTimeCompare(have[:], want[:]) != 1 {
			continue
		}
		if c.cluster == "" {
			who.any = true
		} else {
			who.clusters = append(who.clusters, c.cluster)
		}
	}
	if !who.any && len(who.clusters) == 0 || !strings.EqualFold(scheme, "Bearer") {
		return sender{}, &refusal{http.StatusUnauthorized, "no token, or the wrong one"}
	}
	return who, nil
}

// cluster is the one that a post is of, by what its path names, which may be nothing. What the sender is bound to goes before
// what it says: an ARN before a name.
func (w sender) cluster(path string) (string, error) {
	if w.any {
		return path, nil
	}
	if path == "" && len(w.clusters) == 1 {
		return w.clusters[0], nil
	}
	for _, c := range w.clusters {
		if same(c, path) {
			return c, nil
		}
	}
	return "", &refusal{http.StatusForbidden, "the sender is bound to another cluster"}
}

// same says whether what names a cluster names the one that a sender is bound to: equal, or the name of an ARN. A name does not
// stand for an ARN: clusters of other accounts have it too.
func same(bound, said string) bool {
	return bound == said || said != "" && strings.HasPrefix(bound, "arn:") && strings.HasSuffix(bound, ":cluster/"+said)
}

// owned refuses a body with anything that is not an audit event of the cluster: bodies in other shapes name clusters themselves, and
// CloudTrail's records accounts.
func owned(body []byte, cluster string) error {
	d := event.NewDecoder(bytes.NewBuffer(body), event.Options{Cluster: cluster})
	own := event.ParseCluster(cluster)
	var e event.Event
	for {
		err := d.Next(&e)
		if _, unparsed := errors.AsType[*event.Unparsed](err); unparsed {
			continue
		}
		if err != nil {
			return nil
		}
		if e.Plane() != event.Kubernetes || e.Cluster() != own {
			return &refusal{http.StatusForbidden, "not only audit events of the cluster that the sender is bound to"}
		}
	}
}
