package finding

import "fmt"

// Severity says how much a finding matters. The words are Sigma's and OCSF's.
type Severity string

// The severities, most serious first.
const (
	Critical      Severity = "critical"
	High          Severity = "high"
	Medium        Severity = "medium"
	Low           Severity = "low"
	Informational Severity = "informational"
)

// Severities lists all severities, most serious first.
var Severities = []Severity{Critical, High, Medium, Low, Informational}

// Rank is 5 for critical down to 1 for informational, and 0 for anything else.
func (s Severity) Rank() int {
	for i, known := range Severities {
		if s == known {
			return len(Severities) - i
		}
	}
	return 0
}

// AtLeast says whether s is as serious as t or more.
func (s Severity) AtLeast(t Severity) bool { return s.Rank() >= t.Rank() }

// ParseSeverity reads a severity word.
func ParseSeverity(word string) (Severity, error) {
	if s := Severity(word); s.Rank() > 0 {
		return s, nil
	}
	return "", fmt.Errorf("severity %q: want critical, high, medium, low or informational", word)
}
