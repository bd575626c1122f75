package aws

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"

	"drawbridge/internal/lab/aws/wire"
)

// protocol is how a service is spoken.
type protocol interface {
	// decode finds the operation and gets its input ready; it fills c.operation as far as it can tell.
	decode(c *call, r *http.Request, body []byte) (*request, error)
	// result writes the answer of a handler.
	result(c *call, out any) (answer, error)
	// failure writes an error.
	failure(c *call, f *fault) answer
	// problem gives a general problem the service's own code and status.
	problem(c *call, kind problemKind) (code string, status int)
}

// request is a decoded request: what it is about, its checked input, and the operation's handler.
type request struct {
	handler    handler
	resource   string
	parameters map[string]any
	input      func(into any) error
}

// handler carries out one operation on a fresh input structure.
type handler struct {
	fresh func() any
	run   func(*call, any) (any, error)
}

// op makes a handler of a typed function.
func op[In, Out any](f func(*call, *In) (Out, error)) handler {
	return handler{
		fresh: func() any { return new(In) },
		run:   func(c *call, in any) (any, error) { return f(c, in.(*In)) },
	}
}

type answer struct {
	status      int
	contentType string
	body        []byte
}

// protocols by the service name of the signature.
var protocols = map[string]protocol{
	"eks":  restJSON{},
	"iam":  query{operations: iamOperations, namespace: "https://iam.amazonaws.com/doc/2010-05-08/", resource: iamResource},
	"sts":  query{operations: stsOperations, namespace: "https://sts.amazonaws.com/doc/2011-06-15/", resource: stsResource},
	"ec2":  ec2Query{},
	"logs": jsonRPC{operations: logsOperations, model: &wire.Logs, target: "Logs_20140328", badInput: "InvalidParameterException"},
	"organizations": jsonRPC{
		operations: organizationOperations, model: &wire.Organizations, target: "AWSOrganizationsV20161128", badInput: "InvalidInputException",
	},
	"cloudtrail": jsonRPC{operations: trailOperations, target: "CloudTrail_20131101", badInput: "InvalidParameterCombinationException"},
}

const maxBody = 1 << 20

// ServeHTTP answers one request of any service.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	s.mu.Lock()
	a, id := s.serve(r, body)
	s.mu.Unlock()
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("X-Amzn-Requestid", id)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a client that went away is no concern of the lab
}

func (s *Server) serve(r *http.Request, body []byte) (answer, string) {
	s.count++
	sig, signed := wire.ParseSignature(r)
	if !signed {
		sig = unsignedTarget(r, body)
	}
	c := &call{srv: s, service: sig.Service, requestID: s.uuid("request")}
	p, ok := protocols[sig.Service]
	if !ok {
		p, c.service = restJSON{}, "unknown"
	}
	rec := Call{Time: s.now(), Region: sig.Region, UserAgent: r.UserAgent(), Resource: "*"}
	out, err := s.answer(c, p, r, body, sig, signed, &rec)
	rec.Action, rec.Principal = c.action(), c.principal
	if c.acct != nil {
		rec.Account = c.acct.ID
	}
	a, code := s.encode(c, p, out, err)
	rec.Error = code
	s.calls = append(s.calls, rec)
	return a, c.requestID
}

// answer checks a request in AWS's order (who, how often, may it, is it well formed) and carries it out.
func (s *Server) answer(c *call, p protocol, r *http.Request, body []byte, sig wire.Signature, signed bool, rec *Call) (any, error) {
	if err := s.identify(c, sig, signed); err != nil {
		return nil, err
	}
	req, err := p.decode(c, r, body)
	if req != nil {
		rec.Resource, rec.Parameters = req.resource, req.parameters
	}
	if s.throttle > 0 && s.count%s.throttle == 0 {
		return nil, &problem{throttled, "Rate exceeded"}
	}
	if err != nil {
		return nil, err
	}
	if !signed && c.operation != "AssumeRoleWithWebIdentity" {
		return nil, &problem{unsigned, "Request is missing Authentication Token"}
	}
	if err := c.allowed(c.action(), req.resource); err != nil {
		return nil, err
	}
	in := req.handler.fresh()
	if err := req.input(in); err != nil {
		return nil, err
	}
	return req.handler.run(c, in)
}

// identify finds account, region and principal by the access key and the credential scope.
func (s *Server) identify(c *call, sig wire.Signature, signed bool) error {
	if !signed {
		if sig.Service != "sts" {
			return &problem{unsigned, "Request is missing Authentication Token"}
		}
		return nil
	}
	cred, ok := s.keys[sig.AccessKeyID]
	if !ok || cred.inactive || cred.token != sig.SessionToken || partitionOf(sig.Region) != cred.account.Partition {
		return &problem{unknownKey, "The security token included in the request is invalid."}
	}
	c.acct, c.principal, c.userID, c.keyID = cred.account, cred.principal, cred.userID, sig.AccessKeyID
	c.reg = cred.account.region(sig.Region)
	return nil
}

// unsignedTarget recognises the one operation that needs no signature, by its form.
func unsignedTarget(r *http.Request, body []byte) wire.Signature {
	form, err := url.ParseQuery(string(body))
	if err == nil && r.Method == http.MethodPost && form.Get("Action") == "AssumeRoleWithWebIdentity" {
		return wire.Signature{Service: "sts"}
	}
	return wire.Signature{}
}

// encode writes the answer and returns the code of its error.
func (s *Server) encode(c *call, p protocol, out any, err error) (answer, string) {
	if err == nil {
		var a answer
		if a, err = p.result(c, out); err == nil {
			return a, ""
		}
		s.defects = append(s.defects, c.action()+": "+err.Error())
		err = &problem{internal, err.Error()}
	}
	var f *fault
	if !errors.As(err, &f) {
		var pr *problem
		if !errors.As(err, &pr) {
			s.defects = append(s.defects, c.action()+": "+err.Error())
			pr = &problem{internal, err.Error()}
		}
		code, status := p.problem(c, pr.kind)
		f = &fault{code, pr.message, status}
	}
	return p.failure(c, f), f.code
}

// Operations returns every operation that the server has, as IAM actions, sorted.
func Operations() []string {
	var all []string
	for service, table := range map[string]map[string]handler{
		"eks": eksOperations, "iam": iamOperations, "sts": stsOperations,
		"cloudtrail": trailOperations, "logs": logsOperations, "ec2": ec2Operations, "organizations": organizationOperations,
	} {
		for name := range table {
			all = append(all, service+":"+name)
		}
	}
	slices.Sort(all)
	return all
}
