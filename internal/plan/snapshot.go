package plan

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// cluster finds the cluster that a change names by its ARN, or by its name where it has no ARN.
func cluster(s *model.Snapshot, id string) (*model.Cluster, error) {
	var found *model.Cluster
	for _, c := range s.Clusters {
		if c.ID() != id {
			continue
		}
		if found != nil {
			return nil, &Unmet{"cluster " + id, "one of that name", "several"}
		}
		found = c
	}
	if found == nil {
		return nil, &Unmet{"cluster " + id, "it in the snapshot", "none"}
	}
	return found, nil
}

// account finds the account of an ARN.
func account(s *model.Snapshot, arn string) (*model.Account, error) {
	parsed, err := iam.ParseARN(arn)
	if err != nil {
		return nil, &Unmet{arn, "the ARN of an IAM role or user", "something else"}
	}
	for _, a := range s.Accounts {
		if a.ID == parsed.Account {
			return a, nil
		}
	}
	return nil, &Unmet{"account " + parsed.Account, "it in the snapshot", "none"}
}

// gapsOf are the gaps in the roles and users of an account: with one, absence means nothing.
func gapsOf(s *model.Snapshot, a *model.Account) []finding.Gap {
	return slices.DeleteFunc(slices.Clone(s.Gaps), func(g finding.Gap) bool {
		return g.Account != a.ID && g.Account != "" || g.Area != string(model.AreaIAMRoles) && g.Area != string(model.AreaIAMUsers)
	})
}

// The three ways in which a list changes: always into a new one, because the old one may be another snapshot's too.

func replaced[T any](items []T, i int, item T) []T {
	out := slices.Clone(items)
	out[i] = item
	return out
}

func added[T any](items []T, item T) []T { return append(slices.Clip(items), item) }

func without[T any](items []T, i int) []T { return slices.Concat(items[:i], items[i+1:]) }

// orNone names a value that may be empty.
func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// listed names items for a sentence.
func listed(items []string) string {
	if len(items) == 0 {
		return "none"
	}
	return strings.Join(items, ", ")
}

// thing names an object with its namespace.
func thing(kind, namespace, name string) string {
	if namespace == "" {
		return kind + " " + name
	}
	return fmt.Sprintf("%s %s/%s", kind, namespace, name)
}
