// Command accesspolicy decides as the authorizer of EKS access policies does, by Kubernetes' own RBAC authorizer: the
// rules that AWS publishes become ClusterRoles, what an access entry is associated with becomes bindings to them, and the
// subject is the unique id of the IAM principal, as in the reasons that EKS writes into its audit log.
//
// It is what drawbridge is compared with, so it is a program of its own, in a module that cannot import drawbridge: the
// published rules are all that it shares with it, as data.
package main

import (
	"flag"
	"log"
	"net/http"
	"os"
)

func main() {
	address := flag.String("address", "", "where to listen")
	certificate := flag.String("certificate", "", "file of the server's certificate")
	key := flag.String("key", "", "file of its key")
	published := flag.String("published", "", "file of the published rules")
	associations := flag.String("associations", "", "file of the associations")
	flag.Parse()
	rules, err := os.ReadFile(*published)
	if err != nil {
		log.Fatal(err)
	}
	list, err := os.ReadFile(*associations)
	if err != nil {
		log.Fatal(err)
	}
	w, err := newWebhook(rules, list)
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/authorize", w)
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	log.Fatal(http.ListenAndServeTLS(*address, *certificate, *key, nil))
}
