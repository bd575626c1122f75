package siem

import "fmt"

// Detection is what a target got of a detection: exact or refused if all of its rules are so, else approximated.
type Detection struct {
	ID      string  `json:"id"`
	Verdict Verdict `json:"verdict"`
	// Rules is how many it has that stand on their own, Exported how many of them have a text.
	Rules    int `json:"rules"`
	Exported int `json:"exported"`
}

func (r *Result) summed() []Detection {
	at := map[string]int{}
	out := []Detection{}
	for _, rule := range r.Rules {
		i, ok := at[rule.Detection]
		if !ok {
			i = len(out)
			at[rule.Detection] = i
			out = append(out, Detection{ID: rule.Detection, Verdict: rule.Verdict})
		}
		d := &out[i]
		d.Rules++
		if rule.Verdict != Refused {
			d.Exported++
		}
		if d.Verdict != rule.Verdict {
			d.Verdict = Approximated
		}
	}
	return out
}

// Counts are how many of what got which verdict.
type Counts struct {
	Detections, Rules map[Verdict]int
	// InPart is how many of the approximated detections have rules that are refused, Misses how many of the approximated rules
	// may miss something.
	InPart, Misses int
}

// Counts counts the verdicts.
func (r Result) Counts() Counts {
	c := Counts{Detections: map[Verdict]int{}, Rules: map[Verdict]int{}}
	for _, rule := range r.Rules {
		c.Rules[rule.Verdict]++
		if rule.Misses {
			c.Misses++
		}
	}
	for _, d := range r.Detections {
		c.Detections[d.Verdict]++
		if d.Exported > 0 && d.Exported < d.Rules {
			c.InPart++
		}
	}
	return c
}

// Summary is the counts in words.
func (r Result) Summary() string {
	c := r.Counts()
	return fmt.Sprintf("of %s: %d exact, %d approximated (%d of them in part), %d refused; of %s: %d exact, %d approximated (%d may miss something), %d refused",
		count(len(r.Detections), "detection"), c.Detections[Exact], c.Detections[Approximated], c.InPart, c.Detections[Refused],
		count(len(r.Rules), "rule"), c.Rules[Exact], c.Rules[Approximated], c.Misses, c.Rules[Refused])
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
