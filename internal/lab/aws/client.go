package aws

import (
	"context"
	"fmt"
	"os"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
)

// callerName is the role that Config and Env sign as when nobody else is named. IAM's state does not have it.
const callerName = "lab-caller"

// Config returns what SDK clients need to talk to the server as the role session lab-caller/lab of an account.
// The account must exist. Retries are the SDK's own: a test that injects throttling sets its own Retryer.
func (s *Server) Config(account, region string) awssdk.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config(s.caller(account), region)
}

// ConfigAs is Config signed by another principal: a role session or an IAM user of an existing account,
// in ARN form.
func (s *Server) ConfigAs(principal, region string) awssdk.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := parsePrincipal(principal)
	if !ok || s.accounts[p.account] == nil {
		panic(fmt.Sprintf("lab: no account for principal %q", principal))
	}
	return s.config(s.keyOf(s.accounts[p.account], principal), region)
}

// Env returns the environment, as KEY=value, with which the AWS CLI, Terraform or another subprocess
// talks to the server as Config does.
func (s *Server) Env(account, region string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.caller(account)
	env := []string{
		"AWS_ENDPOINT_URL=" + s.url, "AWS_ACCESS_KEY_ID=" + id, "AWS_SECRET_ACCESS_KEY=" + s.keys[id].secret,
		"AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region, "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=",
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
	}
	if token := s.keys[id].token; token != "" {
		env = append(env, "AWS_SESSION_TOKEN="+token)
	}
	return env
}

func (s *Server) config(keyID, region string) awssdk.Config {
	c := s.keys[keyID]
	return awssdk.Config{
		Region:       region,
		BaseEndpoint: awssdk.String(s.url),
		Credentials: awssdk.CredentialsProviderFunc(func(context.Context) (awssdk.Credentials, error) {
			return awssdk.Credentials{AccessKeyID: keyID, SecretAccessKey: c.secret, SessionToken: c.token, Source: "lab"}, nil
		}),
	}
}

func (s *Server) caller(account string) string {
	a := s.accounts[account]
	if a == nil {
		panic(fmt.Sprintf("lab: no account %q", account))
	}
	return s.keyOf(a, a.ARN("sts", "", "assumed-role/"+callerName+"/lab"))
}

// keyOf finds a principal's access key, or makes one.
func (s *Server) keyOf(a *Account, principal string) string {
	var found []string
	for id, c := range s.keys {
		if c.principal == principal {
			found = append(found, id)
		}
	}
	if len(found) > 0 {
		return slices.Min(found)
	}
	p, _ := parsePrincipal(principal)
	id, _ := s.key(a, principal, a.iam.callerID(p), p.service == "sts")
	return id
}
