package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"drawbridge/detections"
	"drawbridge/internal/access"
	"drawbridge/internal/detect"
	"drawbridge/internal/event"
	"drawbridge/internal/finding"
	"drawbridge/internal/report"
	"drawbridge/internal/scan"
	"drawbridge/internal/sigma"
	"drawbridge/internal/stream/file"
	"drawbridge/internal/worker"
)

// detectOptions are the flags of detect.
type detectOptions struct {
	outputs
	gate

	logs      []string
	cluster   string
	snapshots []string
	egress    []string
	trusted   []string
	pipelines []string

	folder       string
	only, skip   []string
	severity     string
	shown        finding.Severity
	baseline     string
	suppressions string

	forward  string
	state    string
	metrics  string
	lateness time.Duration
	// dead takes what keeps failing and is passed over; nil without a state folder.
	dead func(input, reason string) error
	// refused is told of a post that the webhook refused; it may be nil.
	refused func()
	// sinks are where findings go besides reports.
	sinks      []string
	sinkSecret string
}

func newDetect(e *env) *cobra.Command {
	var o detectOptions
	cmd := &cobra.Command{
		Use:   "detect -f LOGS",
		Short: "Find attacks on the identity of EKS clusters in CloudTrail and audit logs",
		Long: `Find changes and abuse of the identity of EKS clusters in logs: CloudTrail, and the audit logs of API servers.
Both are read together, in any order and from any envelope (JSON lines, {"Records":[…]}, CloudWatch Logs exports,
.gz, .zst), and correlated: which pod held the access key, who made the pod, whose session that was.
A snapshot (drawbridge collect) sharpens what is found. What could not be read is counted and said.

Files are read once. A URL is read until the command is interrupted, and findings are written as they are made, one a
line. --state keeps what it takes to go on after a crash, and dead.jsonl in it what kept failing. The forms are
  sqs://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE    objects in S3, as a queue announces them
  kinesis://STREAM?region=REGION                  a data stream of Kinesis
  logs:///aws/eks/CLUSTER/cluster?region=REGION   a group of CloudWatch Logs; of both the ARN will do:
                                                  kinesis://arn:aws:kinesis:REGION:ACCOUNT:stream/NAME
  webhook://HOST:PORT?cert=FILE&key=FILE&client-ca=FILE&token-file=FILE
                                                  posts of API servers' audit webhooks, at /audit/CLUSTER
  nats://HOST:4222/NAME                           a log on NATS JetStream that any number of workers share;
                                                  --forward fills it
  kafka+tls://HOST:9092/TOPIC?sasl=SCRAM-SHA-512&user=NAME&password=FILE
                                                  likewise a topic of Kafka; also kafka://, and sasl=AWS_MSK_IAM

Exit status: 0 nothing at or above --fail-on, 1 could not do it, 2 called wrongly, 3 findings at or above
--fail-on, 4 something could not be read and --require-complete was given.`,
		Example: `  drawbridge detect -f cloudtrail/ -f audit.jsonl --cluster prod
  drawbridge detect -f logs/ --snapshot fleet.json.zst --egress 203.0.113.0/24 -o html=findings.html
  drawbridge detect -f - --cluster prod -o json
  drawbridge detect -f logs/ --forward nats://127.0.0.1:4222/events?partitions=16
  drawbridge detect -f nats://127.0.0.1:4222/events -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("detect takes no argument %q; logs are given with -f", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), e) },
	}
	o.outputs.flags(cmd, resultFormats())
	o.gate.flags(cmd)
	f := cmd.Flags()
	f.StringArrayVarP(&o.logs, "filename", "f", nil, "`PATH` of a log file or of a folder of them, or the URL of a stream; repeatable, - is standard input")
	f.StringVar(&o.cluster, "cluster", "", "`NAME` or ARN of the cluster whose audit logs do not say theirs; default: the only cluster of --snapshot")
	f.StringArrayVar(&o.snapshots, "snapshot", nil, "`PATH` of a snapshot or of dumps of the clusters and accounts, for context; repeatable")
	f.StringArrayVar(&o.egress, "egress", nil, "`CIDR` that the clusters' pods leave from, repeatable")
	f.StringArrayVar(&o.trusted, "trusted-account", nil, "`ID` of an AWS account whose principals are expected, repeatable; the cluster's own always is")
	f.StringArrayVar(&o.pipelines, "pipeline-role", nil, "`ARN` of an IAM role by which access entries are meant to be changed, repeatable")
	f.StringVar(&o.folder, "detections", "", "`FOLDER` of more detections, in Sigma")
	f.StringSliceVar(&o.only, "check", nil, "report only the detections with these `ID`s")
	f.StringSliceVar(&o.skip, "skip-check", nil, "leave out the detections with these `ID`s")
	f.StringVar(&o.severity, "severity", "", "show only findings of this `SEVERITY` or above; the exit status counts all")
	f.StringVar(&o.baseline, "baseline", "", "`FILE` with an earlier result in JSON: only what is new counts")
	f.StringVar(&o.suppressions, "suppressions", "", "`FILE` of accepted findings: id, subject, reason, owner, expiry")
	f.StringVar(&o.forward, "forward", "", "put the records, without credentials, into the log at this `URL` (nats://…, kafka://…) and detect nothing")
	f.StringArrayVar(&o.sinks, "sink", nil, "`URL` that findings are sent to as well, repeatable: "+sinkForms)
	f.StringVar(&o.sinkSecret, "sink-secret", "", "`FILE` with the key by which what is posted to an https sink is signed")
	f.StringVar(&o.state, "state", "", "`FOLDER` in which a continuous run keeps what it takes to go on after a crash")
	f.StringVar(&o.metrics, "metrics", "", "`ADDRESS` at which a continuous run shows its counts: /metrics for Prometheus, and /healthz; :PORT is of this machine alone")
	f.DurationVar(&o.lateness, "lateness", 15*time.Minute, "how much `LATER` than others an event of a stream may come; what late events can decide is decided then")
	return cmd
}

func (o *detectOptions) run(ctx context.Context, e *env) error {
	if len(o.logs) == 0 {
		return usage("detect: say which logs to read: -f PATH, or -f - for standard input")
	}
	if err := o.gate.parse(); err != nil {
		return err
	}
	if o.severity != "" {
		var err error
		if o.shown, err = finding.ParseSeverity(o.severity); err != nil {
			return usage("--severity: %w", err)
		}
	}
	if o.metrics != "" && (o.forward != "" || !o.continuous()) {
		return usage("--metrics: only a continuous detect has counts to watch")
	}
	if o.state != "" && (o.forward != "" || !o.continuous()) {
		return usage("--state: only a continuous detect goes on where it was; files are read anew")
	}
	if c := event.ParseCluster(o.cluster); strings.HasPrefix(o.cluster, "arn:") && c.ARN() == "" {
		return usage("--cluster %q: want a name, or an ARN of the form arn:aws:eks:REGION:ACCOUNT:cluster/NAME", o.cluster)
	}
	if o.forward != "" {
		return o.forwardTo(ctx, e)
	}
	if o.continuous() {
		return o.follow(ctx, e)
	}
	formats, err := o.outputs.parse()
	if err != nil {
		return err
	}
	r, err := o.prepare(ctx, e)
	if err != nil {
		return err
	}
	var found []finding.Finding
	bars := e.newProgress()
	var unread []finding.Gap
	logs := file.New(file.Options{Paths: o.logs, Stdin: e.stdin, Report: func(input string, err error) {
		if errors.Is(err, file.ErrNotRecognised) {
			fmt.Fprintf(e.stderr, "note: %s\n", printable(err.Error()))
			return
		}
		unread = append(unread, finding.Gap{Area: "events in " + input, Reason: err.Error()})
	}})
	summary, err := worker.Run(ctx, logs, worker.Options{
		Program: r.program, Context: r.known, Cluster: o.cluster, Engine: detect.Options{Now: e.now},
		Deliver: func(_ context.Context, fs []finding.Finding) error {
			found = append(found, r.chosen(fs)...)
			return nil
		},
		Progress: func(s worker.Status) { bars.count("events", s.Events.Read, s.Input) },
	})
	bars.done()
	if err == nil && summary.Events.Read == 0 && len(summary.Unparsed) > 0 {
		err = fmt.Errorf("read %s: no record in it can be read: %s", summary.Unparsed[0].Input, summary.Unparsed[0].Reason)
	}
	if err != nil && (len(unread) == 0 || errors.Is(err, file.ErrNotRecognised) || summary.Events.Read == 0 || ctx.Err() != nil) {
		return failed(err, "logs are CloudTrail records and audit events of the API server, in JSON; see docs/guide/detect.md")
	}
	if o.cluster == "" && slices.ContainsFunc(found, ofUnknownCluster) {
		fmt.Fprintln(e.stderr, "note: nothing says which cluster an audit log is of; --cluster does")
	}
	result := detectResult(summary, r.known)
	result.Gaps = append(result.Gaps, unread...)
	result.Time = e.now().UTC()
	r.accepted.Settle(result, found)
	result.Summary.ChecksRun = len(r.wanted)
	finding.Sort(result.Findings)
	display := *result
	display.Findings = slices.DeleteFunc(slices.Clone(result.Findings), func(f finding.Finding) bool { return !o.shows(f) })
	if err := o.send(ctx, e, r, result.Findings); err != nil {
		return err
	}
	err = e.write(formats, func(w io.Writer, format string, to report.Options) error { return writeResult(w, format, &display, to) })
	if err != nil {
		return err
	}
	return o.gate.judge(result)
}

// ofUnknownCluster says that a finding is about an audit event of nobody knows which cluster.
func ofUnknownCluster(f finding.Finding) bool {
	return f.Cluster == "" && len(f.Evidence) > 0 && strings.HasPrefix(f.Evidence[0].Source, "audit event ")
}

// send hands findings to the sinks.
func (o *detectOptions) send(ctx context.Context, e *env, r *ready, fs []finding.Finding) error {
	sinks, closeSinks, err := o.openSinks(ctx, e, r.known)
	if err != nil {
		return err
	}
	defer closeSinks()
	if err := sinks.Deliver(ctx, fs); err != nil {
		return failed(err, "")
	}
	return nil
}

// ready is what a run needs besides its logs.
type ready struct {
	program  *detect.Program
	known    *detect.Context
	accepted scan.Options
	wanted   map[string]bool
}

// prepare reads everything that can be called wrongly before anything that takes time.
func (o *detectOptions) prepare(ctx context.Context, e *env) (*ready, error) {
	r := &ready{}
	var err error
	if r.accepted, err = e.acceptances(o.suppressions, o.baseline); err != nil {
		return nil, err
	}
	if r.program, err = o.program(); err != nil {
		return nil, err
	}
	if r.wanted, err = o.wanted(r.program); err != nil {
		return nil, err
	}
	r.known, err = o.context(ctx, e)
	return r, err
}

// chosen leaves out the findings of detections that were not asked for.
func (r *ready) chosen(fs []finding.Finding) []finding.Finding {
	return slices.DeleteFunc(fs, func(f finding.Finding) bool { return !r.wanted[f.ID] })
}

func (o *detectOptions) shows(f finding.Finding) bool {
	return o.shown == "" || f.Severity.AtLeast(o.shown)
}

// program is the built-in detections, and those of the user's folder, which go before built-in ones of the same name.
func (o *detectOptions) program() (*detect.Program, error) {
	rules, err := detect.Rules(detections.Files)
	if err != nil {
		return nil, failed(err, "")
	}
	if o.folder != "" {
		own, err := detect.Rules(os.DirFS(o.folder))
		if err != nil {
			return nil, failed(fmt.Errorf("read the detections in %s: %w", o.folder, err), "`drawbridge detections test -f "+o.folder+"` says more")
		}
		rules = append(own, slices.DeleteFunc(rules, func(r *sigma.Rule) bool {
			return slices.ContainsFunc(own, func(u *sigma.Rule) bool { return u.File == r.File })
		})...)
	}
	program, err := detect.Compile(rules)
	if err != nil {
		return nil, failed(err, "")
	}
	return program, nil
}

// wanted are the ids of the detections to report.
func (o *detectOptions) wanted(p *detect.Program) (map[string]bool, error) {
	for _, id := range slices.Concat(o.only, o.skip) {
		if p.Detection(id) == nil {
			return nil, &exitError{code: exitUsage, err: fmt.Errorf("there is no detection %q", id), hint: "`drawbridge detections list` lists all"}
		}
	}
	out := map[string]bool{}
	for _, d := range p.Detections {
		if (len(o.only) == 0 || slices.Contains(o.only, d.ID)) && !slices.Contains(o.skip, d.ID) {
			out[d.ID] = true
		}
	}
	return out, nil
}

// context is what is known besides the logs.
func (o *detectOptions) context(ctx context.Context, e *env) (*detect.Context, error) {
	if err := accountIDs(o.trusted); err != nil {
		return nil, err
	}
	known := &detect.Context{Trusted: o.trusted, Pipelines: o.pipelines}
	for _, s := range o.egress {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			if a, bad := netip.ParseAddr(s); bad == nil {
				p, err = a.Prefix(a.BitLen())
			}
		}
		if err != nil {
			return nil, usage("--egress %q: want an address or a CIDR", s)
		}
		known.Egress = append(known.Egress, p.Masked())
	}
	if len(o.snapshots) == 0 {
		return known, nil
	}
	in := inputs{files: o.snapshots}
	s, err := in.loadFiles(ctx, e, nil)
	if err != nil {
		return nil, err
	}
	known.Access = access.New(s)
	if o.cluster == "" && len(s.Clusters) == 1 {
		o.cluster = orName(s.Clusters[0].ARN, s.Clusters[0].Name)
	}
	return known, nil
}

func orName(arn, name string) string {
	if arn != "" {
		return arn
	}
	return name
}

// detectResult is a result without its findings.
func detectResult(s *worker.Summary, known *detect.Context) *finding.Result {
	r := &finding.Result{
		Version: finding.Version, Kind: finding.KindDetect, Tool: finding.Tool{Version: version()},
		Clusters: []finding.Cluster{}, Findings: []finding.Finding{}, Gaps: []finding.Gap{}, Suppressed: []finding.Suppressed{}, Events: &s.Events,
	}
	for _, name := range s.Clusters {
		r.Clusters = append(r.Clusters, known.Facts(name))
	}
	for _, u := range s.Unparsed {
		r.Gaps = append(r.Gaps, finding.Gap{
			Area:   "events in " + u.Input,
			Reason: fmt.Sprintf("%s could not be read, the first at byte %d: %s", records(u.Count), u.Offset, u.Reason),
		})
	}
	for what, n := range map[string]int64{"windows": s.Stats.Evicted, "facts": s.Stats.Forgotten, "second looks": s.Stats.Early} {
		if n > 0 {
			r.Gaps = append(r.Gaps, finding.Gap{Area: "memory of events", Reason: fmt.Sprintf("%d %s were given up for want of room: what they would have shown is missed", n, what)})
		}
	}
	slices.SortFunc(r.Gaps, func(a, b finding.Gap) int { return strings.Compare(a.Area+a.Reason, b.Area+b.Reason) })
	return r
}

// acceptances are what is set aside of findings.
func (e *env) acceptances(suppressions, baseline string) (scan.Options, error) {
	o := scan.Options{Now: e.now()}
	if suppressions != "" {
		f, err := os.Open(suppressions)
		if err != nil {
			return o, failed(err, "")
		}
		defer f.Close()
		if o.Suppressions, err = scan.ParseSuppressions(f, suppressions); err != nil {
			return o, failed(err, "a suppression has id, subject, reason, and maybe owner and expiry; see docs/guide/suppressions.md")
		}
	}
	if baseline != "" {
		known, err := e.readResult(baseline)
		if err != nil {
			return o, failed(err, "a baseline is what `drawbridge scan -o json` wrote, or detect -o json")
		}
		o.BaselineFile, o.Baseline = baseline, map[string]bool{}
		for _, f := range known.Findings {
			o.Baseline[f.Fingerprint] = true
		}
		for _, f := range known.Suppressed {
			o.Baseline[f.Fingerprint] = true
		}
	}
	return o, nil
}

// builtIn are the detections of this program.
var builtIn = sync.OnceValues(func() (*detect.Program, error) { return detect.Load(detections.Files) })

// detectionByID is a built-in detection, and nil if there is none of that id.
func detectionByID(id string) *detect.Detection {
	p, err := builtIn()
	if err != nil {
		return nil
	}
	return p.Detection(id)
}

// allDetections are the built-in detections, by id.
func allDetections() []*detect.Detection {
	p, err := builtIn()
	if err != nil {
		return nil
	}
	return p.Detections
}

func records[N int | int64](n N) string {
	if n == 1 {
		return "1 record"
	}
	return fmt.Sprintf("%d records", n)
}
