package aws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/aws/smithy-go"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// failure is one call that failed: for which area of which cluster, or of the account, and about which item, where the
// call was about one.
type failure struct {
	cluster *model.Cluster // nil for the account
	area    model.Area
	action  string
	item    string
	err     error
	note    string
}

// gaps turns failures into gaps: one per area and action and kind of error, naming the items it is about.
func gaps(failures []failure, label func(*model.Cluster) string, account string) []finding.Gap {
	type group struct {
		finding.Gap
		class, message, note string
		items                []string
	}
	groups := map[string]*group{}
	slices.SortStableFunc(failures, func(a, b failure) int {
		return cmp.Or(cmp.Compare(a.item, b.item), cmp.Compare(a.err.Error(), b.err.Error()))
	})
	for _, f := range failures {
		g := &group{Gap: finding.Gap{Area: string(f.area), Action: f.action, Account: account}, note: f.note}
		if f.cluster != nil {
			g.Cluster, g.Account = label(f.cluster), ""
		}
		g.class, g.message = explain(f.err)
		key := strings.Join([]string{g.Area, g.Action, g.Cluster, g.Account, g.class, g.note}, "\x00")
		if groups[key] == nil {
			groups[key] = g
		}
		if f.item != "" {
			groups[key].items = append(groups[key].items, f.item)
		}
	}
	var all []finding.Gap
	for _, g := range groups {
		g.Reason = g.class
		if len(g.items) > 0 {
			g.Reason += " for " + some(g.items)
		}
		if g.message != "" {
			g.Reason += ": " + g.message
		}
		if g.note != "" {
			g.Reason += "; " + g.note
		}
		all = append(all, g.Gap)
	}
	model.SortGaps(all)
	return all
}

// some names the first of many items.
func some(items []string) string {
	const named = 5
	items = slices.Compact(items)
	if len(items) <= named {
		return strings.Join(items, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(items[:named], ", "), len(items)-named)
}

// explain returns the class of an error, such as AccessDeniedException, and what AWS says about it.
func explain(err error) (class, message string) {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return word(api.ErrorCode()), harmless(api.ErrorCode(), api.ErrorMessage())
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "timeout", ""
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return "network error", harmless("", u.Err.Error())
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return "error", harmless("", err.Error())
}

func word(code string) string {
	if code == "" {
		return "error"
	}
	return harmless("", code)
}

// harmless cuts a message down to its first line and to what belongs into a report. The messages about wrong signatures
// repeat the signed request with its session token, and EC2's denials carry a long encoded text.
func harmless(code, message string) string {
	if strings.Contains(code, "Signature") {
		message, _, _ = strings.Cut(message, ".")
	}
	message, _, _ = strings.Cut(strings.TrimSpace(message), "\n")
	message, _, _ = strings.Cut(message, "Encoded authorization failure message")
	message = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, message)
	const longest = 400
	if runes := []rune(message); len(runes) > longest {
		message = string(runes[:longest]) + "…"
	}
	return strings.TrimSpace(message)
}

// code is the error code that AWS answered with, or "".
func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// gone says that a thing does not exist: for something that was listed before, it vanished in between.
func gone(err error) bool {
	switch code(err) {
	case "ResourceNotFoundException", // EKS, CloudWatch Logs
		"NotFoundException",
		"NoSuchEntity", // IAM
		"InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateId.VersionNotFound", "InvalidLaunchTemplateName.NotFoundException":
		return true
	}
	return false
}
