package iam

// Truth is the three-valued outcome of a test against a request that may be known only in part.
// Its zero value is Unknown, so that something not worked out can never read as a yes or a no.
type Truth int8

// The three outcomes. False and True hold whatever the unknown parts of the request turn out to be.
const (
	False   Truth = -1
	Unknown Truth = 0
	True    Truth = 1
)

// String returns "false", "unknown" or "true".
func (t Truth) String() string {
	switch t {
	case False:
		return "false"
	case True:
		return "true"
	}
	return "unknown"
}

func and(a, b Truth) Truth { return min(a, b) }

func or(a, b Truth) Truth { return max(a, b) }

// join is what holds in both of two possible worlds.
func join(a, b Truth) Truth {
	if a == b {
		return a
	}
	return Unknown
}

func truth(b bool) Truth {
	if b {
		return True
	}
	return False
}
