package iam

import (
	"strconv"
	"strings"
	"time"
)

// decimal is an integer or decimal number of any size, compared exactly.
type decimal struct {
	negative       bool
	whole, decimal string // digits without leading, respectively trailing, zeros
}

// parseDecimal reads [+|-]digits[.digits].
func parseDecimal(s string) (decimal, bool) {
	d := decimal{}
	if s != "" && (s[0] == '-' || s[0] == '+') {
		d.negative, s = s[0] == '-', s[1:]
	}
	whole, fraction, point := strings.Cut(s, ".")
	if !digits(whole) || point && !digits(fraction) {
		return d, false
	}
	d.whole, d.decimal = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	d.negative = d.negative && d.whole+d.decimal != ""
	return d, true
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func (d decimal) compare(e decimal) int {
	switch {
	case d.negative && !e.negative:
		return -1
	case !d.negative && e.negative:
		return 1
	case d.negative:
		d, e = e, d
	}
	if len(d.whole) != len(e.whole) {
		return len(d.whole) - len(e.whole)
	}
	if c := strings.Compare(d.whole, e.whole); c != 0 {
		return c
	}
	return strings.Compare(d.decimal, e.decimal)
}

// layouts are the forms of the W3C profile of ISO 8601, which requires a zone with a time of day.
var layouts = []string{"2006", "2006-01", "2006-01-02", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z07:00"}

// parseInstant reads a date of a W3C form, or epoch seconds. Four digits are a year.
func parseInstant(s string) (time.Time, bool) {
	if digits(s) && len(s) != 4 {
		n, err := strconv.ParseInt(s, 10, 64)
		return time.Unix(n, 0).UTC(), err == nil && len(s) <= 12
	}
	if !strings.Contains(s, "T") {
		for _, layout := range layouts[:3] {
			if len(s) == len(layout) {
				t, err := time.Parse(layout, s)
				return t, err == nil
			}
		}
		return time.Time{}, false
	}
	// The seconds' layout also reads a fraction.
	layout := layouts[4]
	if len(s) > 16 && s[16] != ':' {
		layout = layouts[3]
	}
	t, err := time.Parse(layout, s)
	return t, err == nil
}
