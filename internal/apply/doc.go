// Package apply carries out plans: it is the only package of drawbridge that writes to AWS or Kubernetes. Each change is one
// call. Before it, the objects that the change touches are read again and the change is held against them; what undoes it is
// on disk, in the journal, before the call is made; after it they are read until they are as the plan said. Whatever is
// unexpected stops the run. A run that was stopped or killed is resumed, or undone, from its journal.
//
// It decides nothing: what should change, and whether it may, is for package plan and its users. It may import the AWS SDK
// and client-go.
package apply
