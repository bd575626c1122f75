// Command bench measures whole runs of bin/drawbridge on synthetic dumps and prints time, memory and how both grow: the
// figures of docs/guide/speed.md. It asserts nothing, because machines differ.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// size is one fleet to measure.
type size struct {
	name                                                           string
	pods, accounts, roles, bindings, iamRoles, associations, nodes int
}

var sizes = []size{
	{"1,000 pods, 1,000 service accounts, 1,000 roles and bindings, 500 IAM roles, 200 associations", 1000, 1000, 1000, 1000, 500, 200, 50},
	{"a tenth: 5,000 pods, 1,000 service accounts, 2,000 bindings, 500 IAM roles, 100 associations", 5000, 1000, 2000, 2000, 500, 100, 100},
	{"50,000 pods, 10,000 service accounts, 20,000 bindings, 5,000 IAM roles, 1,000 associations", 50000, 10000, 20000, 20000, 5000, 1000, 1000},
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "drawbridge-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	times := make([]time.Duration, len(sizes))
	for i, s := range sizes {
		dumps := filepath.Join(dir, strconv.Itoa(i))
		if err := s.generate(dumps); err != nil {
			return err
		}
		snapshot := dumps + ".json"
		if times[i], err = measure("scan of raw dumps, JSON out", "scan", "-f", dumps, "-o", "json", "--fail-on", "none"); err != nil {
			return err
		}
		if _, err = measure("collect into a snapshot", "collect", "-f", dumps, "-o", snapshot); err != nil {
			return err
		}
		if _, err = measure("scan of the snapshot, JSON out", "scan", "-f", snapshot, "-o", "json", "--fail-on", "none"); err != nil {
			return err
		}
		if _, err = measure("who can delete an object in S3", "access", "who-can-aws", "s3:DeleteObject", "arn:aws:s3:::data-app-00001/key", "-f", snapshot, "-o", "json"); err != nil {
			return err
		}
		if err := os.RemoveAll(dumps); err != nil {
			return err
		}
	}
	fmt.Printf("growth from the tenth to the whole: %.1f-fold\n", float64(times[2])/float64(times[1]))
	return errors.Join(paths(dir), whoCan(dir), migrations(dir))
}

// generate writes the dumps of a fleet and prints its name.
func (s size) generate(dumps string, more ...string) error {
	args := append([]string{
		"run", "./internal/source/dump/gen", "-o", dumps, "-pods", strconv.Itoa(s.pods), "-serviceaccounts", strconv.Itoa(s.accounts),
		"-roles", strconv.Itoa(s.roles), "-bindings", strconv.Itoa(s.bindings), "-iamroles", strconv.Itoa(s.iamRoles),
		"-associations", strconv.Itoa(s.associations), "-nodes", strconv.Itoa(s.nodes),
	}, more...)
	gen := exec.Command("go", args...)
	gen.Stderr = os.Stderr
	if err := gen.Run(); err != nil {
		return fmt.Errorf("generate dumps: %w", err)
	}
	fmt.Println(s.name)
	return nil
}

// paths measures attack paths in the largest fleet, in which ways are open from pods to an administrator.
func paths(dir string) error {
	dumps := filepath.Join(dir, "ways")
	if err := sizes[len(sizes)-1].generate(dumps, "-ways"); err != nil {
		return err
	}
	snapshot := dumps + ".json"
	if out, err := exec.Command("bin/drawbridge", "collect", "-f", dumps, "-o", snapshot).CombinedOutput(); err != nil {
		return fmt.Errorf("collect: %w\n%.500s", err, out)
	}
	_, pods := measure("paths, every pod to account admin", "paths", "-f", snapshot, "--from", "every-pod", "--to", "account-admin", "-o", "json")
	_, everybody := measure("paths, everybody to the defaults", "paths", "-f", snapshot, "-o", "json")
	return errors.Join(pods, everybody, os.RemoveAll(dumps), os.Remove(snapshot))
}

