package detections_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"drawbridge/internal/detect"
)

func TestExplore(t *testing.T) {
	p := load(t)
	cases, _ := detect.CasesOf(os.DirFS("."))
	type m = map[string]any
	str := func(e m, k string) string { s, _ := e[k].(string); return s }
	obj := func(e m, k string) m { s, _ := e[k].(m); return s }
	writes := func(e m) bool { v := str(e, "verb"); return v == "create" || v == "update" || v == "patch" || v == "delete" || v == "deletecollection" }
	changes := map[string]func(e m) bool{
		"dry": func(e m) bool {
			if !writes(e) || obj(e, "objectRef")["subresource"] == "exec" || obj(e, "objectRef")["subresource"] == "attach" { return false }
			u := str(e, "requestURI"); if strings.Contains(u, "?") { u += "&dryRun=All" } else { u += "?dryRun=All" }
			e["requestURI"] = u
			if strings.HasPrefix(str(e, "verb"), "delete") { e["requestObject"] = m{"kind": "DeleteOptions", "dryRun": []any{"All"}} }
			return true
		},
		"403": func(e m) bool { if str(e,"kind") != "Event" { if str(e,"eventSource")=="eks.amazonaws.com" { e["errorCode"]="AccessDenied"; e["responseElements"]=nil; return true }; return false }; e["responseStatus"] = m{"code": 403}; delete(e, "responseObject"); return true },
		"ssa": func(e m) bool {
			r := obj(e, "objectRef")
			if str(e, "verb") != "create" || r["subresource"] != nil || r["resource"] == nil || strings.HasSuffix(r["resource"].(string), "reviews") { return false }
			e["verb"] = "patch"; e["responseStatus"] = m{"code": 201}
			if r["name"] == nil { if n := obj(obj(e, "responseObject"), "metadata")["name"]; n != nil { r["name"] = n } }
			return true
		},
		"put201": func(e m) bool {
			r := obj(e, "objectRef")
			if str(e, "verb") != "create" || r["subresource"] != nil || r["resource"] == nil || strings.HasSuffix(r["resource"].(string), "reviews") { return false }
			e["verb"] = "update"; e["responseStatus"] = m{"code": 201}
			if r["name"] == nil { if n := obj(obj(e, "responseObject"), "metadata")["name"]; n != nil { r["name"] = n } }
			return true
		},
		"generate": func(e m) bool {
			r := obj(e, "objectRef")
			if str(e, "verb") != "create" || r["subresource"] != nil || r["name"] == nil || obj(obj(e,"responseObject"),"metadata")["name"] == nil { return false }
			delete(r, "name"); return true
		},
		"put-for-patch": func(e m) bool {
			if str(e, "verb") != "patch" || obj(e, "responseObject") == nil { return false }
			e["verb"] = "update"; e["requestObject"] = e["responseObject"]; return true
		},
		"apply-for-put": func(e m) bool {
			if str(e, "verb") != "update" || obj(e, "requestObject") == nil { return false }
			e["verb"] = "patch"; return true
		},
		"no-response": func(e m) bool { if e["responseObject"] == nil || e["requestObject"] == nil { return false }; e["level"] = "Request"; delete(e, "responseObject"); return true },
		"gov": nil, "cn": nil, "encoded": func(e m) bool {
			if str(e, "eventSource") != "eks.amazonaws.com" { return false }
			q := obj(e, "requestParameters"); did := false
			for k, v := range q { if s, ok := v.(string); ok && strings.HasPrefix(s, "arn:") { q[k] = strings.NewReplacer(":", "%3A", "/", "%2F").Replace(s); did = true } }
			return did
		},
		"clusterName": func(e m) bool {
			if str(e, "eventSource") != "eks.amazonaws.com" { return false }
			q := obj(e, "requestParameters")
			if n, ok := q["name"]; ok { if str(e,"eventName")=="CreateCluster" {return false}; q["clusterName"] = n; delete(q, "name"); return true }
			return false
		},
	}
	for name, change := range changes {
		for _, c := range cases {
			if !c.Match { continue }
			want, _ := c.Run(p)
			var out bytes.Buffer
			any := false
			for _, line := range bytes.Split(bytes.TrimSpace(c.Events), []byte("\n")) {
				switch name {
				case "gov", "cn":
					to := map[string]string{"gov": "arn:aws-us-gov:", "cn": "arn:aws-cn:"}[name]
					n := bytes.ReplaceAll(line, []byte("arn:aws:"), []byte(to))
					n = bytes.ReplaceAll(n, []byte("arn%3Aaws%3A"), []byte(strings.ReplaceAll(to, ":", "%3A")))
					any = any || !bytes.Equal(n, line)
					out.Write(n)
				default:
					var e m
					if json.Unmarshal(line, &e) != nil { out.Write(line); break }
					if change(e) { any = true }
					b, _ := json.Marshal(e); out.Write(b)
				}
				out.WriteByte('\n')
			}
			if !any { continue }
			other := *c
			other.Events = out.Bytes()
			got, err := other.Run(p)
			if err != nil { t.Logf("%s %s/%s: %v", name, c.Detection, c.Name, err); continue }
			switch name {
			case "dry", "403":
				for _, g := range got { if !strings.HasPrefix(g, "low") && !strings.HasPrefix(g, "info") { t.Logf("FIRES %s %s/%s: %.200s", name, c.Detection, c.Name, g); break } }
			default:
				if severities(got) != severities(want) || len(got) < len(want) { t.Logf("LOST %s %s/%s: want %s(%d) got %s(%d)", name, c.Detection, c.Name, severities(want), len(want), severities(got), len(got)) }
			}
		}
	}
}
