package check

import (
	"fmt"
	"strings"
)

// Some joins the first items for a message and counts those beyond the limit: "a, b and 3 more".
func Some(items []string, limit int) string {
	if len(items) <= limit {
		return strings.Join(items, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(items[:limit], ", "), len(items)-limit)
}
