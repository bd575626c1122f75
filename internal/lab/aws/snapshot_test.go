package aws

import (
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"drawbridge/internal/lab/aws/wire"
)

// TestQueryRequestSnapshots replays the SDK's own recordings of the query services, which carry every
// parameter an operation has: what the lab does not keep is listed here, so that nothing is left out unseen.
func TestQueryRequestSnapshots(t *testing.T) {
	services := []struct {
		name       string
		operations map[string]handler
		flat       bool
		leftOut    map[string]string
	}{
		{"iam", iamOperations, false, nil},
		{"sts", stsOperations, false, map[string]string{
			"AssumeRole":                "MinimumSessionTokenSize ProvidedContexts SerialNumber TokenCode",
			"AssumeRoleWithWebIdentity": "MinimumSessionTokenSize",
		}},
		{"ec2", ec2Operations, true, map[string]string{
			"DescribeInstances":              "DryRun IncludeManagedResources",
			"DescribeLaunchTemplates":        "DryRun Filter IncludeManagedResources",
			"DescribeLaunchTemplateVersions": "DryRun Filter IncludeManagedResources MaxVersion MinVersion ResolveAlias",
			"DescribeRegions":                "DryRun Filter",
			"ModifyInstanceMetadataOptions":  "DryRun",
		}},
	}
	for _, s := range services {
		t.Run(s.name, func(t *testing.T) {
			dir := moduleDir(t, s.name)
			for _, name := range slices.Sorted(maps.Keys(s.operations)) {
				form := recordedForm(t, filepath.Join(dir, "request_snapshot", name+".request.snap"))
				unknown, missing, err := wire.DecodeForm(form, s.operations[name].fresh(), s.flat)
				if err != nil || len(missing) > 0 {
					t.Errorf("%s: missing %v, error %v", name, missing, err)
				}
				for i := range unknown {
					unknown[i], _, _ = strings.Cut(unknown[i], ".")
				}
				if diff := cmp.Diff(strings.Fields(s.leftOut[name]), slices.Compact(unknown), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s: parameters that the lab does not keep (-listed +found)\n%s", name, diff)
				}
			}
			t.Logf("replayed %d requests", len(s.operations))
		})
	}
}

// TestJSONRequestSnapshots does the same for the services that send JSON: the recorded body must fit the
// operation's input structure, or the member is listed.
func TestJSONRequestSnapshots(t *testing.T) {
	services := []struct {
		module     string
		operations map[string]handler
		leftOut    map[string]string
	}{
		{"eks", eksOperations, map[string]string{
			"UpdateCapability":      "configuration",
			"UpdateNodegroupConfig": "taints",
		}},
		{"cloudwatchlogs", logsOperations, map[string]string{
			"CreateLogGroup":        "deletionProtectionEnabled",
			"DescribeLogGroups":     "accountIdentifiers",
			"PutSubscriptionFilter": "applyOnTransformedLogs emitSystemFields fieldSelectionCriteria",
		}},
		{"organizations", organizationOperations, nil},
	}
	for _, s := range services {
		t.Run(s.module, func(t *testing.T) {
			dir := moduleDir(t, s.module)
			for _, name := range slices.Sorted(maps.Keys(s.operations)) {
				b, err := os.ReadFile(filepath.Join(dir, "request_snapshot", name+".request.snap"))
				if err != nil {
					t.Fatal(err)
				}
				_, body, _ := strings.Cut(string(b), "\n\n{")
				if body == "" {
					continue
				}
				object, err := wire.DecodeObject([]byte("{" + body))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(strings.Fields(s.leftOut[name]), unkept(t, object, s.operations[name]), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s: members that the lab does not keep (-listed +found)\n%s", name, diff)
				}
			}
		})
	}
}

// unkept are the members, by path, that an input structure refuses.
func unkept(t *testing.T, object map[string]any, h handler) []string {
	t.Helper()
	var found []string
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if err := wire.Fill(map[string]any{key: object[key]}, h.fresh()); err != nil {
			found = append(found, key)
		}
	}
	return found
}

func recordedForm(t *testing.T, file string) url.Values {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(b), "x-www-form-urlencoded\n\n")
	form, err := url.ParseQuery(strings.TrimSpace(body))
	if err != nil || form.Get("Action") == "" {
		t.Fatalf("%s has no form: %v", file, err)
	}
	return form
}

// moduleDir finds a pinned SDK module; without it the test is skipped, in CI it fails.
func moduleDir(t *testing.T, service string) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/"+service).Output()
	dir := strings.TrimSpace(string(out))
	switch {
	case err == nil && dir != "":
	case os.Getenv("CI") == "true":
		t.Fatalf("the SDK module %s is not in the module cache: %v", service, err)
	default:
		t.Skipf("the SDK module %s is not in the module cache: %v", service, err)
	}
	return dir
}

// TestResponseSnapshotsFitTheSeeds reads the SDK's recorded answers into the lab's own structures: what a
// seed cannot say is listed here.
func TestResponseSnapshotsFitTheSeeds(t *testing.T) {
	answers := map[string]struct {
		into    any
		leftOut string
	}{
		"DescribeOrganization":           {new(describeOrganizationOut), "AvailablePolicyTypes"},
		"ListParents":                    {new(listParentsOut), ""},
		"ListPoliciesForTarget":          {new(policiesForTargetOut), ""},
		"DescribePolicy":                 {new(describeOrganizationPolicyOut), ""},
		"DescribeCluster":                {new(clusterOutput), "clientRequestToken id"},
		"DescribeAccessEntry":            {new(entryOutput), ""},
		"ListAssociatedAccessPolicies":   {new(listAssociatedOutput), ""},
		"DescribePodIdentityAssociation": {new(associationOutput), ""},
		"ListPodIdentityAssociations":    {new(listAssociationsOutput), ""},
		"DescribeNodegroup":              {new(nodegroupOutput), ""},
		"DescribeFargateProfile":         {new(fargateOutput), ""},
		"DescribeAddon":                  {new(addonOutput), "marketplaceInformation"},
		"DescribeCapability":             {new(capabilityOutput), ""},
		"DescribeIdentityProviderConfig": {new(describeProviderOutput), ""},
		"DescribeCertificateAuthority":   {new(authorityOutput), "scheduledEvents validity"},
		"DescribeUpdate":                 {new(updateOutput), "cancellation errors"},
	}
	for name, a := range answers {
		t.Run(name, func(t *testing.T) {
			dir := moduleDir(t, "eks")
			if organizationOperations[name].run != nil {
				dir = moduleDir(t, "organizations")
			}
			b, err := os.ReadFile(filepath.Join(dir, "response_snapshot", name+".response.snap"))
			if err != nil {
				t.Fatal(err)
			}
			_, body, _ := strings.Cut(string(b), "\n\n{")
			object, err := wire.DecodeObject([]byte("{" + body))
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, key := range slices.Sorted(maps.Keys(object)) {
				inner, nested := object[key].(map[string]any)
				if !nested {
					inner = map[string]any{"": nil}
				}
				for _, member := range slices.Sorted(maps.Keys(inner)) {
					part := map[string]any{key: map[string]any{member: inner[member]}}
					if !nested {
						part = map[string]any{key: object[key]}
					}
					if err := wire.Fill(part, a.into); err != nil {
						found = append(found, member)
					}
				}
			}
			if diff := cmp.Diff(strings.Fields(a.leftOut), found, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("members that the lab's structure lacks (-listed +found)\n%s", diff)
			}
		})
	}
}
