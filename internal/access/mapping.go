package access

import (
	"strings"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// Mapping is a row of aws-auth as an object that a finding can be about.
type Mapping struct {
	*authenticator.Row
	ConfigMap *model.AWSAuth
}

// Subject names the row by its ARN as written.
func (m *Mapping) Subject() finding.Subject {
	return finding.Subject{Kind: "AwsAuthMapping", Name: m.Written.ARN}
}

// Place is where the ConfigMap stands in a user's file, or nil.
func (m *Mapping) Place() *finding.Location { return m.ConfigMap.Loc }

// Key tells rows of one ARN apart in fingerprints.
func (m *Mapping) Key() string {
	return string(m.Kind) + " " + m.Written.Username + " " + strings.Join(m.Written.Groups, ",")
}

// Mappings returns the rows of aws-auth that the cluster's mode lets count: none in mode API.
func (c *Cluster) Mappings() []*Mapping {
	if !c.ReadsAWSAuth() || c.ParsedAWSAuth() == nil {
		return nil
	}
	rows := c.ParsedAWSAuth().Rows
	all := make([]*Mapping, len(rows))
	for i := range rows {
		all[i] = &Mapping{Row: &rows[i], ConfigMap: c.AWSAuth}
	}
	return all
}

// EntryOf finds the access entry of the principal that a row of aws-auth maps: the same ARN, the entry's path aside,
// whatever the case.
func (c *Cluster) EntryOf(m *Mapping) *model.AccessEntry {
	return c.entryByBare()[strings.ToLower(m.Read.ARN)]
}

func (c *Cluster) newEntryByBare() map[string]*model.AccessEntry {
	by := map[string]*model.AccessEntry{}
	for _, e := range c.AccessEntries {
		if bare, err := authenticator.StripPath(e.PrincipalARN); err == nil {
			by[strings.ToLower(bare)] = e
		}
	}
	return by
}
