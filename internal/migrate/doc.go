// Package migrate plans the move of a cluster's identities: from aws-auth to access entries, and from IRSA, keys and node
// roles to Pod Identity. A migration is phases of changes, what stands in the way, and the proof of what it does to
// everybody's access. It is pure: it reads a snapshot and writes nothing. Package apply carries migrations out.
package migrate
