package model

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// readAhead is more than most sections hold, so that a line is copied once.
const readAhead = 4 << 20

// maxLine bounds one line of a snapshot file: a section holds at most chunk items.
const maxLine = 512 << 20

// headerEnd is how the first line of a snapshot file ends.
var headerEnd = []byte(`,"sections":[`)

// IsSnapshot says whether a file that begins with these bytes claims to be a snapshot of any version.
func IsSnapshot(prefix []byte) bool {
	return bytes.Contains(prefix[:min(len(prefix), 256)], []byte(`"drawbridge.snapshot/`))
}

// Read decodes a snapshot. With areas given only those are decoded, the others are left as not read; without, all are.
// A snapshot of a newer version than Version is refused. Errors name the area or the line.
func Read(r io.Reader, areas ...Area) (*Snapshot, error) {
	return (&decoder{wanted: wantedAreas(areas)}).read(r)
}

// ReadBare is Read with less of each object, several times as fast: who is bound to which rules, what runs as which service
// account, which IAM roles there are. Roles, bindings, service accounts, pods, workloads and IAM roles come with names,
// owners, rules, references, subjects, nodes and projected tokens, and without UIDs, labels, annotations, places,
// containers, Secrets and policies; Kubernetes objects come without times. Other objects are whole.
func ReadBare(r io.Reader, areas ...Area) (*Snapshot, error) {
	return (&decoder{wanted: wantedAreas(areas), bare: true}).read(r)
}

func (d *decoder) read(r io.Reader) (*Snapshot, error) {
	size := readAhead
	if known, ok := r.(interface{ Len() int }); ok { // in memory, and often small
		size = min(size, known.Len())
	}
	in := bufio.NewReaderSize(r, size)
	first, err := readLine(in)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	if head, ok := bytes.CutSuffix(bytes.TrimRight(first, "\r\n"), headerEnd); ok {
		err = d.lines(append(head, '}'), in)
	} else {
		err = d.whole(io.MultiReader(bytes.NewReader(first), in))
	}
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	return d.s, nil
}

func wantedAreas(areas []Area) map[Area]bool {
	if len(areas) == 0 {
		return nil
	}
	wanted := map[Area]bool{}
	for _, a := range areas {
		wanted[a] = true
	}
	return wanted
}

type decoder struct {
	s      *Snapshot
	wanted map[Area]bool // nil is all
	bare   bool
}

func (d *decoder) wants(a Area) bool { return d.wanted == nil || d.wanted[a] }

