package plan

import (
	"slices"
	"strconv"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// SetAuthenticationMode takes a cluster's authentication mode one step on.
type SetAuthenticationMode struct {
	Cluster string `json:"cluster"`
	Mode    string `json:"mode"`
}

// Apply sets the mode. Modes go forward only, one step at a time: CONFIG_MAP, API_AND_CONFIG_MAP, API (EKS User Guide,
// "Change authentication mode to use access entries", 2026-11). The entry that EKS makes for the creator of a cluster when it
// leaves CONFIG_MAP is not simulated: who that is nobody can read.
func (c SetAuthenticationMode) Apply(s *model.Snapshot) error {
	k, err := c.find(s)
	if err != nil {
		return err
	}
	d := *k.Description
	d.AuthenticationMode = c.Mode
	k.Description = &d
	return nil
}

func (c SetAuthenticationMode) find(s *model.Snapshot) (*model.Cluster, error) {
	k, err := cluster(s, c.Cluster)
	if err != nil {
		return nil, err
	}
	before := map[string]string{model.ModeAPIConfigMap: model.ModeConfigMap, model.ModeAPI: model.ModeAPIConfigMap}[c.Mode]
	if before == "" {
		return nil, &Unmet{"cluster " + c.Cluster, "mode API_AND_CONFIG_MAP or API to go to", orNone(c.Mode)}
	}
	if k.Description == nil || k.AuthenticationMode() != before {
		return nil, &Unmet{"cluster " + c.Cluster, "authentication mode " + before, orNone(k.AuthenticationMode())}
	}
	return k, nil
}

// Inverse says that there is none.
func (c SetAuthenticationMode) Inverse(before *model.Snapshot) ([]Change, error) {
	if _, err := c.find(before); err != nil {
		return nil, err
	}
	return nil, &Irreversible{"authentication modes go forward only"}
}

func (c SetAuthenticationMode) String() string { return "set authentication mode " + c.Mode }

func (c SetAuthenticationMode) details() details {
	return details{
		target:       clusterTarget(c.Cluster),
		command:      eks("update-cluster-config", c.Cluster, "--access-config", "authenticationMode="+c.Mode),
		precondition: "the authentication mode is the one before " + c.Mode,
		verify:       eks("describe-cluster", c.Cluster, "--query", "cluster.accessConfig.authenticationMode"),
	}
}

// UpdateClusterLogging switches types of control-plane logs on and off.
type UpdateClusterLogging struct {
	Cluster string   `json:"cluster"`
	Enable  []string `json:"enable,omitzero"`
	Disable []string `json:"disable,omitzero"`
}

// Apply changes the types that are named; the others stay as they are.
func (c UpdateClusterLogging) Apply(s *model.Snapshot) error {
	k, err := c.find(s)
	if err != nil {
		return err
	}
	d := *k.Description
	d.EnabledLogs = slices.DeleteFunc(slices.Clone(d.EnabledLogs), func(kind string) bool { return slices.Contains(c.Disable, kind) })
	d.EnabledLogs = append(d.EnabledLogs, c.Enable...)
	k.Description = &d
	return nil
}

func (c UpdateClusterLogging) find(s *model.Snapshot) (*model.Cluster, error) {
	k, err := cluster(s, c.Cluster)
	if err != nil {
		return nil, err
	}
	object := "cluster " + c.Cluster
	if k.Description == nil {
		return nil, &Unmet{object, "its description", "none"}
	}
	if len(c.Enable)+len(c.Disable) == 0 {
		return nil, &Unmet{object, "a type of log to switch", "none"}
	}
	for i, kind := range c.Enable {
		if slices.Contains(k.Description.EnabledLogs, kind) || slices.Contains(c.Enable[:i], kind) {
			return nil, &Unmet{object, "log " + kind + " switched off", "it switched on"}
		}
	}
	for i, kind := range c.Disable {
		if !slices.Contains(k.Description.EnabledLogs, kind) || slices.Contains(c.Disable[:i], kind) {
			return nil, &Unmet{object, "log " + kind + " switched on", "it switched off"}
		}
	}
	return k, nil
}

// Inverse switches back.
func (c UpdateClusterLogging) Inverse(before *model.Snapshot) ([]Change, error) {
	if _, err := c.find(before); err != nil {
		return nil, err
	}
	return []Change{UpdateClusterLogging{Cluster: c.Cluster, Enable: c.Disable, Disable: c.Enable}}, nil
}

func (c UpdateClusterLogging) String() string {
	switch {
	case len(c.Disable) == 0:
		return "switch on control-plane logs " + listed(c.Enable)
	case len(c.Enable) == 0:
		return "switch off control-plane logs " + listed(c.Disable)
	}
	return "switch on control-plane logs " + listed(c.Enable) + " and off " + listed(c.Disable)
}

func (c UpdateClusterLogging) details() details {
	type setup struct {
		Types   []string `json:"types"`
		Enabled bool     `json:"enabled"`
	}
	var setups []setup
	if len(c.Enable) > 0 {
		setups = append(setups, setup{c.Enable, true})
	}
	if len(c.Disable) > 0 {
		setups = append(setups, setup{c.Disable, false})
	}
	return details{
		target:       clusterTarget(c.Cluster),
		command:      eks("update-cluster-config", c.Cluster, "--logging", jsonText(map[string]any{"clusterLogging": setups})),
		precondition: "the logs are switched the other way",
		verify:       eks("describe-cluster", c.Cluster, "--query", "cluster.logging"),
	}
}

// SetLogRetention says how many days the control-plane logs of a cluster are kept; 0 is for ever.
type SetLogRetention struct {
	Cluster  string `json:"cluster"`
	LogGroup string `json:"logGroup"`
	Days     int    `json:"days"`
}

// Apply sets the retention of the log group.
func (c SetLogRetention) Apply(s *model.Snapshot) error {
	k, err := c.find(s)
	if err != nil {
		return err
	}
	g := *k.LogGroup
	g.RetentionDays = c.Days
	k.LogGroup = &g
	return nil
}

func (c SetLogRetention) find(s *model.Snapshot) (*model.Cluster, error) {
	k, err := cluster(s, c.Cluster)
	if err != nil {
		return nil, err
	}
	object := "log group " + c.LogGroup
	if k.LogGroup == nil || k.LogGroup.Name != c.LogGroup {
		return nil, &Unmet{object, "it", "none of that name"}
	}
	if c.Days < 0 || k.LogGroup.RetentionDays == c.Days {
		return nil, &Unmet{object, "another retention", days(k.LogGroup.RetentionDays)}
	}
	return k, nil
}

// Inverse sets the old retention. Shortening it deletes what is older, which nothing brings back.
func (c SetLogRetention) Inverse(before *model.Snapshot) ([]Change, error) {
	k, err := c.find(before)
	if err != nil {
		return nil, err
	}
	old := k.LogGroup.RetentionDays
	if c.Days > 0 && (old == 0 || c.Days < old) {
		return nil, &Irreversible{"events older than " + days(c.Days) + " are deleted"}
	}
	return []Change{SetLogRetention{c.Cluster, c.LogGroup, old}}, nil
}

func (c SetLogRetention) String() string {
	return "keep the events of log group " + c.LogGroup + " " + days(c.Days)
}

func (c SetLogRetention) details() details {
	logs := func(command string, args ...string) string {
		all := []string{"aws", "logs", command}
		if _, region := nameOf(c.Cluster); region != "" {
			all = append(all, "--region", region)
		}
		return Shell(append(all, args...)...)
	}
	command := logs("put-retention-policy", "--log-group-name", c.LogGroup, "--retention-in-days", strconv.Itoa(c.Days))
	if c.Days == 0 {
		command = logs("delete-retention-policy", "--log-group-name", c.LogGroup)
	}
	return details{
		target: clusterTarget(c.Cluster), command: command,
		precondition: "the log group is there and keeps events for another time",
		verify:       logs("describe-log-groups", "--log-group-name-prefix", c.LogGroup),
	}
}

func days(n int) string {
	if n == 0 {
		return "for ever"
	}
	return strconv.Itoa(n) + " days"
}

func clusterTarget(id string) finding.Target {
	name, _ := nameOf(id)
	subject := finding.Subject{Kind: "Cluster", Name: name}
	if name != id {
		subject.ARN = id
	}
	return finding.Target{Cluster: id, Subject: subject}
}
