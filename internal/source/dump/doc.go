// Package dump reads a snapshot from files: snapshots that drawbridge wrote, whatever the AWS command line and kubectl
// printed, and Kubernetes manifests, in any split over files and folders. Files are recognised by what is in them,
// never by their names alone.
//
// It makes no calls and concludes nothing: what is not in the files is a gap or not read. Everything in a file is
// written by somebody else, so no file can make it panic, follow a link out of a folder, or hold more than one value of
// a file in memory. What of a Kubernetes object is kept is decided in package projection alone.
package dump
