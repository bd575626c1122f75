package event

// Origin is where a record came from: what was read, and the cluster that its transport names, as far as it names one.
type Origin struct {
	Input   string
	Cluster Cluster
}

// Origin returns where the record came from, to be kept beside its bytes.
func (e *Event) Origin() Origin { return Origin{e.input, e.cluster} }

// SetOrigin says where a record came from that was scanned from kept bytes.
func (e *Event) SetOrigin(o Origin) { e.input, e.cluster = o.Input, o.Cluster }