// migrations measures how far forty clusters are, each with 1,000 pods, 300 service accounts, half of them with IRSA, 500 IAM roles
// and 100 rows of aws-auth.
func migrations(dir string) error {
	s := size{"", 1000, 300, 300, 500, 500, 30, 50}
	folders, files := []string{"migrate", "status"}, []string{"migrate", "status"}
	for i := range 40 {
		s.name = fmt.Sprintf("cluster %d of 40: 1,000 pods, 300 service accounts, 500 IAM roles, 100 rows of aws-auth", i+1)
		name := fmt.Sprintf("prod-%02d", i)
		dumps := filepath.Join(dir, name)
		if err := s.generate(dumps, "-cluster", name, "-rows", "100", "-irsa", "150"); err != nil {
			return err
		}
		if out, err := exec.Command("bin/drawbridge", "collect", "-f", dumps, "-o", dumps+".json").CombinedOutput(); err != nil {
			return fmt.Errorf("collect: %w\n%.500s", err, out)
		}
		folders, files = append(folders, "-f", dumps), append(files, "-f", dumps+".json")
	}
	fleet := filepath.Join(dir, "fleet.json.zst")
	if out, err := exec.Command("bin/drawbridge", append([]string{"collect", "-o", fleet}, files[2:]...)...).CombinedOutput(); err != nil {
		return fmt.Errorf("collect: %w\n%.500s", err, out)
	}
	_, one := measure("status of 40 clusters, one snapshot", "migrate", "status", "-f", fleet, "-o", "json")
	_, many := measure("status of 40 clusters, 40 snapshots", append(files, "-o", "json")...)
	_, dumps := measure("status of 40 clusters, 40 folders", append(folders, "-o", "json")...)
	return errors.Join(one, many, dumps)
}

// bindings are the fleets on which who-can is measured: every binding of theirs lets a service account read Secrets.
var bindings = []size{
	{"10,000 bindings, and nothing but RBAC", 0, 0, 10000, 10000, 0, 0, 0},
	{"100,000 bindings, and nothing but RBAC", 0, 0, 100000, 100000, 0, 0, 0},
	{"10,000 bindings, 10,000 pods, 10,000 service accounts, 5,000 IAM roles, 1,000 associations", 10000, 10000, 10000, 10000, 5000, 1000, 200},
}

// whoCan measures the question that reads snapshots in part.
func whoCan(dir string) error {
	times := make([]time.Duration, len(bindings))
	for i, s := range bindings {
		dumps := filepath.Join(dir, "bindings", strconv.Itoa(i))
		if err := s.generate(dumps); err != nil {
			return err
		}
		snapshot := dumps + ".json"
		if out, err := exec.Command("bin/drawbridge", "collect", "-f", dumps, "-o", snapshot).CombinedOutput(); err != nil {
			return fmt.Errorf("collect: %w\n%.500s", err, out)
		}
		var err error
		if times[i], err = measure("who can get secrets anywhere", "access", "who-can", "get", "secrets", "-A", "-f", snapshot); err != nil {
			return err
		}
		if err := errors.Join(os.RemoveAll(dumps), os.Remove(snapshot)); err != nil {
			return err
		}
	}
	fmt.Printf("growth from 10,000 to 100,000 bindings: %.1f-fold\n", float64(times[1])/float64(times[0]))
	return nil
}

// measure runs drawbridge five times and prints the best and the median time and the largest memory.
func measure(what string, args ...string) (time.Duration, error) {
	var took []time.Duration
	var peak int64
	for range 5 {
		cmd := exec.Command("bin/drawbridge", args...)
		start := time.Now()
		if out, err := cmd.Output(); err != nil {
			return 0, fmt.Errorf("drawbridge %v: %w\n%.500s", args, err, out)
		}
		took = append(took, time.Since(start))
		if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			peak = max(peak, usage.Maxrss) // KiB on Linux
		}
	}
	slices.Sort(took)
	fmt.Printf("  %-34s best %6.3f s   median %6.3f s   peak %4d MiB\n", what, took[0].Seconds(), took[2].Seconds(), peak>>10)
	return took[2], nil
}
