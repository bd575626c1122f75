package aws

import (
	"encoding/json"
	"slices"
	"strings"

	"drawbridge/internal/lab/aws/wire"
)

// trailState is a region's trails by name.
type trailState map[string]*Trail

// Trail is a CloudTrail trail as DescribeTrails shows it, with its selectors and whether it logs.
type Trail struct {
	Name                       string `json:"Name"`
	S3BucketName               string `json:"S3BucketName,omitempty"`
	S3KeyPrefix                string `json:"S3KeyPrefix,omitempty"`
	SnsTopicName               string `json:"SnsTopicName,omitempty"`
	SnsTopicARN                string `json:"SnsTopicARN,omitempty"`
	IncludeGlobalServiceEvents bool   `json:"IncludeGlobalServiceEvents"`
	IsMultiRegionTrail         bool   `json:"IsMultiRegionTrail"`
	HomeRegion                 string `json:"HomeRegion,omitempty"`
	TrailARN                   string `json:"TrailARN,omitempty"`
	LogFileValidationEnabled   bool   `json:"LogFileValidationEnabled"`
	CloudWatchLogsLogGroupARN  string `json:"CloudWatchLogsLogGroupArn,omitempty"`
	CloudWatchLogsRoleARN      string `json:"CloudWatchLogsRoleArn,omitempty"`
	KMSKeyID                   string `json:"KmsKeyId,omitempty"`
	HasCustomEventSelectors    bool   `json:"HasCustomEventSelectors"`
	HasInsightSelectors        bool   `json:"HasInsightSelectors"`
	IsOrganizationTrail        bool   `json:"IsOrganizationTrail"`

	EventSelectors         []EventSelector `json:"-"`
	AdvancedEventSelectors json.RawMessage `json:"-"` // as GetEventSelectors shows it
	Logging                bool            `json:"-"`
	Started, Stopped       *wire.Time      `json:"-"`
}

// EventSelector says which events a trail records.
type EventSelector struct {
	ReadWriteType                 string         `json:"ReadWriteType,omitempty"`
	IncludeManagementEvents       *bool          `json:"IncludeManagementEvents,omitempty"`
	DataResources                 []DataResource `json:"DataResources"`
	ExcludeManagementEventSources []string       `json:"ExcludeManagementEventSources"`
}

// DataResource picks data events.
type DataResource struct {
	Type   string   `json:"Type,omitempty"`
	Values []string `json:"Values,omitempty"`
}

// PutTrail adds or replaces a trail whose home is this region, as it is.
func (r *Region) PutTrail(t Trail) {
	r.acct.srv.mu.Lock()
	defer r.acct.srv.mu.Unlock()
	r.putTrail(t)
}

func (r *Region) putTrail(t Trail) *Trail {
	fill(&t.HomeRegion, r.Name)
	fill(&t.TrailARN, r.arn("cloudtrail", "trail/"+t.Name))
	if t.Logging && t.Started == nil {
		t.Started = wire.At(r.acct.srv.now())
	}
	r.trails[t.Name] = &t
	return &t
}

// trailOperations are the operations of CloudTrail that the lab has.
var trailOperations = map[string]handler{
	"DescribeTrails":    op(describeTrails),
	"GetTrail":          op(getTrail),
	"ListTrails":        op(listTrails),
	"GetTrailStatus":    op(getTrailStatus),
	"GetEventSelectors": op(getEventSelectors),
	"PutEventSelectors": op(putEventSelectors),
	"CreateTrail":       op(createTrail),
	"UpdateTrail":       op(updateTrail),
	"StartLogging":      op(startLogging),
	"StopLogging":       op(stopLogging),
	"DeleteTrail":       op(deleteTrail),
}

// visible are the trails of this region and, as shadows, those of other regions that cover it.
func (c *call) visible(shadows bool) []*Trail {
	all := sorted(c.reg.trails)
	if !shadows {
		return all
	}
	for _, r := range sorted(c.acct.regions) {
		if r == c.reg {
			continue
		}
		for _, t := range sorted(r.trails) {
			if t.IsMultiRegionTrail {
				all = append(all, t)
			}
		}
	}
	return all
}

