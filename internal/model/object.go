package model

import (
	"time"

	"drawbridge/internal/finding"
)

// Object is anything in a snapshot that a finding can be about.
type Object interface {
	// Subject names the object the way results name it.
	Subject() finding.Subject
	// Place is where the object stands in a user's file, or nil.
	Place() *finding.Location
}

// At is the place of an object in a user's file; it is embedded in every object.
type At struct {
	Loc *finding.Location `json:"loc,omitzero"`
}

// Place is where the object stands in a user's file, or nil.
func (a At) Place() *finding.Location { return a.Loc }

// Meta is what drawbridge keeps of a Kubernetes object's metadata. Of annotations only those that bear on identity are
// kept, because others may hold anything.
type Meta struct {
	Namespace   string            `json:"namespace,omitempty"`
	Name        string            `json:"name"`
	UID         string            `json:"uid,omitempty"`
	Created     time.Time         `json:"created,omitzero"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// Owner is the controlling owner, kind/name in lower case ("replicaset/web-5d4"), or "".
	Owner string `json:"owner,omitempty"`
	At
}

func (m Meta) subject(kind string) finding.Subject {
	return finding.Subject{Kind: kind, Namespace: m.Namespace, Name: m.Name}
}
