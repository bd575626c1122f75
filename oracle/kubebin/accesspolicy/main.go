// Command accesspolicy decides as the authorizer of EKS access policies does, by Kubernetes' own RBAC authorizer: the
// rules that AWS publishes become ClusterRoles, what an access entry is associated with becomes bindings to them, and the
// subject is the unique id of the IAM principal, as in the reasons that EKS writes into its audit log.
//
// It is what drawbridge is compared with, so it is a program of its own, in a module that cannot import drawbridge: the
// published rules are all that it shares with it, as data.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"

	authorizationv1 "k8s.io/api/authorization/v1"

	"drawbridge/oracle/kubebin/accesspolicy/decide"
)

func main() {
	address := flag.String("address", "", "where to listen")
	certificate := flag.String("certificate", "", "file of the server's certificate")
	key := flag.String("key", "", "file of its key")
	published := flag.String("published", "", "file of the published rules")
	associations := flag.String("associations", "", "file of the associations")
	flag.Parse()
	w, err := read(*published, *associations)
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/authorize", w)
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	log.Fatal(http.ListenAndServeTLS(*address, *certificate, *key, nil))
}

// webhook answers SubjectAccessReviews.
type webhook struct{ *decide.Authorizer }

// read reads the table of published rules and the associations of one cluster, both JSON.
func read(published, associations string) (webhook, error) {
	text, err := os.ReadFile(published)
	if err != nil {
		return webhook{}, err
	}
	rules, err := decide.Read(text)
	if err != nil {
		return webhook{}, err
	}
	if text, err = os.ReadFile(associations); err != nil {
		return webhook{}, err
	}
	var list []decide.Association
	if err := json.Unmarshal(text, &list); err != nil {
		return webhook{}, fmt.Errorf("read the associations: %w", err)
	}
	return webhook{decide.New(rules, list)}, nil
}

// ServeHTTP answers one SubjectAccessReview. Who asks is told by the unique id that the authenticator adds, never by the
// username, which an access entry may choose.
func (w webhook) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	var review authorizationv1.SubjectAccessReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	review.Status = authorizationv1.SubjectAccessReviewStatus{}
	if ids := review.Spec.Extra["principalId"]; len(ids) == 1 {
		review.Status.Allowed, review.Status.Reason = w.Allows(r.Context(), ids[0], review.Spec)
	}
	rw.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(rw).Encode(review); err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
	}
}