func (c *call) trail(name string, shadows bool) (*Trail, error) {
	for _, t := range c.visible(shadows) {
		if t.TrailARN == name || t.Name == name && t.HomeRegion == c.reg.Name {
			return t, nil
		}
	}
	return nil, refuse("TrailNotFoundException", "Unknown trail: %s for the user: %s", name, c.acct.ID)
}

type describeTrailsIn struct {
	TrailNameList       []string `json:"trailNameList"`
	IncludeShadowTrails *bool    `json:"includeShadowTrails"`
}

type describeTrailsOut struct {
	TrailList []*Trail `json:"trailList"`
}

func describeTrails(c *call, in *describeTrailsIn) (describeTrailsOut, error) {
	out := describeTrailsOut{TrailList: []*Trail{}}
	for _, t := range c.visible(in.IncludeShadowTrails == nil || *in.IncludeShadowTrails) {
		if len(in.TrailNameList) == 0 || slices.Contains(in.TrailNameList, t.Name) || slices.Contains(in.TrailNameList, t.TrailARN) {
			out.TrailList = append(out.TrailList, t)
		}
	}
	return out, nil
}

type trailNameIn struct {
	Name string
}

type getTrailOut struct {
	Trail *Trail
}

func getTrail(c *call, in *trailNameIn) (getTrailOut, error) {
	t, err := c.trail(in.Name, true)
	return getTrailOut{t}, err
}

type trailInfo struct {
	TrailARN, Name, HomeRegion string
}

type listTrailsIn struct {
	NextToken string
}

type listTrailsOut struct {
	Trails    []trailInfo
	NextToken string `json:",omitempty"`
}

func listTrails(c *call, in *listTrailsIn) (listTrailsOut, error) {
	all := []trailInfo{}
	for _, t := range c.visible(true) {
		all = append(all, trailInfo{t.TrailARN, t.Name, t.HomeRegion})
	}
	items, next, err := page(c, all, "", in.NextToken, nil, pageLimits{100, 100})
	return listTrailsOut{items, next}, err
}

type trailStatusOut struct {
	IsLogging        bool
	StartLoggingTime *wire.Time `json:",omitempty"`
	StopLoggingTime  *wire.Time `json:",omitempty"`
}

func getTrailStatus(c *call, in *trailNameIn) (trailStatusOut, error) {
	t, err := c.trail(in.Name, true)
	if err != nil {
		return trailStatusOut{}, err
	}
	return trailStatusOut{t.Logging, t.Started, t.Stopped}, nil
}

type selectorsIn struct {
	TrailName              string
	EventSelectors         []EventSelector
	AdvancedEventSelectors json.RawMessage
}

type selectorsOut struct {
	TrailARN               string
	EventSelectors         []EventSelector `json:",omitempty"`
	AdvancedEventSelectors json.RawMessage `json:",omitempty"`
}

// getEventSelectors of a trail without its own shows the default: all management events.
func getEventSelectors(c *call, in *selectorsIn) (selectorsOut, error) {
	t, err := c.trail(in.TrailName, true)
	if err != nil {
		return selectorsOut{}, err
	}
	out := selectorsOut{t.TrailARN, t.EventSelectors, t.AdvancedEventSelectors}
	if len(out.EventSelectors) == 0 && len(out.AdvancedEventSelectors) == 0 {
		out.EventSelectors = []EventSelector{{"All", orBool(nil, true), []DataResource{}, []string{}}}
	}
	return out, nil
}

func putEventSelectors(c *call, in *selectorsIn) (selectorsOut, error) {
	t, err := c.trail(in.TrailName, false)
	if err != nil {
		return selectorsOut{}, err
	}
	if (len(in.EventSelectors) == 0) == (len(in.AdvancedEventSelectors) == 0) {
		return selectorsOut{}, refuse("InvalidEventSelectorsException", "Give either event selectors or advanced event selectors")
	}
	t.EventSelectors, t.AdvancedEventSelectors, t.HasCustomEventSelectors = in.EventSelectors, in.AdvancedEventSelectors, true
	return selectorsOut{t.TrailARN, t.EventSelectors, t.AdvancedEventSelectors}, nil
}

