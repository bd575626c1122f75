package finding

import "encoding/json"

// Plan is changes in the order in which they are to be made, as results show them.
type Plan struct {
	Steps []Step `json:"steps"`
}

// Step is one change: one call of an API of AWS or Kubernetes.
type Step struct {
	ID   string `json:"id"`
	Text string `json:"text"`
	// Change is the change for programs: its name as action, and its fields.
	Change json.RawMessage `json:"change"`
	Target Target          `json:"target"`
	// Reversible says whether another change undoes it; Irreversible says why none does.
	Reversible   bool   `json:"reversible"`
	Irreversible string `json:"irreversible,omitempty"`
	// Precondition is what must be so before the step, in words.
	Precondition string `json:"precondition"`
	// Verify is a command that shows whether it has happened.
	Verify string `json:"verify"`
}

// Target is the object that a change alters, and its cluster: the ARN, or the name where there is none. What is altered in IAM
// has no cluster.
type Target struct {
	Cluster string `json:"cluster,omitempty"`
	Subject
}
