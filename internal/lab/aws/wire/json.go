package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// DecodeObject reads one JSON object, numbers as json.Number; an empty body is an empty object.
func DecodeObject(body []byte) (map[string]any, error) {
	object := map[string]any{}
	if len(bytes.TrimSpace(body)) == 0 {
		return object, nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&object); err != nil {
		return nil, fmt.Errorf("read the JSON body: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("read the JSON body: more than one value")
	}
	if object == nil {
		object = map[string]any{}
	}
	return object, nil
}

// Fill copies a decoded object into a structure with JSON tags. A member that the structure lacks is an
// error: the lab refuses what it would otherwise silently forget.
func Fill(object map[string]any, into any) error {
	b, err := json.Marshal(object)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(into)
}
