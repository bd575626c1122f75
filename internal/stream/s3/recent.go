package s3

import "sync"

// recent is a set that forgets the oldest when it is full.
type recent struct {
	mu   sync.Mutex
	in   map[string]bool
	ring []string
	next int
}

func newRecent(n int) *recent { return &recent{in: map[string]bool{}, ring: make([]string, n)} }

// add says whether it is new.
func (r *recent) add(s string) bool {
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

func (r *recent) has(s string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.in[s]
}
