// Command drawbridge secures the identity of Amazon EKS clusters in both directions. See README.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"drawbridge/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	code := cli.Main(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
