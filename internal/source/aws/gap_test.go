package aws

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode"

	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

func apiError(code, message string) error {
	return &smithy.OperationError{ServiceID: "EKS", OperationName: "X", Err: fmt.Errorf("https response error: %w", &smithy.GenericAPIError{Code: code, Message: message})}
}

func TestExplain(t *testing.T) {
	for _, test := range []struct {
		name           string
		err            error
		class, message string
	}{
		{"denied", apiError("AccessDeniedException", "User: x is not authorized"), "AccessDeniedException", "User: x is not authorized"},
		{"EC2's encoded text", apiError("UnauthorizedOperation", "You are not authorized. Encoded authorization failure message: 4fBz"), "UnauthorizedOperation", "You are not authorized."},
		{
			"signed request with its token", apiError("InvalidSignatureException", "The request signature we calculated does not match. Check it.\n\nx-amz-security-token:SECRET"),
			"InvalidSignatureException", "The request signature we calculated does not match",
		},
		{"authorization header", apiError("IncompleteSignature", "Authorization header requires a parameter. Authorization=AWS4 SECRET"), "IncompleteSignature", "Authorization header requires a parameter"},
		{"lines and control characters", apiError("X", "a\x1b[31mb\tc\nSECRET"), "X", "a [31mb c"},
		{"no code", apiError("", "text"), "error", "text"},
		{"timeout", fmt.Errorf("x: %w", context.DeadlineExceeded), "timeout", ""},
		{
			"network", fmt.Errorf("x: %w", &url.Error{Op: "Get", URL: "https://eks/?token=SECRET", Err: errors.New("dial tcp 10.0.0.1:443: connection refused")}),
			"network error", "dial tcp 10.0.0.1:443: connection refused",
		},
		{"anything else", fmt.Errorf("operation error EKS: X: %w", errors.New("no EC2 IMDS role found")), "error", "no EC2 IMDS role found"},
	} {
		t.Run(test.name, func(t *testing.T) {
			class, message := explain(test.err)
			if class != test.class || message != test.message {
				t.Errorf("got %q, %q; want %q, %q", class, message, test.class, test.message)
			}
		})
	}
}

func TestGapsAreGrouped(t *testing.T) {
	a, b := &model.Cluster{Name: "a"}, &model.Cluster{Name: "b"}
	var failures []failure
	for _, item := range []string{"i7", "i3", "i1", "i2", "i6", "i5", "i4", "i4"} {
		failures = append(failures, failure{cluster: a, area: model.AreaAddons, action: "eks:DescribeAddon", item: item, err: apiError("AccessDenied", "no "+item)})
	}
	failures = append(failures,
		failure{cluster: a, area: model.AreaAddons, action: "eks:DescribeAddon", item: "i9", err: apiError("Throttling", "slow")},
		failure{cluster: b, area: model.AreaAddons, action: "eks:DescribeAddon", item: "i1", err: apiError("AccessDenied", "no i1")},
		failure{area: model.AreaIAMRoles, action: "iam:GetAccountAuthorizationDetails", err: apiError("AccessDenied", "no"), note: "others were not read"})
	want := []finding.Gap{
		{Area: "iamRoles", Action: "iam:GetAccountAuthorizationDetails", Account: account, Reason: "AccessDenied: no; others were not read"},
		{Area: "addons", Action: "eks:DescribeAddon", Cluster: "a", Reason: "AccessDenied for i1, i2, i3, i4, i5 and 2 more: no i1"},
		{Area: "addons", Action: "eks:DescribeAddon", Cluster: "a", Reason: "Throttling for i9: slow"},
		{Area: "addons", Action: "eks:DescribeAddon", Cluster: "b", Reason: "AccessDenied for i1: no i1"},
	}
	if diff := cmp.Diff(want, gaps(failures, func(c *model.Cluster) string { return c.Name }, account)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whatever AWS or a name in its answer says, a gap's text is one short line.
func FuzzHarmless(f *testing.F) {
	f.Add("AccessDenied", "User: \x00 is not authorized\n")
	f.Add("SignatureDoesNotMatch", "no. AKIA")
	f.Add("", strings.Repeat("ä", 1000))
	f.Fuzz(func(t *testing.T, code, message string) {
		got := harmless(code, message)
		if strings.ContainsFunc(got, unicode.IsControl) || len([]rune(got)) > 401 {
			t.Errorf("%q", got)
		}
	})
}

func FuzzReferences(f *testing.F) {
	f.Add("arn:aws:iam::111122223333:role/team/app")
	f.Add("arn:aws:sts::111122223333:assumed-role/app/session")
	f.Add("arn:aws:iam::111122223333:instance-profile/")
	f.Fuzz(func(t *testing.T, text string) {
		refs := references{map[string]bool{}, map[string]bool{}, map[string]bool{}}
		refs.add(account, text)
		for _, set := range []map[string]bool{refs.roles, refs.users, refs.profiles} {
			for name := range set {
				if name == "" || strings.Contains(name, "/") || !strings.Contains(text, account) {
					t.Errorf("%q names %q", text, name)
				}
			}
		}
	})
}
