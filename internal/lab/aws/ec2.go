package aws

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"drawbridge/internal/lab/aws/wire"
)

// ec2State is a region's instances and launch templates by id.
type ec2State struct {
	instances map[string]*Instance
	templates map[string]*Template
}

func newEC2State() ec2State {
	return ec2State{map[string]*Instance{}, map[string]*Template{}}
}

// Instance is an EC2 instance as DescribeInstances shows it.
type Instance struct {
	InstanceID         string              `xml:"instanceId"`
	ImageID            string              `xml:"imageId,omitempty"`
	State              InstanceState       `xml:"instanceState"`
	PrivateDNSName     string              `xml:"privateDnsName,omitempty"`
	InstanceType       string              `xml:"instanceType,omitempty"`
	LaunchTime         *wire.Time          `xml:"launchTime,omitempty"`
	PrivateIPAddress   string              `xml:"privateIpAddress,omitempty"`
	PublicIPAddress    string              `xml:"ipAddress,omitempty"`
	SubnetID           string              `xml:"subnetId,omitempty"`
	VpcID              string              `xml:"vpcId,omitempty"`
	Tags               []EC2Tag            `xml:"tagSet>item,omitempty"`
	IAMInstanceProfile *IAMInstanceProfile `xml:"iamInstanceProfile,omitempty"`
	MetadataOptions    *MetadataOptions    `xml:"metadataOptions,omitempty"`
}

// InstanceState is an instance's state: 16, running, unless set.
type InstanceState struct {
	Code int    `xml:"code"`
	Name string `xml:"name"`
}

// EC2Tag is a tag in EC2's spelling.
type EC2Tag struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

// IAMInstanceProfile names an instance's profile.
type IAMInstanceProfile struct {
	ARN  string `xml:"arn,omitempty"`
	ID   string `xml:"id,omitempty"`
	Name string `xml:"name,omitempty"` // launch templates only
}

// MetadataOptions say how an instance's metadata service answers.
type MetadataOptions struct {
	State                   string `xml:"state,omitempty"`
	HTTPTokens              string `xml:"httpTokens,omitempty"` // required is IMDSv2 only
	HTTPPutResponseHopLimit int    `xml:"httpPutResponseHopLimit,omitempty"`
	HTTPEndpoint            string `xml:"httpEndpoint,omitempty"`
	HTTPProtocolIPv6        string `xml:"httpProtocolIpv6,omitempty"`
	InstanceMetadataTags    string `xml:"instanceMetadataTags,omitempty"`
}

// Template is a launch template with its versions; their numbers are their places, from 1.
type Template struct {
	LaunchTemplateID   string
	LaunchTemplateName string
	DefaultVersion     int
	Versions           []TemplateData
}

// TemplateData is what a version of a launch template sets.
type TemplateData struct {
	ImageID            string              `xml:"imageId,omitempty"`
	InstanceType       string              `xml:"instanceType,omitempty"`
	UserData           string              `xml:"userData,omitempty"` // base64
	IAMInstanceProfile *IAMInstanceProfile `xml:"iamInstanceProfile,omitempty"`
	MetadataOptions    *MetadataOptions    `xml:"metadataOptions,omitempty"`
	SecurityGroupIDs   []string            `xml:"securityGroupIdSet>item,omitempty"`
}

// PutInstance adds or replaces an instance, running unless its state says otherwise.
func (r *Region) PutInstance(i Instance) {
	r.acct.srv.mu.Lock()
	defer r.acct.srv.mu.Unlock()
	if i.State.Name == "" {
		i.State = InstanceState{16, "running"}
	}
	if i.LaunchTime == nil {
		i.LaunchTime = wire.At(r.acct.srv.now())
	}
	r.ec2.instances[i.InstanceID] = &i
}

