package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"drawbridge/internal/event"
)

// refusal is why a post is not taken.
type refusal struct {
	status int
	reason string
}

func (r *refusal) Error() string { return r.reason }

func (s *Stream) routes() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("POST /audit", s.serve)
	m.HandleFunc("POST /audit/{cluster...}", s.serve)
	return m
}

// serve takes a post, and answers when it is acknowledged.
func (s *Stream) serve(w http.ResponseWriter, r *http.Request) {
	err := s.take(w, r)
	if err == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	refused, ok := errors.AsType[*refusal](err)
	reason := err.Error()
	if !ok {
		refused = &refusal{http.StatusServiceUnavailable, "not now"}
	}
	if refused.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	if s.o.Report != nil {
		s.o.Report(fmt.Errorf("audit log from %s: %s", r.RemoteAddr, reason))
	}
	http.Error(w, refused.reason, refused.status)
}

func (s *Stream) take(w http.ResponseWriter, r *http.Request) error {
	who, err := s.authenticate(r)
	if err != nil {
		return err
	}
	cluster, err := clusterOf(r.PathValue("cluster"))
	if err != nil {
		return err
	}
	if cluster, err = who.cluster(cluster); err != nil {
		return err
	}
	if s.waiting.Add(1) > maxWaiting {
		s.waiting.Add(-1)
		return &refusal{http.StatusTooManyRequests, "too many posts wait for their answer"}
	}
	defer s.waiting.Add(-1)
	p := &post{cluster: cluster, weight: s.o.MaxBody, answer: make(chan error, 1)}
	zipped := strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip")
	if n := r.ContentLength; n >= 0 && n < p.weight && !zipped {
		p.weight = n
	}
	if !s.held.TryAcquire(p.weight) {
		return &refusal{http.StatusTooManyRequests, "too much waits to be read"}
	}
	if p.body, err = s.read(w, r, zipped); err == nil && !who.any {
		err = owned(p.body, cluster)
	}
	if err != nil {
		s.held.Release(p.weight)
		return err
	}
	return s.wait(r, p)
}

// wait hands a post over, and waits until it is acknowledged.
func (s *Stream) wait(r *http.Request, p *post) error {
	late := time.NewTimer(s.patience)
	defer late.Stop()
	closed := &refusal{http.StatusServiceUnavailable, "closing"}
	slow := &refusal{http.StatusTooManyRequests, "not read in time"}
	select {
	case s.posts <- p:
	case <-late.C:
		s.held.Release(p.weight)
		return slow
	case <-r.Context().Done():
		s.held.Release(p.weight)
		return r.Context().Err()
	case <-s.closing:
		s.held.Release(p.weight)
		return closed
	}
	select {
	case err := <-p.answer:
		return err
	case <-late.C:
		return slow
	case <-r.Context().Done():
		return r.Context().Err()
	case <-s.closing:
		return closed
	}
}

// read returns a post's body, decompressed, if there is a record in it or no text at all.
func (s *Stream) read(w http.ResponseWriter, r *http.Request, zipped bool) ([]byte, error) {
	var in io.Reader = http.MaxBytesReader(w, r.Body, s.o.MaxBody)
	if zipped {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, &refusal{http.StatusBadRequest, "read the body: " + err.Error()}
		}
		in = z
	} else if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, &refusal{http.StatusUnsupportedMediaType, "bodies are plain or gzip"}
	}
	body, err := io.ReadAll(io.LimitReader(in, s.o.MaxBody+1))
	if _, large := errors.AsType[*http.MaxBytesError](err); large || int64(len(body)) > s.o.MaxBody {
		return nil, &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("more than %d bytes", s.o.MaxBody)}
	}
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, "read the body: " + err.Error()}
	}
	d := event.NewDecoder(bytes.NewBuffer(body), event.Options{})
	var e event.Event
	for odd := false; ; {
		err := d.Next(&e)
		_, unparsed := errors.AsType[*event.Unparsed](err)
		if odd = odd || unparsed; unparsed {
			continue
		}
		if err != nil && odd {
			return nil, &refusal{http.StatusBadRequest, "no audit event in the body"}
		}
		return body, nil
	}
}

// clusterForm is that of a cluster's name or ARN (Amazon EKS API Reference, "CreateCluster", 2026-11).
var clusterForm = regexp.MustCompile(`^(arn:aws[a-z-]*:eks:[a-z0-9-]{1,30}:[0-9]{12}:cluster/)?[0-9A-Za-z][A-Za-z0-9_-]{0,99}$`)

// clusterOf returns the cluster that a path names, or "".
func clusterOf(path string) (string, error) {
	if path == "" || clusterForm.MatchString(path) {
		return path, nil
	}
	return "", &refusal{http.StatusNotFound, "the path is /audit/CLUSTER, with a cluster's name or ARN"}
}
