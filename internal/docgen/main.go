// Command docgen writes docs/reference from the program itself: the commands, the checks and their matrices, the formats'
// schemas, and the least permissions that the sources need. `go generate ./...` runs it, and a test holds the committed
// pages to its output, so they cannot drift.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

//go:generate go run . ../../docs/reference

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "docgen:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want the folder to write to")
	}
	pages, err := reference()
	if err != nil {
		return err
	}
	for name, text := range pages {
		path := filepath.Join(args[0], filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// reference makes all pages, by their path below docs/reference.
func reference() (map[string]string, error) {
	pages := map[string]string{}
	for _, add := range []func(map[string]string) error{addCommands, addChecks, addDetections, addSteps, addInputs, addPermissions, addSchemas} {
		if err := add(pages); err != nil {
			return nil, err
		}
	}
	return pages, nil
}
