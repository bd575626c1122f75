package authenticator

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// readFields decodes a row with the authenticator's own rules, which are those of encoding/json: keys
// match regardless of case, of several spellings the last in byte order wins, and a value of the
// wrong type is skipped. The error only repeats what parser.value reports in full.
func readFields(kind Kind, raw json.RawMessage) Fields {
	if kind == KindUser {
		var u struct {
			ARN      string   `json:"userarn"`
			Username string   `json:"username"`
			Groups   []string `json:"groups"`
			UserID   string   `json:"userid"`
		}
		_ = json.Unmarshal(raw, &u)
		return Fields{ARN: u.ARN, Username: u.Username, Groups: u.Groups}
	}
	var r struct {
		ARN      string   `json:"rolearn"`
		SSO      *SSO     `json:"sso"`
		Username string   `json:"username"`
		Groups   []string `json:"groups"`
		UserID   string   `json:"userid"`
	}
	_ = json.Unmarshal(raw, &r)
	return Fields{ARN: r.ARN, Username: r.Username, Groups: r.Groups, SSO: r.SSO}
}

// fieldName returns the authenticator's name of the field that key is read into, or "".
func fieldName(kind Kind, key string) string {
	names := []string{"rolearn", "sso", "username", "groups", "userid"}
	if kind == KindUser {
		names = []string{"userarn", "username", "groups", "userid"}
	}
	for _, n := range names {
		if strings.EqualFold(n, key) {
			return n
		}
	}
	return ""
}

// looseFields renders decoded values as text, for rows whose source text is not at hand.
func looseFields(kind Kind, loose map[string]any) Fields {
	var f Fields
	for key, v := range loose {
		switch fieldName(kind, key) {
		case "rolearn", "userarn":
			f.ARN = looseText(v)
		case "username":
			f.Username = looseText(v)
		case "groups":
			list, _ := v.([]any)
			f.Groups = nil
			for _, g := range list {
				f.Groups = append(f.Groups, looseText(g))
			}
		}
	}
	return f
}

func looseText(v any) string {
	switch t := v.(type) {
	case nil:
		return ""
	case string:
		return t
	}
	return fmt.Sprint(v)
}

var (
	twelveDigits  = regexp.MustCompile(`^[0-9]{12}$`)
	permissionSet = regexp.MustCompile(`^[\w+=,.@-]{1,32}$`)
)

// invalid returns why the authenticator drops a row, or "".
func invalid(kind Kind, f Fields) string {
	switch {
	case kind == KindUser && f.ARN == "":
		return "it has no userarn"
	case kind == KindUser:
		return ""
	case f.ARN == "" && f.SSO == nil:
		return "it has no rolearn"
	case f.SSO == nil:
		return ""
	case f.ARN != "":
		return "it has both rolearn and sso"
	case !twelveDigits.MatchString(f.SSO.AccountID):
		return "sso.accountID is not twelve digits"
	case !permissionSet.MatchString(f.SSO.PermissionSetName):
		return "sso.permissionSetName is not the name of a permission set"
	case f.SSO.Partition != "" && !slices.Contains(partitions, f.SSO.Partition):
		return "sso.partition is not a partition"
	}
	return ""
}

// key returns what the authenticator files the row under; a later row with the same key replaces an
// earlier one. Role mappings are filed regardless of case, user mappings by exact text. Rows with sso have
// no ARN and match nobody, so that it does not matter which of them stays.
func (r *Row) key() string {
	if r.Kind == KindUser {
		return r.Read.ARN
	}
	return strings.ToLower(r.Read.ARN)
}

// jsonable converts what the YAML reader returns to what encoding/json accepts, keys to text as
// sigs.k8s.io/yaml v1.6.0 does. A null or binary key is an error for the whole block.
func jsonable(v any) (any, error) {
	switch t := v.(type) {
	case map[any]any:
		m := make(map[string]any, len(t))
		for k, v := range t {
			key, err := jsonKey(k)
			if err != nil {
				return nil, err
			}
			if m[key], err = jsonable(v); err != nil {
				return nil, err
			}
		}
		return m, nil
	case []any:
		list := make([]any, len(t))
		for i, v := range t {
			var err error
			if list[i], err = jsonable(v); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return v, nil
}

func jsonKey(k any) (string, error) {
	switch k := k.(type) {
	case string:
		return k, nil
	case int:
		return strconv.Itoa(k), nil
	case int64:
		return strconv.FormatInt(k, 10), nil
	case bool:
		return strconv.FormatBool(k), nil
	case float64:
		return strconv.FormatFloat(k, 'g', -1, 32), nil // .inf and .nan collide with no key that is read
	}
	return "", fmt.Errorf("a key of type %T is not possible", k)
}
