// Package diff works out what one set of rules allows that another does not: exactly, by the algebra of the rules, never
// by sampling. What it returns is rules again, each with a request as its witness. It knows Kubernetes rules and the
// statements of IAM policies, and nothing of whose they are or how they are held: that is package access.
//
// What it cannot decide it says; it never takes two sets for equal because of that.
package diff
