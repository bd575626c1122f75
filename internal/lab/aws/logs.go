package aws

import (
	"slices"
	"strings"
)

// logState is a region's log groups by name.
type logState map[string]*LogGroup

// LogGroup is a CloudWatch Logs group with its subscription filters.
type LogGroup struct {
	LogGroupName    string `json:"logGroupName"`
	CreationTime    int64  `json:"creationTime"` // milliseconds since 1970
	RetentionInDays *int   `json:"retentionInDays,omitempty"`
	MetricFilters   int    `json:"metricFilterCount"`
	ARN             string `json:"arn"`         // ends in ":*"
	LogGroupARN     string `json:"logGroupArn"` // does not
	StoredBytes     int64  `json:"storedBytes"`
	KMSKeyID        string `json:"kmsKeyId,omitempty"`
	LogGroupClass   string `json:"logGroupClass,omitempty"`

	SubscriptionFilters []SubscriptionFilter `json:"-"`
}

// SubscriptionFilter sends a log group's events elsewhere.
type SubscriptionFilter struct {
	FilterName     string `json:"filterName"`
	LogGroupName   string `json:"logGroupName"`
	FilterPattern  string `json:"filterPattern"`
	DestinationARN string `json:"destinationArn"`
	RoleARN        string `json:"roleArn,omitempty"`
	Distribution   string `json:"distribution,omitempty"`
	CreationTime   int64  `json:"creationTime"` // milliseconds since 1970
}

// PutLogGroup adds or replaces a log group as it is.
func (r *Region) PutLogGroup(g LogGroup) {
	r.acct.srv.mu.Lock()
	defer r.acct.srv.mu.Unlock()
	r.putLogGroup(g)
}

func (r *Region) putLogGroup(g LogGroup) {
	fill(&g.LogGroupARN, r.arn("logs", "log-group:"+g.LogGroupName))
	fill(&g.ARN, g.LogGroupARN+":*")
	fill(&g.LogGroupClass, "STANDARD")
	if g.CreationTime == 0 {
		g.CreationTime = r.acct.srv.now().UnixMilli()
	}
	for i := range g.SubscriptionFilters {
		f := &g.SubscriptionFilters[i]
		f.LogGroupName = g.LogGroupName
		fill(&f.Distribution, "ByLogStream")
		if f.CreationTime == 0 {
			f.CreationTime = g.CreationTime
		}
	}
	r.logs[g.LogGroupName] = &g
}

// logsOperations are the operations of CloudWatch Logs that the lab has.
var logsOperations = map[string]handler{
	"DescribeLogGroups":           op(describeLogGroups),
	"CreateLogGroup":              op(createLogGroup),
	"DeleteLogGroup":              op(deleteLogGroup),
	"PutRetentionPolicy":          op(putRetentionPolicy),
	"DeleteRetentionPolicy":       op(deleteRetentionPolicy),
	"DescribeSubscriptionFilters": op(describeSubscriptionFilters),
	"PutSubscriptionFilter":       op(putSubscriptionFilter),
	"DeleteSubscriptionFilter":    op(deleteSubscriptionFilter),
}

func (c *call) logGroup(name string) (*LogGroup, error) {
	if g := c.reg.logs[name]; g != nil {
		return g, nil
	}
	return nil, refuse("ResourceNotFoundException", "The specified log group does not exist.")
}

type describeLogGroupsIn struct {
	LogGroupNamePrefix    string   `json:"logGroupNamePrefix"`
	LogGroupNamePattern   string   `json:"logGroupNamePattern"`
	LogGroupIdentifiers   []string `json:"logGroupIdentifiers"`
	LogGroupClass         string   `json:"logGroupClass"`
	IncludeLinkedAccounts bool     `json:"includeLinkedAccounts"`
	NextToken             string   `json:"nextToken"`
	Limit                 *int     `json:"limit"`
}

type describeLogGroupsOut struct {
	LogGroups []LogGroup `json:"logGroups"`
	NextToken string     `json:"nextToken,omitempty"`
}

