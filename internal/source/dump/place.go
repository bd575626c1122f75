package dump

import (
	"reflect"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// place records where an object of the snapshot stands. Every such type embeds model.At.
func place(v any, loc *finding.Location) {
	if at := atOf(v); at != nil {
		at.Loc = loc
	}
}

func atOf(v any) *model.At {
	s := reflect.ValueOf(v)
	if s.Kind() != reflect.Pointer || s.IsNil() || s.Elem().Kind() != reflect.Struct {
		return nil
	}
	field := s.Elem().FieldByName("At")
	if !field.IsValid() {
		return nil
	}
	at, _ := field.Addr().Interface().(*model.At)
	return at
}
