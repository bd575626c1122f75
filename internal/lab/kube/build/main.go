// Command build compiles the lab's programs (etcd, kube-apiserver, kube-controller-manager, aws-iam-authenticator and the
// webhook for access policies) from Go modules into a cache folder; `make lab` calls it. It only builds: package kube
// starts them.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"drawbridge/internal/lab/kube"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	start := time.Now()
	dir, err := kube.Build(ctx, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
	fmt.Printf("lab: ready in %s after %s\n", dir, time.Since(start).Round(time.Second))
}