// header decodes the header and refuses what this drawbridge cannot read.
func (d *decoder) header(b []byte) error {
	var v struct {
		Version string `json:"version"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if err := checkVersion(v.Version); err != nil {
		return err
	}
	var h header
	if err := json.Unmarshal(b, &h); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	for i, c := range h.Clusters {
		if c == nil {
			return fmt.Errorf("header: cluster %d is null", i)
		}
	}
	for i, a := range h.Accounts {
		if a == nil {
			return fmt.Errorf("header: account %d is null", i)
		}
	}
	d.s = &Snapshot{Time: h.Time, Tool: h.Tool, Clusters: h.Clusters, Accounts: h.Accounts, Gaps: h.Gaps}
	return nil
}

func checkVersion(v string) error {
	name, number, ok := strings.Cut(v, "/v")
	switch {
	case !ok || name != "drawbridge.snapshot":
		return fmt.Errorf("version %q is not a snapshot version", v)
	case "drawbridge.snapshot/v"+number == Version:
		return nil
	}
	return fmt.Errorf("the snapshot has version v%s, this drawbridge reads up to %s: use a newer drawbridge", number, strings.TrimPrefix(Version, "drawbridge.snapshot/"))
}

// lines decodes a file as Write wrote it: sections one a line, two at a time; unwanted ones are skipped unparsed.
func (d *decoder) lines(head []byte, in *bufio.Reader) error {
	if err := d.header(head); err != nil {
		return err
	}
	var batch []*job
	closed := false
	for n := 2; ; n++ {
		line, readErr := nextLine(in) // good until the next one is read
		if readErr != nil && !errors.Is(readErr, io.EOF) {
			return fmt.Errorf("line %d: %w", n, readErr)
		}
		line = bytes.TrimSuffix(bytes.TrimRight(line, "\r\n"), []byte(","))
		switch {
		case closed && len(line) > 0:
			return fmt.Errorf("line %d: text after the end of the snapshot", n)
		case bytes.Equal(line, []byte("]}")):
			closed = true
		case len(line) > 0:
			if area, ok := sectionArea(line); ok && !d.wants(area) {
				continue
			}
			j, err := d.prepareLine(line)
			if err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
			batch = append(batch, j...)
		}
		if readErr != nil || len(batch) >= 4 {
			if err := finish(batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
		if readErr != nil {
			break
		}
	}
	if !closed {
		return errors.New("the file ends early: it was cut off while it was written or copied")
	}
	return nil
}

// whole decodes a snapshot that was reformatted, so that its sections are not one a line.
func (d *decoder) whole(r io.Reader) error {
	dec := jsontext.NewDecoder(r)
	if k := dec.PeekKind(); k != '{' {
		return errors.New("not a JSON object")
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	head := []byte("{")
	var sections jsontext.Value
	for dec.PeekKind() == '"' {
		name, err := dec.ReadValue()
		if err != nil {
			return err
		}
		name = bytes.Clone(name)
		value, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if string(name) == `"sections"` {
			sections = bytes.Clone(value)
			continue
		}
		if len(head) > 1 {
			head = append(head, ',')
		}
		head = append(append(append(head, name...), ':'), value...)
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("text after the end of the snapshot")
	}
	if err := d.header(append(head, '}')); err != nil {
		return err
	}
	var list []jsontext.Value
	if err := json.Unmarshal(sections, &list); err != nil && len(sections) > 0 {
		return fmt.Errorf("sections: %w", err)
	}
	for i, raw := range list {
		j, err := d.prepare(raw)
		if err != nil {
			return fmt.Errorf("section %d: %w", i, err)
		}
		if err := finish(j); err != nil {
			return err
		}
	}
	return nil
}

// sectionArea reads the area off the start of a section line without decoding it.
func sectionArea(line []byte) (Area, bool) {
	rest, ok := bytes.CutPrefix(line, []byte(`{"area":"`))
	if !ok {
		return "", false
	}
	area, _, ok := bytes.Cut(rest, []byte(`"`))
	return Area(area), ok
}

// job decodes the items of one section; they are put in place afterwards, in the order of the file.
type job struct {
	area  Area
	text  jsontext.Value
	field reflect.Value // of the snapshot: a slice of items, or the pointer of a single one
	items reflect.Value // decoded: a slice
	// bareLine is the whole line where less of each object will do, bareText its items.
	bareLine, bareText string

	options []json.Options
}

// prepareLine is prepare for a line that Write may have written: in a bare reading nothing is looked at twice.
func (d *decoder) prepareLine(line []byte) ([]*job, error) {
	area, cluster, account, items, ok := sectionOf(line)
	if !d.bare || !ok || bareAreas[area] == nil {
		return d.prepare(bytes.Clone(line))
	}
	jobs, err := d.job(area, cluster, account, nil)
	for _, j := range jobs {
		j.bareLine = string(line)
		j.bareText = j.bareLine[len(line)-len(items)-1 : len(line)-1]
	}
	return jobs, err
}

// prepare finds where the items of a section belong. It returns no job for a section that is not wanted or of an area
// that this version does not know: a later drawbridge may have written it.
func (d *decoder) prepare(b []byte) ([]*job, error) {
	var raw struct {
		Area    Area           `json:"area"`
		Cluster *int           `json:"cluster"`
		Account *int           `json:"account"`
		Items   jsontext.Value `json:"items"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, err
	}
	return d.job(raw.Area, raw.Cluster, raw.Account, raw.Items)
}

// job is what is to be decoded of a section.
func (d *decoder) job(area Area, cluster, account *int, items []byte) ([]*job, error) {
	info, known := area.Info()
	if !known || !d.wants(area) {
		return nil, nil
	}
	var field any
	switch {
	case info.OfAccount && account != nil && *account >= 0 && *account < len(d.s.Accounts):
		a := d.s.Accounts[*account]
		a.MarkRead(info.Area)
		field = info.ofAccount(a)
	case !info.OfAccount && cluster != nil && *cluster >= 0 && *cluster < len(d.s.Clusters):
		c := d.s.Clusters[*cluster]
		c.MarkRead(info.Area)
		field = info.ofCluster(c)
	default:
		return nil, fmt.Errorf("area %s: no such cluster or account in the header", area)
	}
	return []*job{{area: area, text: items, field: reflect.ValueOf(field).Elem()}}, nil
}

// sectionOf cuts a line as Write writes it into its parts without looking at the items, or returns false.
func sectionOf(line []byte) (area Area, cluster, account *int, items []byte, ok bool) {
	area, ok = sectionArea(line)
	if !ok {
		return "", nil, nil, nil, false
	}
	rest := line[len(`{"area":"`)+len(area)+1:]
	head, items, found := bytes.Cut(rest, []byte(`,"items":`))
	body, closed := bytes.CutSuffix(items, []byte("}"))
	which, number, _ := strings.Cut(string(head), `":`)
	n, err := strconv.Atoi(number)
	if !found || !closed || err != nil {
		return "", nil, nil, nil, false
	}
	switch which {
	case `,"cluster`:
		return area, &n, nil, body, true
	case `,"account`:
		return area, nil, &n, body, true
	}
	return "", nil, nil, nil, false
}

// decode turns the text of a section into items.
func (j *job) decode() error {
	t := j.field.Type()
	if t.Kind() == reflect.Pointer {
		t = reflect.SliceOf(t)
	}
	items := reflect.New(t)
	if j.bareLine != "" {
		if readBare(j.area, j.bareText, items.Interface()) {
			j.items = items.Elem()
			return nil
		}
		var raw struct {
			Items jsontext.Value `json:"items"`
		}
		if err := json.Unmarshal([]byte(j.bareLine), &raw); err != nil {
			return fmt.Errorf("area %s: %w", j.area, err)
		}
		items, j.text = reflect.New(t), raw.Items
	}
	if err := json.Unmarshal(j.text, items.Interface(), j.options...); err != nil {
		return fmt.Errorf("area %s: %w", j.area, err)
	}
	j.items, j.text = items.Elem(), nil
	for i := range j.items.Len() {
		if j.items.Index(i).IsNil() {
			return fmt.Errorf("area %s: item %d is null", j.area, i)
		}
	}
	return nil
}

// finish decodes jobs two at a time, for two cores, and puts their items in place in the order of the file.
func finish(jobs []*job) error {
	errs := make([]error, len(jobs))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 2)
	for i, j := range jobs {
		slots <- struct{}{}
		wg.Go(func() {
			errs[i] = j.decode()
			<-slots
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, j := range jobs {
		switch {
		case j.field.Kind() == reflect.Slice:
			j.field.Set(reflect.AppendSlice(j.field, j.items))
		case j.items.Len() > 0:
			j.field.Set(j.items.Index(0))
		}
	}
	return nil
}

// readLine is nextLine as a copy.
func readLine(in *bufio.Reader) ([]byte, error) {
	line, err := nextLine(in)
	return bytes.Clone(line), err
}

// nextLine reads up to and including the next line end, however long the line is. The line is good until the next reading.
func nextLine(in *bufio.Reader) ([]byte, error) {
	part, err := in.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return part, err
	}
	line := bytes.Clone(part)
	for errors.Is(err, bufio.ErrBufferFull) {
		if len(line) > maxLine {
			return nil, fmt.Errorf("a line is longer than %d MiB", maxLine>>20)
		}
		part, err = in.ReadSlice('\n')
		line = append(line, part...)
	}
	return line, err
}

// Decode puts the items of an area, a JSON array, into the cluster or the account that it belongs to.
func (a AreaInfo) Decode(c *Cluster, acct *Account, items []byte, options ...json.Options) error {
	var field any
	if a.OfAccount {
		field = a.ofAccount(acct)
	} else {
		field = a.ofCluster(c)
	}
	j := &job{area: a.Area, text: items, field: reflect.ValueOf(field).Elem(), options: options}
	return finish([]*job{j})
}
