// Command build compiles the lab's programs (etcd, kube-apiserver, kube-controller-manager) from Go modules into a cache
// folder, and with -authenticator aws-iam-authenticator; `make lab` calls it. It only builds: package kube starts them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"drawbridge/internal/lab/kube"
)

func main() {
	withAuthenticator := flag.Bool("authenticator", false, "build aws-iam-authenticator too (1-2 minutes more)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	start := time.Now()
	dir, err := kube.Build(ctx, os.Stdout, *withAuthenticator)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
	fmt.Printf("lab: ready in %s after %s\n", dir, time.Since(start).Round(time.Second))
}
