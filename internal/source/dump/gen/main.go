// Command gen writes the files that `aws` and `kubectl` would have printed for a cluster of a chosen size, for
// benchmarks. Everything in them is synthetic; the same flags give the same bytes. Only benchmarks use it.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// size says how many objects of each kind the dump holds.
type size struct {
	pods, serviceAccounts, bindings, roles, iamRoles, associations, entries, nodes, rows, irsa int
	// ways leaves ways open from pods to an administrator of the account.
	ways bool
}

func main() {
	var s size
	out := flag.String("o", "", "folder to write to")
	flag.IntVar(&s.pods, "pods", 1000, "pods")
	flag.IntVar(&s.serviceAccounts, "serviceaccounts", 1000, "service accounts")
	flag.IntVar(&s.bindings, "bindings", 1000, "RoleBindings")
	flag.IntVar(&s.roles, "roles", 1000, "Roles")
	flag.IntVar(&s.iamRoles, "iamroles", 500, "IAM roles")
	flag.IntVar(&s.associations, "associations", 200, "Pod Identity associations")
	flag.IntVar(&s.entries, "entries", 50, "access entries")
	flag.IntVar(&s.nodes, "nodes", 50, "nodes and EC2 instances")
	flag.IntVar(&s.rows, "rows", 0, "rows of aws-auth; there is none without")
	flag.IntVar(&s.irsa, "irsa", 0, "service accounts that have a role through IRSA")
	flag.StringVar(&cluster, "cluster", cluster, "name of the cluster")
	flag.BoolVar(&s.ways, "ways", false, "leave ways open from pods to an administrator: every 50th Role runs and enters pods, every 1,000th pod is privileged, and one IAM role may do everything")
	flag.Parse()
	if *out == "" {
		fmt.Fprintln(os.Stderr, "gen: -o FOLDER is required")
		os.Exit(2)
	}
	if err := write(*out, s); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// write makes the folder and all files of the dump.
func write(dir string, s size) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range append(awsFiles(s), kubeFiles(s)...) {
		if err := writeFile(filepath.Join(dir, f.name), f.write); err != nil {
			return err
		}
	}
	return nil
}

// file is one file of the dump and what fills it.
type file struct {
	name  string
	write func(*bufio.Writer) error
}

func writeFile(path string, write func(*bufio.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	if err := write(w); err != nil {
		f.Close()
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := w.Flush(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// answer is a file that holds values one after the other, indented as both tools do.
func answer(name string, values ...any) file {
	return file{name, func(w *bufio.Writer) error {
		for _, v := range values {
			b, err := json.MarshalIndent(v, "", "    ")
			if err != nil {
				return err
			}
			w.Write(b)
			w.WriteByte('\n')
		}
		return nil
	}}
}

// list is a file that holds head, n items made one by one, and tail.
func list(name, head, tail string, n int, item func(int) any) file {
	return file{name, func(w *bufio.Writer) error {
		w.WriteString(head)
		for i := range n {
			if i > 0 {
				w.WriteByte(',')
			}
			w.WriteString("\n        ")
			b, err := json.MarshalIndent(item(i), "        ", "    ")
			if err != nil {
				return err
			}
			w.Write(b)
		}
		_, err := w.WriteString(tail)
		return err
	}}
}

// object is a JSON object.
type object = map[string]any
