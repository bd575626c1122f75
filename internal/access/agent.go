package access

import (
	"slices"
	"strings"

	"drawbridge/internal/model"
)

// AgentName is the name of the Pod Identity agent: of its DaemonSet, its container and its image's repository
// (aws/eks-pod-identity-agent, charts, 2026-11).
const AgentName = "eks-pod-identity-agent"

// AutoComputeType marks the nodes of EKS Auto Mode, which have the agent built in (EKS User Guide, "Set up the Amazon EKS
// Pod Identity Agent", 2026-11).
const AutoComputeType = "auto"

// Repository is an image's name without tag and digest.
func Repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if tag := strings.LastIndexByte(image, ':'); tag > strings.LastIndexByte(image, '/') {
		image = image[:tag]
	}
	return image
}

// IsAgentImage says whether an image is named as the agent's, from whichever registry. Only of containers with such an
// image a snapshot holds the arguments.
func IsAgentImage(image string) bool { return strings.HasSuffix(Repository(image), AgentName) }

// Agents returns the units that are the Pod Identity agent, or call themselves so: by image, by name, or by label.
func (c *Cluster) Agents() []*Unit {
	var all []*Unit
	for _, u := range c.Units() {
		name := u.Object.Subject().Name
		if w, ok := u.Object.(*model.Workload); ok {
			name = w.Name
		}
		if strings.HasPrefix(name, AgentName) || u.Labels["app.kubernetes.io/name"] == AgentName ||
			slices.ContainsFunc(u.Spec.Containers, func(k model.Container) bool { return IsAgentImage(k.Image) }) {
			all = append(all, u)
		}
	}
	return all
}

// NeedsAgent says whether pods on a node need the agent's DaemonSet there to get credentials through Pod Identity. Auto
// Mode has it built in; Fargate and Windows cannot have it.
func NeedsAgent(n *model.Node) bool {
	compute := n.Labels[ComputeTypeLabel]
	return compute != AutoComputeType && compute != "fargate" && n.OS != "windows" && n.Labels[OSLabel] != "windows"
}

// Flag is one argument of a program: --name value, --name=value, or a word that is neither.
type Flag struct {
	// Name is without its dashes; empty for a word.
	Name  string
	Value string
}

// Flags reads a container's arguments as pflag does, where a single dash stands before one letter: -v trace, -vtrace and
// -v=trace are one. Which flags take a value is not told by their form: a word that follows a flag counts as its value.
func Flags(args []string) []Flag {
	var all []Flag
	for _, a := range args {
		name, dashed := strings.CutPrefix(a, "-")
		switch n := len(all) - 1; {
		case dashed && name != "":
			long, double := strings.CutPrefix(name, "-")
			f := Flag{name[:1], strings.TrimPrefix(name[1:], "=")}
			if double {
				f.Name, f.Value, _ = strings.Cut(long, "=")
			}
			all = append(all, f)
		case n >= 0 && all[n].Name != "" && all[n].Value == "":
			all[n].Value = a
		default:
			all = append(all, Flag{"", a})
		}
	}
	return all
}
