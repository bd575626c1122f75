package plan

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// changes is the closed set: a change is called in JSON as its type is here.
var changes = []Change{
	CreateAccessEntry{},
	UpdateAccessEntry{},
	DeleteAccessEntry{},
	AssociateAccessPolicy{},
	DisassociateAccessPolicy{},
	SetAuthenticationMode{},
	UpdateClusterLogging{},
	SetLogRetention{},
	CreatePodIdentityAssociation{},
	UpdatePodIdentityAssociation{},
	DeletePodIdentityAssociation{},
	RemoveAWSAuthRow{},
	PutAWSAuth{},
	CreateBinding{},
	DeleteBinding{},
	AddSubject{},
	RemoveSubject{},
	PutRoleRules{},
	CreateServiceAccount{},
	DeleteServiceAccount{},
	AnnotateServiceAccount{},
	UnannotateServiceAccount{},
	SetAutomount{},
	AttachPolicy{},
	DetachPolicy{},
	PutInlinePolicy{},
	DeleteInlinePolicy{},
	UpdateTrustPolicy{},
}

// Changes returns an empty change of every type there is.
func Changes() []Change { return slices.Clone(changes) }

// Action is the name of a change's type, which is its action in JSON.
func Action(c Change) string { return reflect.TypeOf(c).Name() }

// Encode writes a change as JSON: an object with its name as action and its fields, the same bytes for the same change.
func Encode(c Change) ([]byte, error) {
	fields, err := json.Marshal(c, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return nil, fmt.Errorf("encode change %T: %w", c, err)
	}
	head := `{"action":` + strconv.Quote(Action(c)) + ","
	return append([]byte(head), fields[1:]...), nil
}

// Decode reads a change that Encode wrote. Actions and fields that it does not know are errors: half a change is none.
func Decode(b []byte) (Change, error) {
	var fields map[string]jsontext.Value
	if err := json.Unmarshal(b, &fields); err != nil {
		return nil, fmt.Errorf("decode change: %w", err)
	}
	var name string
	if err := json.Unmarshal(fields["action"], &name); err != nil {
		return nil, fmt.Errorf("decode change: action: %w", err)
	}
	delete(fields, "action")
	rest, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("decode change %s: %w", name, err)
	}
	for _, c := range changes {
		if Action(c) != name {
			continue
		}
		v := reflect.New(reflect.TypeOf(c))
		if err := json.Unmarshal(rest, v.Interface(), json.RejectUnknownMembers(true)); err != nil {
			return nil, fmt.Errorf("decode change %s: %w", name, err)
		}
		return v.Elem().Interface().(Change), nil
	}
	return nil, fmt.Errorf("decode change: %q is no change", name)
}

// Render writes the plan as results hold it: each step with its change, its text, and whether it can be undone, which depends
// on the snapshot that the plan starts from. The error names the step that does not fit.
func (p Plan) Render(before *model.Snapshot) (*finding.Plan, error) {
	out := &finding.Plan{Steps: make([]finding.Step, len(p))}
	for i, c := range p {
		_, err := c.Inverse(before)
		stuck, irreversible := errors.AsType[*Irreversible](err)
		if err != nil && !irreversible {
			return nil, fmt.Errorf("step %d, %s: %w", i+1, c, err)
		}
		text, err := Encode(c)
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", i+1, err)
		}
		d := c.details()
		step := finding.Step{
			ID: strconv.Itoa(i + 1), Text: c.String(), Change: text, Target: d.target, Reversible: !irreversible,
			Precondition: d.precondition, Verify: d.verify,
		}
		if irreversible {
			step.Irreversible = stuck.Why
		}
		out.Steps[i] = step
		if i+1 == len(p) {
			break
		}
		if i == 0 {
			before = fork(before)
		}
		if err := c.Apply(before); err != nil {
			return nil, fmt.Errorf("step %d, %s: %w", i+1, c, err)
		}
	}
	return out, nil
}

// Read reads a plan from a result.
func Read(p *finding.Plan) (Plan, error) {
	out := make(Plan, len(p.Steps))
	for i, s := range p.Steps {
		c, err := Decode(s.Change)
		if err != nil {
			return nil, fmt.Errorf("step %s: %w", s.ID, err)
		}
		out[i] = c
	}
	return out, nil
}
