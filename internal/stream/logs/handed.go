package logs

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// handedKept is how many events a position names: those that were handed out last.
const handedKept = 1 << 16

// handed are the events that were handed out and that will be asked for again, by a hash of their ids. CloudWatch makes the
// ids, so that nobody can have two made that are taken for one.
type handed struct {
	at    map[uint64]int64 // their times
	order []uint64         // as they were handed out; not those that a position has no room for
}

func newHanded() *handed { return &handed{at: map[uint64]int64{}} }

// add says whether an event is new.
func (h *handed) add(id string, at int64) bool {
	sum := sha256.Sum256([]byte(id))
	k := binary.BigEndian.Uint64(sum[:])
	_, known := h.at[k]
	h.at[k] = at
	if !known {
		h.order = append(h.order, k)
	}
	return !known
}

// bound keeps what a position has room for, and all of the time that is asked for again.
func (h *handed) bound(again int64) {
	over := max(0, len(h.order)-handedKept)
	for _, k := range h.order[:over] {
		if h.at[k] < again {
			delete(h.at, k)
		}
	}
	h.order = slices.Delete(h.order, 0, over)
}

// forget drops what is not asked for again.
func (h *handed) forget(again int64) {
	h.bound(again)
	for k, at := range h.at {
		if at < again {
			delete(h.at, k)
		}
	}
	h.order = slices.DeleteFunc(h.order, func(k uint64) bool {
		_, kept := h.at[k]
		return !kept
	})
}

// position is a time with the events.
func (h *handed) position(at int64) string {
	b := make([]byte, 0, 8*len(h.order))
	for _, k := range h.order {
		b = binary.BigEndian.AppendUint64(b, k)
	}
	return strings.TrimSuffix(strconv.FormatInt(at, 10)+" "+base64.RawStdEncoding.EncodeToString(b), " ")
}

// restore takes the events of a position, and returns its time. Their own times are not known until they are asked for again.
func (h *handed) restore(position string) (at int64, err error) {
	first, rest, _ := strings.Cut(position, " ")
	if at, err = strconv.ParseInt(first, 10, 64); err != nil {
		return 0, fmt.Errorf("%.40q is not a time in milliseconds", first)
	}
	b, err := base64.RawStdEncoding.DecodeString(rest)
	if err != nil || len(b)%8 != 0 {
		return 0, fmt.Errorf("%.40q is not a list of events", rest)
	}
	for c := range slices.Chunk(b, 8) {
		k := binary.BigEndian.Uint64(c)
		h.at[k] = at
		h.order = append(h.order, k)
	}
	return at, nil
}
