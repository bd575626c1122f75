package apply

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// format is the version of journals that this drawbridge writes and reads.
const format = "drawbridge.journal/v1"

// record is one line of a journal. The first is of the kind begin.
type record struct {
	Kind recordKind `json:"record"`
	Time time.Time  `json:"time"`

	// Of begin: what is to be done, and where.
	Format  string           `json:"format,omitzero"`
	ID      string           `json:"id,omitzero"`
	Cluster string           `json:"cluster,omitzero"`
	System  string           `json:"system,omitzero"` // uid of the namespace kube-system, which is the cluster's own
	Plan    []jsontext.Value `json:"plan,omitzero"`
	// Final says that changes that cannot be undone were agreed to.
	Final bool `json:"final,omitzero"`

	task
	// Of intent: what was read before, what undoes the change, or why nothing does.
	Before       jsontext.Value   `json:"before,omitzero"`
	Backup       []jsontext.Value `json:"backup,omitzero"`
	Irreversible string           `json:"irreversible,omitzero"`
	// Of verified: the version in which aws-auth was left.
	Version string `json:"version,omitzero"`
}

type recordKind string

const (
	begin    recordKind = "begin"
	intent   recordKind = "intent"
	done     recordKind = "done"
	verified recordKind = "verified"
	undo     recordKind = "undo"  // from here on the run is undone
	never    recordKind = "never" // the step was intended, and did not happen
)

// task is a step of the plan, or a part of what undoes one; both count from 1.
type task struct {
	Step int `json:"step,omitzero"`
	Undo int `json:"undo,omitzero"`
}

// line is a record with a sum over it and all before it, so that a journal that was altered is not taken for one.
type line struct {
	Sum    string         `json:"sum"`
	Record jsontext.Value `json:"record"`
}

func chain(before string, text []byte) string {
	sum := sha256.Sum256(append([]byte(before+"\n"), text...))
	return hex.EncodeToString(sum[:])
}

// sink is where a journal is written.
type sink interface {
	io.Writer
	Sync() error
}

// journal is the file of a run, open for writing, with what it holds.
type journal struct {
	file  *os.File
	out   sink
	sum   string
	now   func() time.Time
	plan  plan.Plan
	first record
	tasks map[task]*progress
	// undoing says that the run is being undone.
	undoing bool
	// version is that in which the run left aws-auth, "" if it has not touched it.
	version string
	// broken is the error after which nothing more is written: the end of the file is not known.
	broken error
}

// progress is what a journal says of a task.
type progress struct {
	before                jsontext.Value // read when it is asked for
	backup                plan.Plan
	irreversible          string
	done, verified, never bool
}

// snapshot is what was read before the task.
func (p *progress) snapshot() (*model.Snapshot, error) {
	s, err := model.Read(bytes.NewReader(p.before))
	if err != nil {
		return nil, fmt.Errorf("journal: what was read before the step: %w", err)
	}
	return s, nil
}

// createJournal makes the journal of a run, whole or not at all: a file of that name that is there already stays as it is.
func createJournal(path string, p plan.Plan, first record, o *Options) (*journal, error) {
	first.Kind, first.Format, first.ID, first.Time = begin, format, rand.Text(), o.Now().UTC()
	var err error
	if first.Plan, err = encode(p); err != nil {
		return nil, err
	}
	text, sum, err := write(first, "")
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // 0600
	if err != nil {
		return nil, fmt.Errorf("create journal: %w", err)
	}
	defer os.Remove(f.Name())
	out := o.sink(f)
	for _, step := range []func() error{func() error { return store(out, text) }, func() error { return lockFile(f) }, func() error { return publish(f.Name(), path) }} {
		if err := step(); err != nil {
			return nil, errors.Join(fmt.Errorf("create journal %s: %w", path, err), f.Close())
		}
	}
	return &journal{file: f, out: out, sum: sum, now: o.Now, plan: p, first: first, tasks: map[task]*progress{}}, nil
}

// publish gives a file its name, unless there is one of that name, and makes that last.
func publish(from, to string) error {
	if err := os.Link(from, to); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(to))
}

// openJournal opens the journal of an earlier run. What a crash has left half-written at its end is cut off.
func openJournal(path string, o *Options) (*journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("journal %s: %w", path, err), f.Close())
	}
	j := &journal{file: f, out: o.sink(f), now: o.Now, tasks: map[task]*progress{}}
	end, err := j.load(f)
	if err == nil {
		err = f.Truncate(end)
	}
	if err == nil {
		_, err = f.Seek(end, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("journal %s: %w", path, err), f.Close())
	}
	return j, nil
}