// trailSettings are what CreateTrail and UpdateTrail take.
type trailSettings struct {
	Name                       string
	S3BucketName               *string
	S3KeyPrefix                *string
	SnsTopicName               *string
	IncludeGlobalServiceEvents *bool
	IsMultiRegionTrail         *bool
	EnableLogFileValidation    *bool
	CloudWatchLogsLogGroupArn  *string
	CloudWatchLogsRoleArn      *string
	KmsKeyId                   *string
	IsOrganizationTrail        *bool
	TagsList                   []Tag
}

type trailSettingsOut struct {
	Name                       string
	S3BucketName               string
	S3KeyPrefix                string `json:",omitempty"`
	SnsTopicName               string `json:",omitempty"`
	IncludeGlobalServiceEvents bool
	IsMultiRegionTrail         bool
	TrailARN                   string
	LogFileValidationEnabled   bool
	CloudWatchLogsLogGroupArn  string `json:",omitempty"`
	CloudWatchLogsRoleArn      string `json:",omitempty"`
	KmsKeyId                   string `json:",omitempty"`
	IsOrganizationTrail        bool
}

func (t *Trail) settings() trailSettingsOut {
	return trailSettingsOut{
		t.Name, t.S3BucketName, t.S3KeyPrefix, t.SnsTopicName, t.IncludeGlobalServiceEvents, t.IsMultiRegionTrail, t.TrailARN,
		t.LogFileValidationEnabled, t.CloudWatchLogsLogGroupARN, t.CloudWatchLogsRoleARN, t.KMSKeyID, t.IsOrganizationTrail,
	}
}

func (in *trailSettings) apply(t *Trail) {
	set(&t.S3BucketName, in.S3BucketName)
	set(&t.S3KeyPrefix, in.S3KeyPrefix)
	set(&t.SnsTopicName, in.SnsTopicName)
	set(&t.IncludeGlobalServiceEvents, in.IncludeGlobalServiceEvents)
	set(&t.IsMultiRegionTrail, in.IsMultiRegionTrail)
	set(&t.LogFileValidationEnabled, in.EnableLogFileValidation)
	set(&t.CloudWatchLogsLogGroupARN, in.CloudWatchLogsLogGroupArn)
	set(&t.CloudWatchLogsRoleARN, in.CloudWatchLogsRoleArn)
	set(&t.KMSKeyID, in.KmsKeyId)
	set(&t.IsOrganizationTrail, in.IsOrganizationTrail)
}

// set copies a value that was given.
func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// createTrail does not start logging; StartLogging does (CreateTrail, CloudTrail API Reference, 2026-11).
func createTrail(c *call, in *trailSettings) (trailSettingsOut, error) {
	if in.Name == "" || strings.Contains(in.Name, ":") {
		return trailSettingsOut{}, refuse("InvalidTrailNameException", "Trail name is not valid")
	}
	if c.reg.trails[in.Name] != nil {
		return trailSettingsOut{}, refuse("TrailAlreadyExistsException", "Trail %s already exists for customer: %s", in.Name, c.acct.ID)
	}
	if in.S3BucketName == nil || *in.S3BucketName == "" {
		return trailSettingsOut{}, refuse("InvalidS3BucketNameException", "Bucket name cannot be blank!")
	}
	t := Trail{Name: in.Name, IncludeGlobalServiceEvents: true}
	in.apply(&t)
	return c.reg.putTrail(t).settings(), nil
}

func updateTrail(c *call, in *trailSettings) (trailSettingsOut, error) {
	t, err := c.trail(in.Name, false)
	if err != nil {
		return trailSettingsOut{}, err
	}
	in.apply(t)
	return t.settings(), nil
}

func startLogging(c *call, in *trailNameIn) (struct{}, error) {
	t, err := c.trail(in.Name, false)
	if err == nil {
		t.Logging, t.Started = true, c.time()
	}
	return struct{}{}, err
}

func stopLogging(c *call, in *trailNameIn) (struct{}, error) {
	t, err := c.trail(in.Name, false)
	if err == nil {
		t.Logging, t.Stopped = false, c.time()
	}
	return struct{}{}, err
}

func deleteTrail(c *call, in *trailNameIn) (struct{}, error) {
	t, err := c.trail(in.Name, false)
	if err == nil {
		delete(c.reg.trails, t.Name)
	}
	return struct{}{}, err
}
