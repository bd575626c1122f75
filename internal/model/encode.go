package model

import (
	"bufio"
	"fmt"
	"io"
	"reflect"
	"time"

	"github.com/go-json-experiment/json"

	"drawbridge/internal/finding"
)

// chunk is how many items one section holds at most, so that no reader needs a whole area in memory as text.
const chunk = 2000

// header is the first line of a snapshot file, without its sections.
type header struct {
	Version  string        `json:"version"`
	Time     time.Time     `json:"time,omitzero"`
	Tool     string        `json:"tool,omitempty"`
	Clusters []*Cluster    `json:"clusters"`
	Accounts []*Account    `json:"accounts"`
	Gaps     []finding.Gap `json:"gaps"`
}

// section is one area of one cluster or account, or a part of it. Cluster and Account are indexes into the header's
// lists.
type section struct {
	Area    Area `json:"area"`
	Cluster *int `json:"cluster,omitzero"`
	Account *int `json:"account,omitzero"`
	Items   any  `json:"items"`
}

// Write encodes a snapshot: one JSON document whose first line is the header and whose every further line is a section,
// so that a reader skips what it does not need by looking for line ends. The same snapshot gives the same bytes.
func Write(w io.Writer, s *Snapshot) error {
	out := bufio.NewWriterSize(w, 1<<16)
	h := header{Version: Version, Time: s.Time, Tool: s.Tool, Clusters: s.Clusters, Accounts: s.Accounts, Gaps: s.Gaps}
	head, err := marshal(h)
	if err != nil {
		return fmt.Errorf("encode snapshot header: %w", err)
	}
	out.Write(head[:len(head)-1]) // without its closing brace
	out.WriteString(`,"sections":[` + "\n")
	sep := ""
	emit := func(sec section) error {
		b, err := marshal(sec)
		if err != nil {
			return fmt.Errorf("encode snapshot area %s: %w", sec.Area, err)
		}
		out.WriteString(sep)
		out.Write(b)
		sep = ",\n"
		return nil
	}
	for i, c := range s.Clusters {
		for _, a := range Areas {
			if !a.OfAccount && (c.Read[a.Area] || holds(a.ofCluster(c))) {
				if err := writeArea(a.ofCluster(c), section{Area: a.Area, Cluster: &i}, emit); err != nil {
					return err
				}
			}
		}
	}
	for i, acct := range s.Accounts {
		for _, a := range Areas {
			if a.OfAccount && (acct.Read[a.Area] || holds(a.ofAccount(acct))) {
				if err := writeArea(a.ofAccount(acct), section{Area: a.Area, Account: &i}, emit); err != nil {
					return err
				}
			}
		}
	}
	out.WriteString("\n]}\n")
	return out.Flush()
}

// holds says whether there is anything behind field: an area that was read in part has a gap, and items all the same.
func holds(field any) bool {
	v := reflect.ValueOf(field).Elem()
	return v.Kind() == reflect.Pointer && !v.IsNil() || v.Kind() == reflect.Slice && v.Len() > 0
}

// writeArea emits the items behind field, a pointer to a slice or to a single pointer, in sections of bounded size. An
// empty area is one section without items: it was read.
func writeArea(field any, sec section, emit func(section) error) error {
	v := reflect.ValueOf(field).Elem()
	if v.Kind() == reflect.Pointer {
		sec.Items = []any{}
		if !v.IsNil() {
			sec.Items = []any{v.Interface()}
		}
		return emit(sec)
	}
	for from := 0; from == 0 || from < v.Len(); from += chunk {
		sec.Items = v.Slice(from, min(from+chunk, v.Len())).Interface()
		if v.Len() == 0 {
			sec.Items = []any{}
		}
		if err := emit(sec); err != nil {
			return err
		}
	}
	return nil
}

func marshal(v any) ([]byte, error) { return json.Marshal(v, json.Deterministic(true)) }