// PutLaunchTemplate adds or replaces a launch template; the first version is the default unless set.
func (r *Region) PutLaunchTemplate(t Template) {
	r.acct.srv.mu.Lock()
	defer r.acct.srv.mu.Unlock()
	t.DefaultVersion = cmp.Or(t.DefaultVersion, 1)
	r.ec2.templates[t.LaunchTemplateID] = &t
}

// ec2Operations are the operations of EC2 that the lab has.
var ec2Operations = map[string]handler{
	"DescribeInstances":              op(describeInstances),
	"ModifyInstanceMetadataOptions":  op(modifyInstanceMetadataOptions),
	"DescribeLaunchTemplates":        op(describeLaunchTemplates),
	"DescribeLaunchTemplateVersions": op(describeLaunchTemplateVersions),
	"DescribeRegions":                op(describeRegions),
}

// ec2Query is EC2's dialect of the query protocol.
type ec2Query struct{}

const ec2Namespace = "http://ec2.amazonaws.com/doc/2016-11-15/"

func (ec2Query) decode(c *call, r *http.Request, body []byte) (*request, error) {
	return decodeForm(c, r, body, ec2Operations, func(*call, url.Values) string { return "*" }, true)
}

func (ec2Query) result(c *call, out any) (answer, error) {
	body, err := wire.EncodeFlatResult(c.operation, ec2Namespace, c.requestID, out)
	return answer{http.StatusOK, "text/xml;charset=UTF-8", body}, err
}

func (ec2Query) failure(c *call, f *fault) answer {
	body, _ := wire.EncodeFlatError(c.requestID, f.code, f.message)
	return answer{cmp.Or(f.status, 400), "text/xml;charset=UTF-8", body}
}

func (ec2Query) problem(_ *call, kind problemKind) (string, int) {
	switch kind {
	case unsigned:
		return "MissingAuthenticationToken", 403
	case unknownKey:
		return "AuthFailure", 401
	case notAllowed:
		return "UnauthorizedOperation", 403
	case throttled:
		return "RequestLimitExceeded", 503
	case unknownAction:
		return "InvalidAction", 400
	case badInput:
		return "InvalidParameterValue", 400
	}
	return "InternalError", 500
}

// filter is an EC2 filter: any of the values, each of which may have * and ?.
type filter struct {
	Name  string
	Value []string
}

