package report

import "testing"

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
