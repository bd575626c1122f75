package wire

import (
	"net/http"
	"strings"
)

// Signature is what a request says about who signed it and for what. It is not proof: the lab reads the
// header to pick account, region and service, and does not compute the signature again.
type Signature struct {
	AccessKeyID, Region, Service, SessionToken string
}

// ParseSignature reads a Signature Version 4 header or query. It is false if there is none or if it
// lacks a part that AWS needs.
func ParseSignature(r *http.Request) (Signature, bool) {
	header, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return presigned(r)
	}
	parts := map[string]string{}
	for part := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		parts[name] = value
	}
	if len(parts["Signature"]) != 64 || parts["SignedHeaders"] == "" || r.Header.Get("X-Amz-Date") == "" {
		return Signature{}, false
	}
	return scope(parts["Credential"], r.Header.Get("X-Amz-Security-Token"))
}

func presigned(r *http.Request) (Signature, bool) {
	query := r.URL.Query()
	if query.Get("X-Amz-Algorithm") != "AWS4-HMAC-SHA256" || len(query.Get("X-Amz-Signature")) != 64 {
		return Signature{}, false
	}
	return scope(query.Get("X-Amz-Credential"), query.Get("X-Amz-Security-Token"))
}

// scope splits AKID/20261115/us-east-1/eks/aws4_request.
func scope(credential, token string) (Signature, bool) {
	f := strings.Split(credential, "/")
	if len(f) != 5 || f[4] != "aws4_request" || len(f[1]) != 8 {
		return Signature{}, false
	}
	return Signature{AccessKeyID: f[0], Region: f[2], Service: f[3], SessionToken: token}, true
}
