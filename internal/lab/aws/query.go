package aws

import (
	"net/http"
	"net/url"
	"strings"

	"drawbridge/internal/lab/aws/wire"
)

// query is the protocol of IAM and STS: a form in, XML out.
type query struct {
	operations map[string]handler
	namespace  string
	resource   func(c *call, form url.Values) string
}

func (p query) decode(c *call, r *http.Request, body []byte) (*request, error) {
	return decodeForm(c, r, body, p.operations, p.resource, false)
}

func decodeForm(c *call, r *http.Request, body []byte, operations map[string]handler, resource func(*call, url.Values) string, flat bool) (*request, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil || r.Method != http.MethodPost {
		return nil, &fault{"MalformedQueryString", "the request is not a POST of a form", 404}
	}
	c.operation = form.Get("Action")
	h, ok := operations[c.operation]
	if !ok {
		return nil, &problem{unknownAction, "The action " + c.operation + " is not valid for this web service."}
	}
	parameters := map[string]any{}
	for name := range form {
		if name != "Action" && name != "Version" {
			parameters[name] = form.Get(name)
		}
	}
	return &request{h, resource(c, form), parameters, func(into any) error {
		unknown, missing, err := wire.DecodeForm(form, into, flat)
		switch {
		case err != nil:
			return invalid("%v", err)
		case len(missing) > 0:
			return invalid("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", missing[0])
		case len(unknown) > 0:
			return invalid("the lab does not keep: %s", strings.Join(unknown, ", "))
		}
		return nil
	}}, nil
}

func (p query) result(c *call, out any) (answer, error) {
	if _, empty := out.(none); empty {
		out = nil
	}
	body, err := wire.EncodeResult(c.operation, p.namespace, c.requestID, out)
	return answer{http.StatusOK, "text/xml", body}, err
}

// queryStatus has the statuses that are not 400 (IAM and STS API Reference, each operation's errors, 2026-11).
var queryStatus = map[string]int{
	"NoSuchEntity": 404, "EntityAlreadyExists": 409, "DeleteConflict": 409, "LimitExceeded": 409, "ConcurrentModification": 409,
	"EntityTemporarilyUnmodifiable": 409, "AccessDenied": 403,
}

func (p query) failure(c *call, f *fault) answer {
	status := f.status
	if status == 0 {
		status = 400
	}
	if known, ok := queryStatus[f.code]; ok {
		status = known
	}
	body, _ := wire.EncodeError(p.namespace, c.requestID, f.code, f.message, status)
	return answer{status, "text/xml", body}
}

func (p query) problem(_ *call, kind problemKind) (string, int) {
	switch kind {
	case unsigned:
		return "MissingAuthenticationToken", 403
	case unknownKey:
		return "InvalidClientTokenId", 403
	case notAllowed:
		return "AccessDenied", 403
	case throttled:
		return "Throttling", 400
	case unknownAction:
		return "InvalidAction", 400
	case badInput:
		return "ValidationError", 400
	}
	return "ServiceFailure", 500
}
