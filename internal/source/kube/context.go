package kube

import (
	"net/url"
	"path"
	"regexp"
	"strings"

	"k8s.io/client-go/tools/clientcmd/api"
)

// Ref is what a kubeconfig tells of the EKS cluster behind one of its contexts. All but the name may be empty.
type Ref struct {
	Name    string
	Region  string
	Account string
	// Profile and RoleARN are the AWS profile and the IAM role that the credential command uses.
	Profile string
	RoleARN string
}

// ClusterFromContext returns the EKS cluster of a context, or of the current one for "". It looks at the credential
// command first, for that decides which cluster the token is for; then at names that `aws eks update-kubeconfig` gives
// (the cluster's ARN) and that eksctl gives (user@name.region.eksctl.io). It returns false where neither names a
// cluster. What it returns was written by whoever wrote the kubeconfig.
func ClusterFromContext(config api.Config, context string) (Ref, bool) {
	if context == "" {
		context = config.CurrentContext
	}
	ctx := config.Contexts[context]
	if ctx == nil {
		return Ref{}, false
	}
	var ref Ref
	if user := config.AuthInfos[ctx.AuthInfo]; user != nil && user.Exec != nil {
		ref = fromCommand(user.Exec)
	}
	for _, name := range []string{ctx.Cluster, ctx.AuthInfo, context} {
		ref = ref.merge(fromName(name))
	}
	if ref.Name == "" {
		return Ref{}, false
	}
	if cluster := config.Clusters[ctx.Cluster]; cluster != nil && ref.Region == "" {
		ref.Region = fromServer(cluster.Server)
	}
	return ref, true
}

// merge fills in what r does not know from what another source says of the same cluster.
func (r Ref) merge(o Ref) Ref {
	if o.Name == "" || r.Name != "" && r.Name != o.Name || r.Region != "" && r.Region != o.Region {
		return r
	}
	r.Name, r.Region = o.Name, o.Region
	if r.Account == "" {
		r.Account = o.Account
	}
	return r
}

// fromCommand reads `aws eks get-token` and `aws-iam-authenticator token`.
func fromCommand(e *api.ExecConfig) Ref {
	env := map[string]string{}
	for _, v := range e.Env {
		env[v.Name] = v.Value
	}
	flags, words := split(e.Args)
	ref := Ref{
		Region:  first(flags["--region"], env["AWS_REGION"], env["AWS_DEFAULT_REGION"]),
		Profile: first(flags["--profile"], env["AWS_PROFILE"], env["AWS_DEFAULT_PROFILE"]),
		// `aws eks update-kubeconfig --role-arn` writes --role.
		RoleARN: first(flags["--role-arn"], flags["--role"], flags["-r"]),
	}
	switch command := strings.TrimSuffix(path.Base(strings.ReplaceAll(e.Command, `\`, "/")), ".exe"); {
	case command == "aws" && strings.Join(words, " ") == "eks get-token":
		ref.Name = flags["--cluster-name"]
	case command == "aws-iam-authenticator" && strings.Join(words, " ") == "token":
		ref.Name = first(flags["--cluster-id"], flags["-i"])
	}
	if !clusterName.MatchString(ref.Name) {
		return Ref{}
	}
	if !regionName.MatchString(ref.Region) {
		ref.Region = ""
	}
	return ref
}

// switches are the flags without a value.
var switches = map[string]bool{
	"--debug": true, "--no-verify-ssl": true, "--no-paginate": true, "--no-sign-request": true, "--no-cli-pager": true,
	"--no-cli-auto-prompt": true, "--cli-auto-prompt": true, "--forward-session-name": true, "--cache": true, "--token-only": true,
}

// split separates flags with their values from the other words of a command line.
func split(args []string) (flags map[string]string, words []string) {
	flags = map[string]string{}
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		switch {
		case !strings.HasPrefix(name, "-"):
			words = append(words, args[i])
		case joined:
			flags[name] = value
		case switches[name]:
		case i+1 < len(args):
			i++
			flags[name] = args[i]
		}
	}
	return flags, words
}

// What EKS accepts as a cluster's name (EKS API, CreateCluster, 2026-11), and the form of all regions' names.
var (
	clusterName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$`)
	regionName  = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$`)
	clusterARN  = regexp.MustCompile(`^arn:aws[a-z-]*:eks:([a-z0-9-]+):([0-9]{12}):cluster/([0-9A-Za-z][0-9A-Za-z_-]{0,99})$`)
	eksctlName  = regexp.MustCompile(`^(?:.*@)?([0-9A-Za-z][0-9A-Za-z_-]{0,99})\.([a-z0-9-]+)\.eksctl\.io$`)
)

// fromName reads the name of a context, a cluster or a user.
func fromName(name string) Ref {
	if m := clusterARN.FindStringSubmatch(name); m != nil && regionName.MatchString(m[1]) {
		return Ref{Name: m[3], Region: m[1], Account: m[2]}
	}
	if m := eksctlName.FindStringSubmatch(name); m != nil && regionName.MatchString(m[2]) {
		return Ref{Name: m[1], Region: m[2]}
	}
	return Ref{}
}

// fromServer returns the region in the address of an EKS API server, https://<id>.<x>.<region>.eks.amazonaws.com, or "".
func fromServer(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return ""
	}
	host := strings.TrimSuffix(u.Hostname(), ".cn")
	if host, ok := strings.CutSuffix(host, ".eks.amazonaws.com"); ok {
		if region := host[strings.LastIndexByte(host, '.')+1:]; regionName.MatchString(region) {
			return region
		}
	}
	return ""
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