func (f filter) matches(value string) bool {
	return slices.ContainsFunc(f.Value, func(pattern string) bool {
		ok, err := path.Match(strings.NewReplacer("[", `\[`, `\`, `\\`).Replace(pattern), value)
		return err == nil && ok || pattern == value
	})
}

type describeInstancesIn struct {
	Filter     []filter
	InstanceId []string
	MaxResults *int
	NextToken  string
}

type reservation struct {
	ReservationID string      `xml:"reservationId"`
	OwnerID       string      `xml:"ownerId"`
	Instances     []*Instance `xml:"instancesSet>item"`
}

type describeInstancesOut struct {
	Reservations []reservation `xml:"reservationSet>item"`
	NextToken    string        `xml:"nextToken,omitempty"`
}

// describeInstances puts each instance in a reservation of its own.
func describeInstances(c *call, in *describeInstancesIn) (describeInstancesOut, error) {
	var all []reservation
	for _, id := range in.InstanceId {
		if c.reg.ec2.instances[id] == nil {
			return describeInstancesOut{}, refuse("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", id)
		}
	}
	for _, i := range sorted(c.reg.ec2.instances) {
		if len(in.InstanceId) > 0 && !slices.Contains(in.InstanceId, i.InstanceID) {
			continue
		}
		ok, err := i.passes(in.Filter)
		if err != nil {
			return describeInstancesOut{}, err
		}
		if ok {
			all = append(all, reservation{"r-" + strings.TrimPrefix(i.InstanceID, "i-"), c.acct.ID, []*Instance{i}})
		}
	}
	items, next, err := page(c, all, fmt.Sprint(in.Filter, in.InstanceId), in.NextToken, in.MaxResults, ec2Pages)
	return describeInstancesOut{items, next}, err
}

// passes tells whether all filters let the instance through; a filter that the lab does not know is refused.
func (i *Instance) passes(filters []filter) (bool, error) {
	for _, f := range filters {
		var ok bool
		key, isTag := strings.CutPrefix(f.Name, "tag:")
		switch {
		case isTag:
			ok = slices.ContainsFunc(i.Tags, func(t EC2Tag) bool { return t.Key == key && f.matches(t.Value) })
		case f.Name == "tag-key":
			ok = slices.ContainsFunc(i.Tags, func(t EC2Tag) bool { return f.matches(t.Key) })
		case f.Name == "instance-id":
			ok = f.matches(i.InstanceID)
		case f.Name == "instance-state-name":
			ok = f.matches(i.State.Name)
		case f.Name == "private-dns-name":
			ok = f.matches(i.PrivateDNSName)
		case f.Name == "vpc-id":
			ok = f.matches(i.VpcID)
		case f.Name == "subnet-id":
			ok = f.matches(i.SubnetID)
		case f.Name == "iam-instance-profile.arn":
			ok = i.IAMInstanceProfile != nil && f.matches(i.IAMInstanceProfile.ARN)
		default:
			return false, invalid("The filter '%s' is invalid", f.Name)
		}
		if !ok {
			return false, nil
		}
	}
	return true, nil
}

type metadataIn struct {
	InstanceId              string `form:"InstanceId,required"`
	HttpTokens              *string
	HttpPutResponseHopLimit *int
	HttpEndpoint            *string
	HttpProtocolIpv6        *string
	InstanceMetadataTags    *string
}

type metadataOut struct {
	InstanceID      string          `xml:"instanceId"`
	MetadataOptions MetadataOptions `xml:"instanceMetadataOptions"`
}

func modifyInstanceMetadataOptions(c *call, in *metadataIn) (metadataOut, error) {
	i := c.reg.ec2.instances[in.InstanceId]
	if i == nil {
		return metadataOut{}, refuse("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", in.InstanceId)
	}
	next := MetadataOptions{}
	if i.MetadataOptions != nil {
		next = *i.MetadataOptions
	}
	set(&next.HTTPTokens, in.HttpTokens)
	set(&next.HTTPPutResponseHopLimit, in.HttpPutResponseHopLimit)
	set(&next.HTTPEndpoint, in.HttpEndpoint)
	set(&next.HTTPProtocolIPv6, in.HttpProtocolIpv6)
	set(&next.InstanceMetadataTags, in.InstanceMetadataTags)
	next.State = "applied"
	i.MetadataOptions = &next
	return metadataOut{in.InstanceId, next}, nil
}

type templatesIn struct {
	LaunchTemplateId   []string
	LaunchTemplateName []string
	MaxResults         *int
	NextToken          string
}

type templateXML struct {
	LaunchTemplateID   string `xml:"launchTemplateId"`
	LaunchTemplateName string `xml:"launchTemplateName"`
	DefaultVersion     int    `xml:"defaultVersionNumber"`
	LatestVersion      int    `xml:"latestVersionNumber"`
}

type templatesOut struct {
	LaunchTemplates []templateXML `xml:"launchTemplates>item"`
	NextToken       string        `xml:"nextToken,omitempty"`
}

func describeLaunchTemplates(c *call, in *templatesIn) (templatesOut, error) {
	var all []templateXML
	for _, t := range sorted(c.reg.ec2.templates) {
		byID := len(in.LaunchTemplateId) == 0 || slices.Contains(in.LaunchTemplateId, t.LaunchTemplateID)
		byName := len(in.LaunchTemplateName) == 0 || slices.Contains(in.LaunchTemplateName, t.LaunchTemplateName)
		if byID && byName {
			all = append(all, templateXML{t.LaunchTemplateID, t.LaunchTemplateName, t.DefaultVersion, len(t.Versions)})
		}
	}
	items, next, err := page(c, all, fmt.Sprint(in.LaunchTemplateId, in.LaunchTemplateName), in.NextToken, in.MaxResults, ec2Pages)
	return templatesOut{items, next}, err
}

type templateVersionsIn struct {
	LaunchTemplateId      string
	LaunchTemplateName    string
	LaunchTemplateVersion []string
	MaxResults            *int
	NextToken             string
}

type templateVersionXML struct {
	LaunchTemplateID   string       `xml:"launchTemplateId"`
	LaunchTemplateName string       `xml:"launchTemplateName"`
	VersionNumber      int          `xml:"versionNumber"`
	DefaultVersion     bool         `xml:"defaultVersion"`
	LaunchTemplateData TemplateData `xml:"launchTemplateData"`
}

type templateVersionsOut struct {
	Versions  []templateVersionXML `xml:"launchTemplateVersionSet>item"`
	NextToken string               `xml:"nextToken,omitempty"`
}

// describeLaunchTemplateVersions takes one template by id or name, or $Latest or $Default of all templates.
func describeLaunchTemplateVersions(c *call, in *templateVersionsIn) (templateVersionsOut, error) {
	var all []templateVersionXML
	known := false
	for _, t := range sorted(c.reg.ec2.templates) {
		if in.LaunchTemplateId != "" && in.LaunchTemplateId != t.LaunchTemplateID || in.LaunchTemplateName != "" && in.LaunchTemplateName != t.LaunchTemplateName {
			continue
		}
		known = true
		for n := range t.Versions {
			if t.asked(n+1, in.LaunchTemplateVersion) {
				all = append(all, templateVersionXML{t.LaunchTemplateID, t.LaunchTemplateName, n + 1, n+1 == t.DefaultVersion, t.Versions[n]})
			}
		}
	}
	switch {
	case in.LaunchTemplateId != "" && !known:
		return templateVersionsOut{}, refuse("InvalidLaunchTemplateId.NotFound", "The specified launch template, with template ID %s, does not exist.", in.LaunchTemplateId)
	case in.LaunchTemplateName != "" && !known:
		return templateVersionsOut{}, refuse("InvalidLaunchTemplateName.NotFoundException", "The specified launch template, with template name %s, does not exist.", in.LaunchTemplateName)
	case in.LaunchTemplateId+in.LaunchTemplateName != "" && len(in.LaunchTemplateVersion) > 0 && len(all) == 0:
		return templateVersionsOut{}, refuse("InvalidLaunchTemplateId.VersionNotFound", "Could not find the specified version %s of the launch template", strings.Join(in.LaunchTemplateVersion, ","))
	}
	items, next, err := page(c, all, fmt.Sprint(in.LaunchTemplateId, in.LaunchTemplateName, in.LaunchTemplateVersion), in.NextToken, in.MaxResults, pageLimits{200, 200})
	return templateVersionsOut{items, next}, err
}

func (t *Template) asked(n int, versions []string) bool {
	return len(versions) == 0 || slices.Contains(versions, strconv.Itoa(n)) ||
		n == len(t.Versions) && slices.Contains(versions, "$Latest") || n == t.DefaultVersion && slices.Contains(versions, "$Default")
}

type regionsIn struct {
	RegionName []string
	AllRegions bool
}

type regionXML struct {
	RegionName  string `xml:"regionName"`
	Endpoint    string `xml:"regionEndpoint"`
	OptInStatus string `xml:"optInStatus"`
}

type regionsOut struct {
	Regions []regionXML `xml:"regionInfo>item"`
}

// describeRegions shows the regions of the account that were used so far.
func describeRegions(c *call, in *regionsIn) (regionsOut, error) {
	var out regionsOut
	for _, r := range sorted(c.acct.regions) {
		if len(in.RegionName) == 0 || slices.Contains(in.RegionName, r.Name) {
			out.Regions = append(out.Regions, regionXML{r.Name, "ec2." + r.Name + "." + dnsSuffix(c.acct.Partition), "opt-in-not-required"})
		}
	}
	return out, nil
}
