package plan

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drawbridge/internal/model"
)

func text(t *rapid.T, s *model.Snapshot) []byte {
	var b bytes.Buffer
	if err := model.Write(&b, s); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestChanges holds every type of change to what Change promises.
func TestChanges(t *testing.T) {
	for _, like := range changes {
		t.Run(reflect.TypeOf(like).Name(), func(t *testing.T) {
			t.Parallel()
			fits, undone := 0, 0
			check := func(t *rapid.T) {
				s := drawSnapshot(t)
				c := drawChange(t, like, s)
				roundTrip(t, c)
				before := text(t, s)
				after, err := Plan{c}.Simulate(s)
				back, backErr := c.Inverse(s)
				if !bytes.Equal(before, text(t, s)) {
					t.Fatalf("%s changed the snapshot that it was simulated on", c)
				}
				if err != nil {
					misfit(t, s, c, err, backErr)
					return
				}
				fits++
				if c.String() == "" || Command(c) == "" || Target(c).Kind == "" || c.details().precondition == "" || c.details().verify == "" {
					t.Fatalf("%#v does not say what it is: %+v", c, c.details())
				}
				if same, err := Equal(s, after); err != nil || same && !onlyServerSet(c) {
					t.Fatalf("%s changes nothing (%v)", c, err)
				}
				if stuck, ok := errors.AsType[*Irreversible](backErr); ok {
					if stuck.Why == "" {
						t.Fatalf("%s cannot be undone, and does not say why", c)
					}
					return
				}
				if backErr != nil {
					t.Fatalf("%s fits but its inverse does not: %v", c, backErr)
				}
				undone++
				thereAndBack(t, s, after, c, back)
			}
			back := reflect.TypeOf(like) != reflect.TypeFor[SetAuthenticationMode]()
			for round := 0; fits < 10 || back && undone < 10; round++ {
				if round == 50 {
					t.Fatalf("%d changes fitted and %d were undone: the test shows nothing", fits, undone)
				}
				rapid.Check(t, check)
			}
		})
	}
}

// misfit looks at a change that does not fit: it says so in one way, and leaves what it was applied to alone.
func misfit(t *rapid.T, s *model.Snapshot, c Change, err, backErr error) {
	if _, ok := errors.AsType[*Unmet](err); !ok {
		t.Fatalf("%s: %v is not an Unmet", c, err)
	}
	if _, ok := errors.AsType[*Unmet](backErr); !ok {
		t.Fatalf("%s does not fit, and its inverse says %v", c, backErr)
	}
	touched := fork(s)
	if c.Apply(touched) == nil || !bytes.Equal(text(t, s), text(t, touched)) {
		t.Fatalf("%s does not fit and changes the snapshot all the same", c)
	}
}

// onlyServerSet says whether a change may concern nothing but what Equal leaves aside.
func onlyServerSet(c Change) bool {
	u, ok := c.(UpdateAccessEntry)
	return ok && u.Username != "" // the default, written out
}

// thereAndBack undoes a change, and undoes that.
func thereAndBack(t *rapid.T, before, after *model.Snapshot, c Change, back Plan) {
	restored, err := back.Simulate(after)
	if err != nil {
		t.Fatalf("%s, undone by %s: %v", c, back, err)
	}
	if same, err := Equal(before, restored); err != nil || !same {
		t.Fatalf("%s, undone by\n%sis not as it was (%v):\n%s", c, back, err, cmp.Diff(string(text(t, settle(before))), string(text(t, settle(restored)))))
	}
	again, err := back.Inverse(after)
	if _, ok := errors.AsType[*Irreversible](err); ok {
		return
	}
	if err != nil {
		t.Fatalf("%s, undone by %s, which has no inverse: %v", c, back, err)
	}
	redone, err := again.Simulate(restored)
	if err != nil {
		t.Fatalf("%s, undone by %s, done again by %s: %v", c, back, again, err)
	}
	if same, err := Equal(after, redone); err != nil || !same {
		t.Fatalf("%s, undone by\n%sand done again by\n%sis another (%v)", c, back, again, err)
	}
}

// roundTrip writes a change as JSON and reads it back.
func roundTrip(t *rapid.T, c Change) {
	b, err := Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(b)
	if err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	if reflect.TypeOf(got) != reflect.TypeOf(c) || got.String() != c.String() || Command(got) != Command(c) {
		t.Fatalf("%#v becomes %#v", c, got)
	}
	if again, err := Encode(got); err != nil || !bytes.Equal(b, again) {
		t.Fatalf("%s becomes %s", b, again)
	}
}

// TestPlan holds plans of several steps to what Plan promises.
func TestPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSnapshot(t)
		var p Plan
		now := s
		for range 30 {
			c := drawChange(t, pick(t, changes), now)
			if next, err := (Plan{c}).Simulate(now); err == nil {
				p, now = append(p, c), next
			}
		}
		before := text(t, s)
		after, err := p.Simulate(s)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text(t, after), text(t, now)) {
			t.Fatal("steps at once come out otherwise than one by one")
		}
		rendered, err := p.Render(s)
		if err != nil {
			t.Fatal(err)
		}
		read, err := Read(rendered)
		if err != nil || read.String() != p.String() {
			t.Fatalf("read %v (%v), rendered %s", read, err, p)
		}
		back, err := p.Inverse(s)
		stuck := false
		for _, step := range rendered.Steps {
			stuck = stuck || !step.Reversible
		}
		if _, irreversible := errors.AsType[*Irreversible](err); irreversible != stuck {
			t.Fatalf("steps say irreversible %t, the plan says %v", stuck, err)
		}
		if !stuck {
			if err != nil {
				t.Fatal(err)
			}
			restored, err := back.Simulate(after)
			if err != nil {
				t.Fatal(err)
			}
			if same, err := Equal(s, restored); err != nil || !same {
				t.Fatalf("%sundone by\n%sis not as it was (%v)", p, back, err)
			}
		}
		if !bytes.Equal(before, text(t, s)) {
			t.Fatal("the snapshot was changed")
		}
	})
}
