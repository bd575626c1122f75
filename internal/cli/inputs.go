package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"drawbridge/internal/demo"
	"drawbridge/internal/model"
	"drawbridge/internal/source/dump"
)

// inputs say where the state comes from. The flags are the same on every command that reads state.
type inputs struct {
	clusters    []string
	allClusters bool
	regions     []string
	profile     string
	roles       []string
	externalID  string
	others      []string // roles to assume in other accounts
	kubeconfig  string
	context     string // of the kubeconfig

	files []string
	demo  bool
	// bare says that of objects in snapshot files names, references and rules will do.
	bare bool
}

func (in *inputs) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&in.clusters, "cluster", nil, "`NAME` of an EKS cluster to read, repeatable; default: the cluster of the kubeconfig context")
	f.BoolVar(&in.allClusters, "all-clusters", false, "read every EKS cluster of the account in the regions")
	f.StringArrayVar(&in.regions, "region", nil, "AWS `REGION`, repeatable; default: that of the kubeconfig context or of the AWS profile")
	f.StringVar(&in.profile, "profile", "", "AWS `PROFILE`")
	f.StringArrayVar(&in.roles, "role-arn", nil, "`ARN` of an IAM role to assume; repeated, each is assumed by the one before")
	f.StringVar(&in.externalID, "external-id", "", "external `ID` for the last --role-arn")
	f.StringArrayVar(&in.others, "account-role", nil, "`ARN` of an IAM role to assume in another account, whose IAM is read, and changed by --apply, with it; repeatable")
	f.StringArrayVarP(&in.files, "filename", "f", nil,
		"`PATH` of a snapshot, of what aws and kubectl printed, of manifests, or of a folder of them; repeatable, - is standard input")
	f.BoolVar(&in.demo, "demo", false, "use the built-in small fleet with everything wrong")
	f.StringVar(&in.kubeconfig, "kubeconfig", "", "`PATH` of the kubeconfig file; default: KUBECONFIG, else ~/.kube/config")
	f.StringVar(&in.context, "context", "", "`NAME` of the kubeconfig context; default: the current one")
	cmd.MarkFlagsMutuallyExclusive("demo", "filename")
	for _, live := range []string{"cluster", "all-clusters", "region", "profile", "role-arn", "external-id", "account-role", "kubeconfig", "context"} {
		cmd.MarkFlagsMutuallyExclusive("demo", live)
		cmd.MarkFlagsMutuallyExclusive("filename", live)
	}
	cmd.MarkFlagsMutuallyExclusive("cluster", "all-clusters")
}

// kube loads the kubeconfig as kubectl does.
func (in *inputs) kube() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = in.kubeconfig
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: in.context})
}

// load reads the state into one snapshot; with areas given, no others are decoded of snapshot files.
func (in *inputs) load(ctx context.Context, e *env, areas ...model.Area) (*model.Snapshot, error) {
	switch {
	case in.demo:
		s, err := demo.Snapshot()
		if err != nil {
			return nil, failed(err, "")
		}
		return s, nil
	case len(in.files) > 0:
		return in.loadFiles(ctx, e, areas)
	}
	return in.loadLive(ctx, e)
}

func (in *inputs) loadFiles(ctx context.Context, e *env, areas []model.Area) (*model.Snapshot, error) {
	if i := slices.Index(in.files, "-"); i >= 0 && slices.Contains(in.files[i+1:], "-") {
		return nil, usage("standard input can be read once: -f - was given twice")
	}
	s, notices, err := dump.Open(ctx, in.files, e.stdin, dump.Options{Areas: areas, Bare: in.bare})
	for _, n := range notices {
		fmt.Fprintf(e.stderr, "note: %s\n", printable(n.String()))
	}
	var unrecognised *dump.Unrecognised
	if errors.As(err, &unrecognised) {
		return nil, failed(err, "README.md, \"A folder of dumps\", lists the commands whose output is read")
	}
	if err != nil {
		return nil, failed(err, "")
	}
	return s, nil
}
