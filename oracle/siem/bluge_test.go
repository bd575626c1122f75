package oracle

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/blugelabs/bluge"
)

// lucene is an index as Elasticsearch has it with the mapping that the exports ask for: texts whole, numbers and booleans as
// such, lists as several values. Bluge searches it; what its queries do not know (no case, escapes in wildcards, networks) is
// said in those that it knows.
type lucene struct {
	r   *bluge.Reader
	all []string
}

func newLucene(t testing.TB, records []record) *lucene {
	t.Helper()
	w, err := bluge.OpenWriter(bluge.InMemoryOnlyConfig())
	if err != nil {
		t.Fatal(err)
	}
	batch := bluge.NewBatch()
	for _, r := range records {
		doc := bluge.NewDocument(r.id)
		e, ok := decoded(r.line)
		if !ok {
			t.Fatalf("no object: %s", r.line)
		}
		root := "cloudtrail"
		if r.audit {
			root = "kubernetes.audit"
		}
		index(doc, root, e)
		batch.Update(doc.ID(), doc)
	}
	if err := w.Batch(batch); err != nil {
		t.Fatal(err)
	}
	reader, err := w.Reader()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close(); w.Close() })
	l := &lucene{r: reader}
	for _, r := range records {
		l.all = append(l.all, r.id)
	}
	return l
}

// index adds a value under a name: as text that wildcards see, in lower case beside it, or as a term that only equality sees.
// It says whether there is anything.
func index(doc *bluge.Document, name string, v any) bool {
	there := false
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			there = index(doc, name+"."+k, inner) || there
		}
	case []any:
		for _, inner := range v {
			there = index(doc, name, inner) || there
		}
	case string:
		there = true
		text(doc, name, v)
		if ip, err := netip.ParseAddr(v); err == nil {
			doc.AddField(bluge.NewKeywordField(name+".ip", address(ip)))
		}
	case json.Number:
		there = true
		if f, err := v.Float64(); err == nil {
			doc.AddField(bluge.NewNumericField(name+"#n", f))
		}
		if strings.HasSuffix(name, ".responseStatus.code") {
			text(doc, name, v.String())
		} else {
			doc.AddField(bluge.NewKeywordField(name+"#term", v.String()))
		}
	case bool:
		there = true
		doc.AddField(bluge.NewKeywordField(name+"#term", strconv.FormatBool(v)))
	}
	if there {
		doc.AddField(bluge.NewKeywordField("#there", name))
	}
	return there
}

func text(doc *bluge.Document, name, v string) {
	doc.AddField(bluge.NewKeywordField(name, v))
	doc.AddField(bluge.NewKeywordField(name+"#low", strings.ToLower(v)))
	if f, err := strconv.ParseFloat(v, 64); err == nil && strings.HasSuffix(name, ".responseStatus.code") {
		doc.AddField(bluge.NewNumericField(name+"#n", f))
	}
}

func address(ip netip.Addr) string {
	b := ip.Unmap().As16()
	return fmt.Sprintf("%x", b[:])
}

// ids runs a search. Bluge finds the leaves; bool is sets here, for its own boolean searcher passes over documents where
// conjunctions stand in disjunctions.
func (l *lucene) ids(text string) (map[string]bool, error) {
	var body struct {
		Query map[string]any
		Aggs  map[string]any
	}
	if err := json.Unmarshal([]byte(text), &body); err != nil || body.Aggs != nil {
		return nil, errOther // EQL, or an aggregation
	}
	return l.query(body.Query)
}

// query reads the query DSL, strictly.
func (l *lucene) query(q map[string]any) (map[string]bool, error) {
	if len(q) != 1 {
		return nil, fmt.Errorf("a query with %d kinds", len(q))
	}
	for kind, v := range q {
		of, ok := v.(map[string]any)
		switch {
		case !ok:
			return nil, fmt.Errorf("%s is no object", kind)
		case kind == "bool":
			return l.boolean(of)
		case kind == "exists":
			return l.search(bluge.NewTermQuery(of["field"].(string)).SetField("#there"))
		case len(of) != 1:
			return nil, fmt.Errorf("%s of %d fields", kind, len(of))
		}
		for field, v := range of {
			o, ok := v.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("%s of %s is no object", kind, field)
			}
			leaf, err := leaf(kind, field, o)
			if err != nil {
				return nil, err
			}
			return l.search(leaf)
		}
	}
	return nil, nil
}

