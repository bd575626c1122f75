package arch

import (
	"go/ast"
	"maps"
	"regexp"
	"strings"
	"testing"
)

// reading are the operations of AWS that change nothing, and those that only make credentials.
var reading = regexp.MustCompile(`^(List|Describe|Get|BatchGet|Simulate|Lookup|Filter|AssumeRole)`)

// writing are the methods with which client-go's clients change things.
var writing = regexp.MustCompile(`^(Create|Update|UpdateStatus|Patch|Delete|DeleteCollection|Apply|ApplyStatus|Post|Put)$`)

// delivering are the operations that change nothing of what drawbridge judges, with the reason: each is one package's, on a
// queue, a topic or a hub that the user named.
var delivering = map[string]string{
	"internal/stream/s3 sqs.ReceiveMessageInput":                     "a message that is read is hidden from others for a while",
	"internal/stream/s3 sqs.ChangeMessageVisibilityInput":            "keeps it hidden while it is worked on",
	"internal/stream/s3 sqs.DeleteMessageInput":                      "acknowledges it: that is how a queue is read",
	"internal/sink/sns sns.PublishInput":                             "hands findings to those who subscribed to the topic",
	"internal/sink/securityhub securityhub.BatchImportFindingsInput": "hands findings to the hub",
}

// TestOnlyApplyWrites: only package apply, and the lab, which is no part of the program, can ask AWS or Kubernetes for a change,
// but for those that deliver.
// A call of the AWS SDK needs an Input; one of Kubernetes is a method of a client.
func TestOnlyApplyWrites(t *testing.T) {
	var found int
	unused := maps.Clone(delivering)
	for dir, files := range packages(t) {
		for name, f := range files {
			for _, w := range writes(f) {
				found++
				delete(unused, dir+" "+w)
				if delivering[dir+" "+w] != "" {
					continue
				}
				if dir != "internal/apply" && dir != "internal/lab" && !strings.HasPrefix(dir, "internal/lab/") && !strings.HasPrefix(dir, "oracle/") {
					t.Errorf("%s/%s: %s: only internal/apply writes to AWS or Kubernetes", dir, name, w)
				}
			}
		}
	}
	for w := range unused {
		t.Errorf("nobody calls %s: the exception is to go", w)
	}
	if found < 20 {
		t.Errorf("found %d writing calls, so the test does not see them", found)
	}
}

// writes are the writing calls of a file.
func writes(f *ast.File) []string {
	services, kubernetes := map[string]bool{}, false
	for _, imp := range f.Imports {
		p := strings.Trim(imp.Path.Value, `"`)
		if service, ok := strings.CutPrefix(p, "github.com/aws/aws-sdk-go-v2/service/"); ok {
			local := service[strings.LastIndexByte(service, '/')+1:]
			if imp.Name != nil {
				local = imp.Name.Name
			}
			services[local] = true
		}
		kubernetes = kubernetes || strings.HasPrefix(p, "k8s.io/client-go/dynamic") || strings.HasPrefix(p, "k8s.io/client-go/kubernetes") || p == "k8s.io/client-go/rest"
	}
	var all []string
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			operation, isInput := strings.CutSuffix(n.Sel.Name, "Input")
			if ok && services[x.Name] && isInput && !reading.MatchString(operation) {
				all = append(all, x.Name+"."+n.Sel.Name)
			}
		case *ast.CallExpr:
			s, ok := n.Fun.(*ast.SelectorExpr)
			if !ok || !kubernetes || !writing.MatchString(s.Sel.Name) {
				break
			}
			if x, ok := s.X.(*ast.Ident); !ok || !packageLike[x.Name] {
				all = append(all, s.Sel.Name)
			}
		}
		return true
	})
	return all
}

// packageLike are packages with functions of those names.
var packageLike = map[string]bool{"os": true, "slices": true, "strings": true}
