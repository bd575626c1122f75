package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"drawbridge/internal/access"
	"drawbridge/internal/event"
	"drawbridge/internal/migrate"
	"drawbridge/internal/model"
	"drawbridge/internal/stream"
	"drawbridge/internal/stream/file"
)

// auditLogs are the logs that tell who still comes in by aws-auth, or what the roles of nodes are used for.
type auditLogs struct{ paths []string }

// What --audit-log is to the commands that have it.
const (
	auditLogsHelp = "`PATH` of Kubernetes audit logs, of days: a file or a folder, as the API server or CloudWatch Logs writes them, compressed or not, repeatable; tells who still comes in by aws-auth"
	nodeLogsHelp  = "`PATH` of CloudTrail logs: a file or a folder, compressed or not, repeatable; tells what the roles of nodes were used for"
)

func (o *auditLogs) flags(cmd *cobra.Command, help string) {
	cmd.Flags().StringArrayVar(&o.paths, "audit-log", nil, help)
}

// check holds the flag against the inputs.
func (o *auditLogs) check(in *inputs) error {
	if slices.Contains(o.paths, "-") && slices.Contains(in.files, "-") {
		return usage("standard input can be read once: both -f and --audit-log name it")
	}
	return nil
}

// read reads all logs and holds them against what stands. Without logs there is no evidence.
func (o *auditLogs) read(ctx context.Context, e *env, s *model.Snapshot, all *access.Access) ([]migrate.Evidence, error) {
	if len(o.paths) == 0 {
		return nil, nil
	}
	w := migrate.NewWatch(s, all)
	if err := e.readLogs(ctx, o.paths, w.See); err != nil {
		return nil, err
	}
	for _, lost := range []struct {
		n    int
		what string
	}{
		{w.Unassigned, "of a cluster that neither they nor their file tell: read the logs of one cluster at a time, or as CloudWatch Logs hands them out"},
		{w.Foreign, "of clusters that were not read"},
		{w.Other, "no Kubernetes audit records"},
	} {
		if lost.n > 0 {
			fmt.Fprintf(e.stderr, "note: %s of the audit logs: %s\n", records(lost.n), printable(lost.what))
		}
	}
	return w.Evidence(), nil
}

// ofNodes reads all logs for what the roles of nodes were used for. It is nil without logs.
func (o *auditLogs) ofNodes(ctx context.Context, e *env) (*migrate.NodeUse, error) {
	if len(o.paths) == 0 {
		return nil, nil
	}
	use := migrate.NewNodeUse()
	if err := e.readLogs(ctx, o.paths, use.See); err != nil {
		return nil, err
	}
	if use.Other > 0 {
		fmt.Fprintf(e.stderr, "note: %d records of the logs are not CloudTrail's, and tell nothing of nodes\n", use.Other)
	}
	return use, nil
}

// readLogs hands out the records of logs, one after the other. A log that cannot be read to its end is an error; records that
// cannot be read are counted.
func (e *env) readLogs(ctx context.Context, paths []string, see func(*event.Event)) error {
	unparsed := 0
	var first error
	var ev event.Event
	logs := file.New(file.Options{Paths: paths, Stdin: e.stdin, Report: func(input string, err error) {
		if !slices.Contains(paths, input) { // these are in the error
			fmt.Fprintf(e.stderr, "note: %s\n", printable(err.Error()))
		}
	}})
	err := logs.Receive(ctx, func(ctx context.Context, b stream.Batch) error {
		defer b.Release()
		d := event.NewDecoder(b.Body, event.Options{Input: b.Input, Cluster: b.Cluster})
		for ctx.Err() == nil {
			err := d.Next(&ev)
			if _, skip := errors.AsType[*event.Unparsed](err); skip {
				unparsed++
				first = cmp.Or(first, err)
				continue
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			see(&ev)
		}
		return ctx.Err()
	})
	if err != nil {
		return failed(fmt.Errorf("read audit logs: %w", err), "evidence of a part of the logs would be none: take the path out, or mend it")
	}
	if unparsed > 0 {
		fmt.Fprintf(e.stderr, "note: %s of the audit logs could not be read, the first: %s\n", records(unparsed), printable(first.Error()))
	}
	return nil
}

// stillNeeded refuses to empty aws-auth of rows that the logs say are needed, and says what is not known where there are none.
func (e *env) stillNeeded(r *migrate.Result, accept bool) error {
	if len(r.Evidence) == 0 {
		fmt.Fprintln(e.stderr, "note: no audit log was read, so that nobody has seen whether somebody still comes in by these rows: --audit-log PATH, with days of logs, tells")
		return nil
	}
	var needed []string
	for i := range r.Evidence {
		fmt.Fprintf(e.stderr, "note: %s\n", printable(r.Evidence[i].Span()))
		for _, row := range r.Evidence[i].Depending() {
			if r.Removes(row) {
				needed = append(needed, fmt.Sprintf("%s row %d, %s: %s", row.Block, row.Row, row.ARN, row.Seen))
			}
		}
	}
	if len(needed) == 0 || accept {
		return nil
	}
	return &exitError{
		code: exitFindings, err: fmt.Errorf("rows that are to go are still needed, by the audit logs:\n  %s", strings.Join(needed, "\n  ")),
		hint: "find out why these do not come in by their access entries; --accept-changes takes the rows out all the same",
	}
}
