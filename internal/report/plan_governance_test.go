package report

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/model"
)

// TestOwner has where an owner may be told, and what is not taken for one.
func TestOwner(t *testing.T) {
	for name, tt := range map[string]struct {
		places    []ownership
		who, told string
	}{
		"nobody":                         {nil, "", ""},
		"a tag, whatever its case":       {[]ownership{{map[string]string{"OWNER": "a"}, "tag of the role"}}, "a", "tag of the role OWNER"},
		"a label with a prefix":          {[]ownership{{map[string]string{"example.com/team": "b"}, "label"}}, "b", "label example.com/team"},
		"the clearer word counts first":  {[]ownership{{map[string]string{"team": "b"}, "label"}, {map[string]string{"owner": "a"}, "tag"}}, "a", "tag owner"},
		"the nearer place counts first":  {[]ownership{{map[string]string{"team": "b"}, "label"}, {map[string]string{"team": "a"}, "tag"}}, "b", "label team"},
		"an empty word tells nothing":    {[]ownership{{map[string]string{"owner": ""}, "label"}}, "", ""},
		"who manages it does not own it": {[]ownership{{map[string]string{"app.kubernetes.io/managed-by": "Helm"}, "label"}}, "", ""},
	} {
		if who, told := owner(tt.places); who != tt.who || told != tt.told {
			t.Errorf("%s: got %q, %q", name, who, told)
		}
	}
}

// TestPurpose has what a role is said to be for.
func TestPurpose(t *testing.T) {
	document := func(actions string) model.Document {
		return model.Document(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` + actions + `],"Resource":"*"},{"Effect":"Deny","Action":"iam:*","Resource":"*"}]}`)
	}
	role := &model.IAMRole{
		Attached: []string{"arn:aws:iam::aws:policy/Read", "arn:aws:iam::aws:policy/Unread"},
		Inline:   []model.InlinePolicy{{Name: "own", Document: document(`"sqs:SendMessage","s3:GetObject","s3:GetObject","S3:ListBucket","s3:PutObject","s3:DeleteObject"`)}, {Name: "broken", Document: "{"}},
	}
	policies, services := purpose(role, map[string]model.Document{"arn:aws:iam::aws:policy/Read": document(`"ec2:*","ec2:RunInstances"`)})
	if diff := cmp.Diff([]string{"Read", "Unread", "broken (inline)", "own (inline)"}, policies); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ec2 (*)", "s3 (DeleteObject, GetObject, ListBucket and 1 more)", "sqs (SendMessage)"}, services); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
}
