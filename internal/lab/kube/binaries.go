package kube

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Version is the Kubernetes version that the lab runs, as /version reports it.
const Version = "v1.36.3"

// binary is one program of the lab: its file name, the nested module that pins it and the package that it is built from.
type binary struct {
	name, module, pkg string
	kubernetes        bool // wants Kubernetes' version flags
}

var (
	etcd              = binary{name: "etcd", module: "oracle/kubebin", pkg: "go.etcd.io/etcd/server/v3"}
	apiserver         = binary{name: "kube-apiserver", module: "oracle/kubebin", pkg: "k8s.io/kubernetes/cmd/kube-apiserver", kubernetes: true}
	controllerManager = binary{name: "kube-controller-manager", module: "oracle/kubebin", pkg: "k8s.io/kubernetes/cmd/kube-controller-manager", kubernetes: true}
)

// What EKS puts in front of Kubernetes and behind it.
var (
	// authenticator is EKS' own authentication webhook (kubernetes-sigs/aws-iam-authenticator, v0.7.8).
	authenticator = binary{name: "aws-iam-authenticator", module: "oracle/authnbin", pkg: "sigs.k8s.io/aws-iam-authenticator/cmd/aws-iam-authenticator"}
	// accessPolicy stands in for EKS' authorizer of access policies, whose code nobody has seen.
	accessPolicy = binary{name: "access-policy-webhook", module: "oracle/kubebin", pkg: "./accesspolicy"}
)

// all are the lab's programs.
var all = []binary{etcd, apiserver, controllerManager, authenticator, accessPolicy}

// BinDir returns the folder of the lab's binaries: <root>/<Kubernetes version>-<hash>, where the root is
// $DRAWBRIDGE_LAB_DIR or the folder drawbridge/lab in the user's cache, and the hash covers the module files, our own
// program and the build recipe. A changed pin therefore never meets an old binary. It is an error not to be in a checkout
// of this repository, for the pins are there.
func BinDir() (string, error) {
	repo, err := repository()
	if err != nil {
		return "", err
	}
	root := os.Getenv("DRAWBRIDGE_LAB_DIR")
	if root == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find the cache folder for the lab: %w", err)
		}
		root = filepath.Join(cache, "drawbridge", "lab")
	}
	sum := sha256.New()
	fmt.Fprintln(sum, recipe)
	for _, f := range []string{
		"kubebin/go.mod", "kubebin/go.sum", "kubebin/accesspolicy/main.go", "kubebin/accesspolicy/decide/decide.go", "authnbin/go.mod", "authnbin/go.sum",
	} {
		b, err := os.ReadFile(filepath.Join(repo, "oracle", f))
		if err != nil {
			return "", fmt.Errorf("read the pins of the lab: %w", err)
		}
		sum.Write(b)
	}
	return filepath.Join(root, fmt.Sprintf("%s-%x", Version, sum.Sum(nil)[:6])), nil
}

// repository returns the root of the checkout: the nearest folder above the working directory whose go.mod is the
// product's. `go test` and `go run` both start inside it, and -trimpath leaves no other trace of it.
func repository() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if b, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && moduleName(b) == "drawbridge" {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no checkout of drawbridge at or above %s", wd)
		}
	}
}

func moduleName(gomod []byte) string {
	s := bufio.NewScanner(bytes.NewReader(gomod))
	for s.Scan() {
		if name, ok := strings.CutPrefix(s.Text(), "module "); ok {
			return strings.TrimSpace(name)
		}
	}
	return ""
}

// find returns an error that says how to build it if one of the programs is not in dir.
func find(dir string) error {
	for _, b := range all {
		if _, err := os.Stat(filepath.Join(dir, b.name)); err != nil {
			return fmt.Errorf("the lab has no %s in %s: run `make lab` (minutes, once) to build it", b.name, dir)
		}
	}
	return nil
}

// Require skips the test, with the reason and the remedy, when the lab's programs are not built. Where CI=true it fails
// instead: there a missing oracle is a broken build, not somebody's laptop.
func Require(t testing.TB) {
	t.Helper()
	dir, err := BinDir()
	if err == nil {
		err = find(dir)
	}
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}
