package cli

import "testing"

func TestNamed(t *testing.T) {
	const group = "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/eks/prod/cluster:*"
	for _, c := range []struct {
		url, service, kind, what, region string
		bad                              bool
	}{
		{url: "kinesis://audit?region=eu-west-1", service: "kinesis", kind: "stream/", what: "audit", region: "eu-west-1"},
		{url: "kinesis://audit", service: "kinesis", kind: "stream/", what: "audit"},
		{url: "kinesis://arn:aws-cn:kinesis:cn-north-1:111122223333:stream/audit", service: "kinesis", kind: "stream/", what: "arn:aws-cn:kinesis:cn-north-1:111122223333:stream/audit", region: "cn-north-1"},
		{url: "logs://" + group, service: "logs", kind: "log-group:", what: group, region: "eu-central-1"},
		{url: "logs://" + group + "?region=eu-central-1", service: "logs", kind: "log-group:", what: group, region: "eu-central-1"},
		{url: "logs://" + group + "?region=eu-west-1", service: "logs", kind: "log-group:", bad: true},
		{url: "kinesis://" + group, service: "kinesis", kind: "stream/", bad: true},
		{url: "kinesis://arn:aws:kinesis:eu-west-1:111122223333:stream/", service: "kinesis", kind: "stream/", bad: true},
		{url: "kinesis://arn:aws:kinesis", service: "kinesis", kind: "stream/", bad: true},
		{url: "kinesis://", service: "kinesis", kind: "stream/", bad: true},
	} {
		t.Run(c.url, func(t *testing.T) {
			u, err := parseStream(c.url)
			if err != nil {
				t.Fatal(err)
			}
			name := u.Host
			if c.service == "logs" {
				name = u.Path
			}
			what, region, err := named(u, name, c.service, c.kind)
			if what != c.what || region != c.region || (err != nil) != c.bad {
				t.Errorf("%q in %q, %v, want %q in %q", what, region, err, c.what, c.region)
			}
		})
	}
}
