package aws

import (
	"encoding/json"
	"net/http"
	"strings"

	"drawbridge/internal/lab/aws/wire"
)

// jsonRPC is the protocol of CloudTrail, CloudWatch Logs and Organizations (AWS JSON 1.1). CloudTrail has no model in
// the SDK module; there only the structures' fields are checked.
type jsonRPC struct {
	operations map[string]handler
	model      *wire.Model
	target     string // service part of X-Amz-Target; botocore puts a package name before CloudTrail's
	badInput   string
}

func (p jsonRPC) decode(c *call, r *http.Request, body []byte) (*request, error) {
	target := "." + r.Header.Get("X-Amz-Target")
	dot := strings.LastIndex(target, ".")
	name := target[dot+1:]
	if !strings.HasSuffix(target[:dot], "."+p.target) || r.Method != http.MethodPost {
		return nil, &problem{unknownAction, "no operation named by X-Amz-Target"}
	}
	c.operation = name
	h, ok := p.operations[name]
	if !ok {
		return nil, &problem{unknownAction, "the lab keeps nothing that " + name + " is about"}
	}
	in, err := wire.DecodeObject(body)
	if err != nil {
		return nil, &fault{"SerializationException", err.Error(), 400}
	}
	var bad []string
	if p.model != nil {
		op, _ := p.model.Operation(name)
		bad = p.model.Validate(op.In, in)
	}
	return &request{h, jsonResource(c, in), in, func(into any) error {
		if len(bad) > 0 {
			return invalid("%s", strings.Join(bad, "; "))
		}
		if err := wire.Fill(in, into); err != nil {
			return invalid("%v", err)
		}
		return nil
	}}, nil
}

func (p jsonRPC) result(c *call, out any) (answer, error) {
	a := answer{http.StatusOK, "application/x-amz-json-1.1", nil}
	var err error
	if p.model == nil {
		a.body, err = json.Marshal(out)
		return a, err
	}
	if op, _ := p.model.Operation(c.operation); op.Out != nil {
		a.body, err = checked(p.model, op, out)
	}
	return a, err
}

func (p jsonRPC) failure(_ *call, f *fault) answer {
	body, _ := json.Marshal(map[string]string{"__type": f.code, "message": f.message})
	status := f.status
	switch {
	case status == 0 && p.model != nil:
		status = p.model.Status(f.code)
	case status == 0:
		status = 400
	}
	return answer{status, "application/x-amz-json-1.1", body}
}

func (p jsonRPC) problem(_ *call, kind problemKind) (string, int) {
	switch kind {
	case unsigned:
		return "MissingAuthenticationTokenException", 400
	case unknownKey:
		return "UnrecognizedClientException", 400
	case notAllowed:
		return "AccessDeniedException", 0
	case throttled:
		return "ThrottlingException", 400
	case unknownAction:
		return "UnknownOperationException", 400
	case badInput:
		return p.badInput, 400
	}
	return "InternalFailure", 500
}

// none is the answer of an operation without output.
type none struct{}

// jsonResource names what a denied call was about.
func jsonResource(c *call, in map[string]any) string {
	text := func(key string) string { v, _ := in[key].(string); return v }
	switch {
	case text("logGroupName") != "":
		return c.reg.arn("logs", "log-group:"+text("logGroupName"))
	case c.service == "logs":
		return c.reg.arn("logs", "log-group:*")
	case strings.HasPrefix(text("TrailName"), "arn:"):
		return text("TrailName")
	case strings.HasPrefix(text("Name"), "arn:"):
		return text("Name")
	case text("TrailName")+text("Name") != "":
		return c.reg.arn("cloudtrail", "trail/"+text("TrailName")+text("Name"))
	}
	return "*"
}