func describeLogGroups(c *call, in *describeLogGroupsIn) (describeLogGroupsOut, error) {
	if in.LogGroupNamePrefix != "" && in.LogGroupNamePattern != "" {
		return describeLogGroupsOut{}, invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	all := []LogGroup{}
	for _, g := range sorted(c.reg.logs) {
		named := len(in.LogGroupIdentifiers) == 0 || slices.Contains(in.LogGroupIdentifiers, g.LogGroupName) || slices.Contains(in.LogGroupIdentifiers, g.LogGroupARN)
		found := strings.Contains(strings.ToLower(g.LogGroupName), strings.ToLower(in.LogGroupNamePattern))
		if named && found && strings.HasPrefix(g.LogGroupName, in.LogGroupNamePrefix) && (in.LogGroupClass == "" || in.LogGroupClass == g.LogGroupClass) {
			all = append(all, *g)
		}
	}
	items, next, err := page(c, all, in.LogGroupNamePrefix+"\x00"+in.LogGroupNamePattern, in.NextToken, in.Limit, logsPages)
	return describeLogGroupsOut{items, next}, err
}

type createLogGroupIn struct {
	LogGroupName  string            `json:"logGroupName"`
	KMSKeyID      string            `json:"kmsKeyId"`
	Tags          map[string]string `json:"tags"`
	LogGroupClass string            `json:"logGroupClass"`
}

func createLogGroup(c *call, in *createLogGroupIn) (none, error) {
	if c.reg.logs[in.LogGroupName] != nil {
		return none{}, refuse("ResourceAlreadyExistsException", "The specified log group already exists")
	}
	c.reg.putLogGroup(LogGroup{LogGroupName: in.LogGroupName, KMSKeyID: in.KMSKeyID, LogGroupClass: in.LogGroupClass})
	return none{}, nil
}

type logGroupIn struct {
	LogGroupName string `json:"logGroupName"`
}

func deleteLogGroup(c *call, in *logGroupIn) (none, error) {
	_, err := c.logGroup(in.LogGroupName)
	delete(c.reg.logs, in.LogGroupName)
	return none{}, err
}

type retentionIn struct {
	LogGroupName    string `json:"logGroupName"`
	RetentionInDays int    `json:"retentionInDays"`
}

func putRetentionPolicy(c *call, in *retentionIn) (none, error) {
	g, err := c.logGroup(in.LogGroupName)
	if err == nil {
		g.RetentionInDays = &in.RetentionInDays
	}
	return none{}, err
}

func deleteRetentionPolicy(c *call, in *logGroupIn) (none, error) {
	g, err := c.logGroup(in.LogGroupName)
	if err == nil {
		g.RetentionInDays = nil
	}
	return none{}, err
}

type describeFiltersIn struct {
	LogGroupName     string `json:"logGroupName"`
	FilterNamePrefix string `json:"filterNamePrefix"`
	NextToken        string `json:"nextToken"`
	Limit            *int   `json:"limit"`
}

type describeFiltersOut struct {
	SubscriptionFilters []SubscriptionFilter `json:"subscriptionFilters"`
	NextToken           string               `json:"nextToken,omitempty"`
}

func describeSubscriptionFilters(c *call, in *describeFiltersIn) (describeFiltersOut, error) {
	g, err := c.logGroup(in.LogGroupName)
	if err != nil {
		return describeFiltersOut{}, err
	}
	all := []SubscriptionFilter{}
	for _, f := range g.SubscriptionFilters {
		if strings.HasPrefix(f.FilterName, in.FilterNamePrefix) {
			all = append(all, f)
		}
	}
	items, next, err := page(c, all, in.LogGroupName+"\x00"+in.FilterNamePrefix, in.NextToken, in.Limit, logsPages)
	return describeFiltersOut{items, next}, err
}

type putFilterIn struct {
	FilterName     string `json:"filterName"`
	LogGroupName   string `json:"logGroupName"`
	FilterPattern  string `json:"filterPattern"`
	DestinationARN string `json:"destinationArn"`
	RoleARN        string `json:"roleArn"`
	Distribution   string `json:"distribution"`
}

// putSubscriptionFilter: a log group has two at most (PutSubscriptionFilter, CloudWatch Logs API Reference, 2026-11).
func putSubscriptionFilter(c *call, in *putFilterIn) (none, error) {
	g, err := c.logGroup(in.LogGroupName)
	if err != nil {
		return none{}, err
	}
	fill(&in.Distribution, "ByLogStream")
	f := SubscriptionFilter{in.FilterName, in.LogGroupName, in.FilterPattern, in.DestinationARN, in.RoleARN, in.Distribution, c.now().UnixMilli()}
	i := slices.IndexFunc(g.SubscriptionFilters, func(old SubscriptionFilter) bool { return old.FilterName == in.FilterName })
	switch {
	case i >= 0:
		g.SubscriptionFilters[i] = f
	case len(g.SubscriptionFilters) >= 2:
		return none{}, refuse("LimitExceededException", "Resource limit exceeded.")
	default:
		g.SubscriptionFilters = append(g.SubscriptionFilters, f)
	}
	return none{}, nil
}

type deleteFilterIn struct {
	LogGroupName string `json:"logGroupName"`
	FilterName   string `json:"filterName"`
}

func deleteSubscriptionFilter(c *call, in *deleteFilterIn) (none, error) {
	g, err := c.logGroup(in.LogGroupName)
	if err != nil {
		return none{}, err
	}
	before := len(g.SubscriptionFilters)
	g.SubscriptionFilters = slices.DeleteFunc(g.SubscriptionFilters, func(f SubscriptionFilter) bool { return f.FilterName == in.FilterName })
	if len(g.SubscriptionFilters) == before {
		return none{}, refuse("ResourceNotFoundException", "The specified subscription filter does not exist.")
	}
	return none{}, nil
}
