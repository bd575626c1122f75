package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// action is one of the package's; its other fields are prose or empty.
type action struct {
	Name, AccessLevel string
	ConditionKeys     []string
	ResourceTypes     []struct {
		Name          string
		Required      bool
		ConditionKeys []string
	}
}

// services is the file of the Service Authorization Reference.
func services(dir string) (string, error) {
	version, updated, err := packageVersion(dir)
	if err != nil {
		return "", err
	}
	date, err := day(updated)
	if err != nil {
		return "", err
	}
	names := map[string]string{}
	if err := readJSON(filepath.Join(dir, "data", "serviceNames.json"), &names); err != nil {
		return "", err
	}
	var out strings.Builder
	out.WriteString(version + "\t" + date)
	for _, prefix := range slices.Sorted(maps.Keys(names)) {
		if err := service(&out, dir, prefix, names[prefix]); err != nil {
			return "", fmt.Errorf("service %s: %w", prefix, err)
		}
	}
	return out.String(), nil
}

func service(out *strings.Builder, dir, prefix, name string) error {
	var types map[string]struct {
		Key, ARN      string
		ConditionKeys []string
	}
	var keys map[string]struct{ Key, Type string }
	var actions map[string]action
	for kind, into := range map[string]any{"resourceTypes": &types, "conditionKeys": &keys, "actions": &actions} {
		if err := readJSON(filepath.Join(dir, "data", kind, prefix+".json"), into); err != nil {
			return err
		}
	}
	var broken error
	line := func(fields ...string) {
		for _, f := range fields {
			if strings.ContainsAny(f, "\t\n") {
				broken = fmt.Errorf("a field that holds a tab or line end: %q", f)
			}
		}
		out.WriteString("\n" + strings.Join(fields, "\t"))
	}
	line("S", prefix, name)
	for _, k := range slices.Sorted(maps.Keys(types)) {
		line("R", types[k].Key, types[k].ARN, strings.Join(types[k].ConditionKeys, " "))
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		line("K", keys[k].Key, keys[k].Type)
	}
	for _, k := range slices.Sorted(maps.Keys(actions)) {
		a := actions[k]
		if k != strings.ToLower(a.Name) {
			return fmt.Errorf("action %s stands under %s", a.Name, k)
		}
		// "Tagging, Write" and "Permissions management, Write" are what the reference calls Tagging and Permissions management.
		level, _, _ := strings.Cut(a.AccessLevel, ",")
		fields := []string{"A", a.Name, level, strings.Join(a.ConditionKeys, " ")}
		for _, r := range a.ResourceTypes {
			if r.Required {
				r.Name += "*"
			}
			fields = append(fields, r.Name+"|"+strings.Join(r.ConditionKeys, " "))
		}
		line(fields...)
	}
	return broken
}