// readJournal reads a journal without a lock, while a run may be writing it.
func readJournal(path string) (*journal, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	defer f.Close()
	j := &journal{tasks: map[task]*progress{}}
	if _, err := j.load(f); err != nil {
		return nil, fmt.Errorf("journal %s: %w", path, err)
	}
	return j, nil
}

// load reads the records and returns where the last whole one ends.
func (j *journal) load(r io.Reader) (end int64, err error) {
	in := bufio.NewReader(r)
	for n := 1; ; n++ {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			if n == 1 {
				return 0, errors.New("it is no journal: it has no whole line")
			}
			return end, nil // what follows the last line end was being written when the run ended
		}
		if err != nil {
			return 0, err
		}
		if err := j.take(text); err != nil {
			return 0, fmt.Errorf("line %d: %w", n, err)
		}
		end += int64(len(text))
	}
}

func (j *journal) take(text []byte) error {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return fmt.Errorf("it is not as drawbridge wrote it: %w", err)
	}
	if j.sum = chain(j.sum, l.Record); l.Sum != j.sum {
		return errors.New("it is not as drawbridge wrote it: it was altered, or lines before it were")
	}
	var r record
	if err := json.Unmarshal(l.Record, &r, json.RejectUnknownMembers(true)); err != nil {
		return err
	}
	return j.learn(r)
}

// learn takes note of a record.
func (j *journal) learn(r record) error {
	if (r.Kind == begin) != (j.first.Kind == "") {
		return errors.New("a journal has one beginning")
	}
	p := j.tasks[r.task]
	if (r.Kind == done || r.Kind == verified || r.Kind == never) && p == nil {
		return fmt.Errorf("step %d was not intended", r.Step)
	}
	var err error
	switch r.Kind {
	case begin:
		if r.Format != format {
			return fmt.Errorf("it is of format %q, this drawbridge reads %s", r.Format, format)
		}
		j.first = r
		j.plan, err = decode(r.Plan)
	case intent:
		p = &progress{before: r.Before, irreversible: r.Irreversible}
		j.tasks[r.task] = p
		p.backup, err = decode(r.Backup)
	case done:
		p.done = true
	case verified:
		p.verified = true
		if r.Version != "" {
			j.version = r.Version
		}
	case never:
		p.never = true
	case undo:
		j.undoing = true
	default:
		err = fmt.Errorf("record %q is not known", r.Kind)
	}
	if r.Step < 0 || r.Step > len(j.plan) {
		return fmt.Errorf("the plan has no step %d", r.Step)
	}
	return err
}

// add writes a record to disk, for good, before it returns. After an error nothing is written any more: what the file ends with
// is known again when it is opened the next time.
func (j *journal) add(r record) error {
	if j.broken != nil {
		return j.broken
	}
	r.Time = j.now().UTC()
	text, sum, err := write(r, j.sum)
	if err != nil {
		return err
	}
	if err := store(j.out, text); err != nil {
		j.broken = fmt.Errorf("write journal: %w", err)
		return j.broken
	}
	j.sum = sum
	return j.learn(r)
}

func store(out sink, text []byte) error {
	if _, err := out.Write(text); err != nil {
		return err
	}
	return out.Sync()
}

func write(r record, before string) (text []byte, sum string, err error) {
	body, err := json.Marshal(r, json.Deterministic(true))
	if err != nil {
		return nil, "", fmt.Errorf("encode journal: %w", err)
	}
	sum = chain(before, body)
	text, err = json.Marshal(line{sum, body})
	return append(text, '\n'), sum, err
}

func (j *journal) close() error { return j.file.Close() }

func encode(p plan.Plan) ([]jsontext.Value, error) {
	out := make([]jsontext.Value, len(p))
	for i, c := range p {
		text, err := plan.Encode(c)
		if err != nil {
			return nil, err
		}
		if bytes.ContainsRune(text, utf8.RuneError) {
			return nil, fmt.Errorf("%s: it holds text that is not UTF-8", c)
		}
		out[i] = text
	}
	return out, nil
}

func decode(texts []jsontext.Value) (plan.Plan, error) {
	out := make(plan.Plan, len(texts))
	for i, text := range texts {
		c, err := plan.Decode(text)
		if err != nil {
			return nil, err
		}
		out[i] = c
	}
	return out, nil
}

// snapshotText is a snapshot on one line.
func snapshotText(s *model.Snapshot) (jsontext.Value, error) {
	var b bytes.Buffer
	if err := model.Write(&b, s); err != nil {
		return nil, err
	}
	v := jsontext.Value(b.Bytes())
	return v, v.Compact()
}
