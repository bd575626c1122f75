package detections_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"drawbridge/internal/detect"
)

const floorPage = "../docs/guide/floor.md"

// seenBy is a detection and a case of it, as the page has them.
var seenBy = regexp.MustCompile("`([a-z0-9-]+)/([A-Za-z0-9-]+)`")

// TestFloor: everything that others detect and testdata/floor.txt lists has a row in docs/guide/floor.md, and each row a case of
// one of our detections that reports its synthetic events, or a reason why there is none.
func TestFloor(t *testing.T) {
	page, err := os.ReadFile(floorPage)
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile("testdata/floor.txt")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{} // what is ours, by what is theirs
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) == 3 && !strings.HasPrefix(line, "| theirs") {
			rows[strings.TrimPrefix(cells[0], "| ")] = strings.TrimSuffix(cells[2], " |")
		}
	}
	p := load(t)
	cases, err := detect.CasesOf(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	reports := map[string]bool{}
	for _, c := range cases {
		if !c.Match {
			continue
		}
		got, err := c.Run(p)
		if err != nil {
			t.Fatal(err)
		}
		reports[c.Detection+"/"+strings.TrimPrefix(c.Name, "match/")] = p.Detection(c.Detection) != nil && len(got) > 0
	}
	for id := range strings.Lines(string(list)) {
		id = strings.TrimSpace(id)
		if !anyKey(rows, id) {
			t.Errorf("%s has no row for %q", floorPage, id)
		}
	}
	for theirs, ours := range rows {
		named := seenBy.FindAllStringSubmatch(ours, -1)
		if len(named) == 0 && !strings.HasPrefix(ours, "no: ") {
			t.Errorf("%s: neither a case nor a reason: %q", theirs, ours)
		}
		for _, n := range named {
			if at := n[1] + "/" + n[2]; n[1] != "internal" && !reports[at] {
				t.Errorf("%s: %s reports nothing, or is not there", theirs, at)
			}
		}
	}
}

func anyKey(rows map[string]string, part string) bool {
	if _, ok := rows[part]; ok {
		return true
	}
	for k := range rows {
		if strings.Contains(k, part) {
			return true
		}
	}
	return false
}
