package aws

import (
	"net/url"
	"slices"
	"time"

	"drawbridge/internal/model"
)

// instant is a time as snapshots hold it, in UTC; zero where AWS gives none.
func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// sorted returns the strings in order, without changing them where they are; nil for none.
func sorted(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return slices.Sorted(slices.Values(s))
}

// labels returns tags or labels; nil for none.
func labels(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}

// document reads a policy document as IAM sends it: percent-encoded (IAM API, GetAccountAuthorizationDetails, "URL-encoded
// compliant with RFC 3986", 2026-11), where a plus is a plus.
func document(text *string) model.Document {
	if text == nil {
		return ""
	}
	if plain, err := url.PathUnescape(*text); err == nil {
		return model.Document(plain)
	}
	return model.Document(*text)
}
