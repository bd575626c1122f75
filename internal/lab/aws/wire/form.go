package wire

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// DecodeForm reads the parameters of a query request into a structure whose fields are named as the
// parameters (or say otherwise in a "form" tag, where ",required" may follow). Lists are X.member.1, or
// X.1 when flat (EC2's dialect). It returns the parameters that the structure lacks and the required ones
// that are missing; an error is a value of the wrong kind.
func DecodeForm(form url.Values, into any, flat bool) (unknown, missing []string, err error) {
	d := formDecoder{form: form, flat: flat, used: map[string]bool{"Action": true, "Version": true}}
	if _, err := d.structure("", reflect.ValueOf(into).Elem()); err != nil {
		return nil, nil, err
	}
	for name := range form {
		if !d.used[name] {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown, d.missing, nil
}

type formDecoder struct {
	form    url.Values
	flat    bool
	used    map[string]bool
	missing []string
}

func (d *formDecoder) structure(prefix string, v reflect.Value) (found bool, err error) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Anonymous {
			there, err := d.structure(prefix, v.Field(i))
			if err != nil {
				return false, err
			}
			found = found || there
			continue
		}
		name, rest, _ := strings.Cut(field.Tag.Get("form"), ",")
		if name == "" {
			name = field.Name
		}
		there, err := d.value(prefix+name, v.Field(i))
		if err != nil {
			return false, err
		}
		if !there && rest == "required" {
			d.missing = append(d.missing, prefix+name)
		}
		found = found || there
	}
	return found, nil
}

func (d *formDecoder) value(name string, v reflect.Value) (bool, error) {
	switch v.Kind() {
	case reflect.Struct:
		return d.structure(name+".", v)
	case reflect.Slice:
		return d.list(name, v)
	case reflect.Pointer:
		fresh := reflect.New(v.Type().Elem())
		found, err := d.value(name, fresh.Elem())
		if found && err == nil {
			v.Set(fresh)
		}
		return found, err
	}
	texts, ok := d.form[name]
	if !ok || len(texts) == 0 {
		return false, nil
	}
	d.used[name] = true
	return true, setScalar(name, texts[0], v)
}

func (d *formDecoder) list(name string, v reflect.Value) (bool, error) {
	prefix := name + "."
	if !d.flat {
		prefix += "member."
	}
	if _, ok := d.form[name]; ok {
		d.used[name] = true // an empty list is sent as "X="
	}
	for n := 1; ; n++ {
		item := reflect.New(v.Type().Elem()).Elem()
		missing := len(d.missing)
		found, err := d.value(prefix+strconv.Itoa(n), item)
		if err != nil {
			return false, err
		}
		if !found {
			d.missing = d.missing[:missing]
			return n > 1, nil
		}
		v.Set(reflect.Append(v, item))
	}
}

func setScalar(name, text string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%s: %q is not a boolean", name, text)
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%s: %q is not an integer", name, text)
		}
		v.SetInt(n)
	default:
		return fmt.Errorf("%s: the lab's structure has a field of kind %s", name, v.Kind())
	}
	return nil
}
