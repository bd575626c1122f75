package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"drawbridge/checks"
	"drawbridge/internal/awsdata"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

func newVersion(e *env) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of drawbridge, of its formats and of its data",
		Example: "  drawbridge version",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(e.stdout, "drawbridge %s\n%s, %s/%s\nresults %s, snapshots %s\n%d checks\naccess policies as AWS published them on %s\n"+
				"copies of AWS managed policies of %s, of the Service Authorization Reference of %s\n",
				version(), runtime.Version(), runtime.GOOS, runtime.GOARCH, finding.Version, model.Version, len(checks.All), awsdata.AccessPoliciesDate(),
				awsdata.ManagedPoliciesDate(), awsdata.ServiceDataDate())
			return err
		},
	}
}
