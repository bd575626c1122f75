package dump

import (
	"reflect"
	"sync"

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
	index := whereAt(s.Elem().Type())
	if index == nil {
		return nil
	}
	at, _ := s.Elem().FieldByIndex(index).Addr().Interface().(*model.At)
	return at
}

// placesOf holds where in a type the field At is: looking for it in every object would take longer than the objects.
var placesOf sync.Map // reflect.Type -> []int

func whereAt(t reflect.Type) []int {
	if index, ok := placesOf.Load(t); ok {
		return index.([]int)
	}
	var index []int
	if f, ok := t.FieldByName("At"); ok && f.Type == reflect.TypeFor[model.At]() {
		index = f.Index
	}
	placesOf.Store(t, index)
	return index
}