// boolean counts, for each document, the clauses of each kind that find it.
func (l *lucene) boolean(of map[string]any) (map[string]bool, error) {
	found, clauses := map[string]map[string]int{}, map[string]int{}
	least := 0
	for part, v := range of {
		switch part {
		case "minimum_should_match":
			least = int(v.(float64))
			continue
		case "filter", "should", "must_not":
		default:
			return nil, fmt.Errorf("bool with %s", part)
		}
		found[part] = map[string]int{}
		for _, one := range v.([]any) {
			ids, err := l.query(one.(map[string]any))
			if err != nil {
				return nil, err
			}
			clauses[part]++
			for id := range ids {
				found[part][id]++
			}
		}
	}
	out := map[string]bool{}
	for _, id := range l.all {
		if found["filter"][id] == clauses["filter"] && found["must_not"][id] == 0 && found["should"][id] >= least {
			out[id] = true
		}
	}
	return out, nil
}

func (l *lucene) search(q bluge.Query) (map[string]bool, error) {
	matches, err := l.r.Search(context.Background(), bluge.NewAllMatches(q))
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for m, err := matches.Next(); m != nil || err != nil; m, err = matches.Next() {
		if err != nil {
			return nil, err
		}
		if err := m.VisitStoredFields(func(field string, value []byte) bool {
			if field == "_id" {
				out[string(value)] = true
			}
			return true
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func leaf(kind, field string, o map[string]any) (bluge.Query, error) {
	if kind == "range" {
		return between(strings.TrimSuffix(field, ".n")+"#n", o)
	}
	value, ok := o["value"].(string)
	if !ok {
		return nil, fmt.Errorf("%s of %s has no text", kind, field)
	}
	if kind == "term" && strings.HasSuffix(field, ".ip") {
		p, err := netip.ParsePrefix(value)
		if err != nil {
			return nil, err
		}
		first := p.Masked().Addr()
		return bluge.NewTermRangeInclusiveQuery(address(first), address(lastOf(p)), true, true).SetField(field), nil
	}
	at := field
	if o["case_insensitive"] == true {
		at, value = field+"#low", strings.ToLower(value)
	}
	switch kind {
	case "term":
		return bluge.NewBooleanQuery().AddShould(bluge.NewTermQuery(value).SetField(at), bluge.NewTermQuery(value).SetField(field+"#term")).SetMinShould(1), nil
	case "prefix":
		return bluge.NewPrefixQuery(value).SetField(at), nil
	case "wildcard":
		return bluge.NewRegexpQuery(wildcard(value)).SetField(at), nil
	case "regexp":
		return bluge.NewRegexpQuery(value).SetField(at), nil
	}
	return nil, fmt.Errorf("a query of kind %s", kind)
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func between(field string, o map[string]any) (bluge.Query, error) {
	low, high, lowIn, highIn := bluge.MinNumeric, bluge.MaxNumeric, true, true
	for op, v := range o {
		n, ok := v.(float64)
		switch {
		case !ok:
			return nil, fmt.Errorf("range of %v", v)
		case op == "gt", op == "gte":
			low, lowIn = n, op == "gte"
		case op == "lt", op == "lte":
			high, highIn = n, op == "lte"
		default:
			return nil, fmt.Errorf("range with %s", op)
		}
	}
	return bluge.NewNumericRangeInclusiveQuery(low, high, lowIn, highIn).SetField(field), nil
}

// wildcard is a pattern of Lucene's as a regular expression.
func wildcard(p string) string {
	var b bytes.Buffer
	in := []rune(p)
	for i := 0; i < len(in); i++ {
		switch c := in[i]; {
		case c == '\\' && i+1 < len(in):
			i++
			b.WriteString(regexp.QuoteMeta(string(in[i])))
		case c == '*':
			b.WriteString("(.|\n)*")
		case c == '?':
			b.WriteString("(.|\n)")
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	return b.String()
}
