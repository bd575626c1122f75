package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// managedPolicies is the file of the managed policies: each in its default version, which with AWS's own is the newest.
func managedPolicies(dir string) (string, error) {
	var policies map[string]struct {
		ARN             string
		LatestVersionID string
		LastUpdatedDate string
		Versions        map[string]struct{ Document json.RawMessage }
	}
	if err := readJSON(filepath.Join(dir, "dist", "managedPolicies.json"), &policies); err != nil {
		return "", err
	}
	version, _, err := packageVersion(dir)
	if err != nil {
		return "", err
	}
	var lines []string
	newest := ""
	for _, p := range policies {
		name, ok := strings.CutPrefix(p.ARN, "arn:aws:iam::aws:policy/")
		document, found := p.Versions[p.LatestVersionID]
		if !ok || !found {
			return "", fmt.Errorf("policy %q has no version %q", p.ARN, p.LatestVersionID)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, document.Document); err != nil {
			return "", fmt.Errorf("policy %s: %w", p.ARN, err)
		}
		lines = append(lines, name+"\t"+p.LatestVersionID+"\t"+compact.String()+"\n")
		newest = max(newest, p.LastUpdatedDate)
	}
	slices.SortFunc(lines, func(a, b string) int {
		a, _, _ = strings.Cut(a, "\t")
		b, _, _ = strings.Cut(b, "\t")
		return strings.Compare(a, b)
	})
	date, err := day(newest)
	return version + "\t" + date + "\n" + strings.Join(lines, ""), err
}
