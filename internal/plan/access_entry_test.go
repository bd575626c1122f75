package plan

import (
	"testing"

	"drawbridge/internal/model"
)

func TestEntryThatStandsThere(t *testing.T) {
	c := CreateAccessEntry{PrincipalARN: roleA, Username: "dev", Groups: []string{"b", "a"}}
	for want, e := range map[string]*model.AccessEntry{
		"one just like it": {PrincipalARN: roleA, Type: "STANDARD", Username: "dev", Groups: []string{"a", "b"}},
		"one of type STANDARD with username dev and groups none":   {PrincipalARN: roleA, Username: "dev"},
		"one of type EC2_LINUX with username none and groups a, b": {PrincipalARN: roleA, Type: "EC2_LINUX", Groups: []string{"a", "b"}},
	} {
		if got := c.there(e); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
