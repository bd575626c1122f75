package aws

import (
	"encoding/json"
	"net/http"
	"strings"

	"drawbridge/internal/lab/aws/wire"
)

// restJSON is the protocol of EKS.
type restJSON struct{}

var eksRouter = wire.NewRouter(&wire.EKS)

func (restJSON) decode(c *call, r *http.Request, body []byte) (*request, error) {
	op, labels, ok := eksRouter.Match(r.Method, r.URL.EscapedPath())
	if !ok {
		return nil, &problem{unknownAction, "no operation of EKS: " + r.Method + " " + r.URL.Path}
	}
	c.operation = op.Name
	h, ok := eksOperations[op.Name]
	if !ok {
		return nil, &problem{unknownAction, "the lab keeps nothing that " + op.Name + " is about"}
	}
	in, bad, err := eksRouter.Input(op, labels, r.URL.Query(), body)
	if err != nil {
		return nil, &fault{"SerializationException", err.Error(), 400}
	}
	return &request{h, eksResource(c, op.Name, in), in, func(into any) error {
		if len(bad) > 0 {
			return invalid("%s", strings.Join(bad, "; "))
		}
		if err := wire.Fill(in, into); err != nil {
			return invalid("%v", err)
		}
		return nil
	}}, nil
}

func (restJSON) result(c *call, out any) (answer, error) {
	op, _ := wire.EKS.Operation(c.operation)
	body, err := checked(&wire.EKS, op, out)
	return answer{http.StatusOK, "application/json", body}, err
}

func (restJSON) failure(_ *call, f *fault) answer {
	body, _ := json.Marshal(map[string]string{"__type": f.code, "message": f.message})
	status := f.status
	if status == 0 {
		status = wire.EKS.Status(f.code)
	}
	return answer{status, "application/json", body}
}

func (restJSON) problem(_ *call, kind problemKind) (string, int) {
	switch kind {
	case unsigned:
		return "MissingAuthenticationTokenException", 403
	case unknownKey:
		return "UnrecognizedClientException", 403
	case notAllowed:
		return "AccessDeniedException", 403
	case throttled:
		return "ThrottlingException", 429
	case unknownAction:
		return "UnknownOperationException", 404
	case badInput:
		return "InvalidParameterException", 400
	}
	return "ServerException", 500
}

// checked marshals an answer and compares it with the model's output structure.
func checked(m *wire.Model, op wire.Operation, out any) ([]byte, error) {
	body, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	object, err := wire.DecodeObject(body)
	if err != nil {
		return nil, err
	}
	if bad := m.Validate(op.Out, object); len(bad) > 0 {
		return nil, invalid("answer does not fit the model: %s", strings.Join(bad, "; "))
	}
	return body, nil
}
