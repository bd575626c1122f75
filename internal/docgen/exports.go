package main

import (
	"fmt"
	"strings"

	"drawbridge/detections"
	"drawbridge/internal/siem"
	"drawbridge/internal/sigma"
)

// exports is the section on what other systems get of the detections.
func exports() (string, error) {
	rules, err := sigma.ParseAll(detections.Files)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(`
## Exports

What ` + "`drawbridge detections export --target TARGET`" + ` makes of them: *exact* (it finds the same), *approximated* (it says what it finds too much or
misses), or nothing, with the reason. What only drawbridge knows is left out where the export then finds more, and what is left still names the
call, or the resource and the verb. The measure is drawbridge over events alone, without ` + "`--snapshot`" + ` and settings such as ` + "`--pipeline-role`" + `.
A detection is exact if all of its rules are. Rules that feed correlations are part of these; ` + "`sigma`" + ` has and counts each of them.

| target | detections: exact | approximated | of these in part | refused | rules: exact | approximated, finds all and more | approximated, misses some | refused |
|---|---|---|---|---|---|---|---|---|
`)
	verdicts := map[string]map[string]string{}
	var ids []string
	for _, target := range siem.Targets() {
		r, err := siem.Export(rules, target)
		if err != nil {
			return "", err
		}
		c := r.Counts()
		fmt.Fprintf(&b, "| `%s` | %d | %d | %d | %d | %d | %d | %d | %d |\n", target, c.Detections[siem.Exact], c.Detections[siem.Approximated], c.InPart, c.Detections[siem.Refused],
			c.Rules[siem.Exact], c.Rules[siem.Approximated]-c.Misses, c.Misses, c.Rules[siem.Refused])
		for _, d := range r.Detections {
			if verdicts[d.ID] == nil {
				verdicts[d.ID] = map[string]string{}
				ids = append(ids, d.ID)
			}
			verdicts[d.ID][target] = word(d)
		}
	}
	b.WriteString("\n| detection | " + strings.Join(siem.Targets(), " | ") + " |\n|---" + strings.Repeat("|---", len(siem.Targets())) + "|\n")
	for _, id := range ids {
		b.WriteString("| " + id)
		for _, target := range siem.Targets() {
			b.WriteString(" | " + verdicts[id][target])
		}
		b.WriteString(" |\n")
	}
	return b.String(), nil
}

// word is a verdict for a table; of a detection that is exported in part, of how many of its rules.
func word(d siem.Detection) string {
	switch {
	case d.Exported == 0:
		return "–"
	case d.Exported < d.Rules:
		return fmt.Sprintf("%d of %d", d.Exported, d.Rules)
	}
	return string(d.Verdict)
}
