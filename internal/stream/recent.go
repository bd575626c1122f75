package stream

import "sync"

// Recent is a set that forgets the oldest when it is full: of what was done, where it may come again.
type Recent struct {
	mu   sync.Mutex
	in   map[string]bool
	ring []string
	next int
}

// NewRecent returns a set of at most n.
func NewRecent(n int) *Recent { return &Recent{in: map[string]bool{}, ring: make([]string, n)} }

// Add says whether it is new.
func (r *Recent) Add(s string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.in[s] {
		return false
	}
	delete(r.in, r.ring[r.next])
	r.ring[r.next], r.in[s] = s, true
	r.next = (r.next + 1) % len(r.ring)
	return true
}

// Has says whether it is known.
func (r *Recent) Has(s string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.in[s]
}
