package aws

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// id makes n characters that depend only on the seed, the parts and how often the same parts came before:
// so a recreated role gets another unique id, in every run the same one.
func (s *Server) id(n int, alphabet string, parts ...string) string {
	key := strings.Join(parts, "\x00")
	s.made[key]++
	var b strings.Builder
	for block := 0; b.Len() < n; block++ {
		sum := sha256.Sum256([]byte(s.options.Seed + "\x00" + key + "\x00" + strconv.Itoa(s.made[key]) + "\x00" + strconv.Itoa(block)))
		for _, c := range sum {
			b.WriteByte(alphabet[int(c)%len(alphabet)])
		}
	}
	return b.String()[:n]
}

const (
	lowerAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	upperAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	hexAlphabet   = "0123456789abcdef"
)

// uniqueID makes an IAM id such as AROA… (IAM User Guide, "IAM identifiers", 2026-11).
func (s *Server) uniqueID(prefix string, parts ...string) string {
	return prefix + s.id(17, upperAlphabet, append([]string{prefix}, parts...)...)
}

func (s *Server) uuid(parts ...string) string {
	h := s.id(32, hexAlphabet, append([]string{"uuid"}, parts...)...)
	return fmt.Sprintf("%s-%s-4%s-8%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:])
}

// credential is who an access key belongs to.
type credential struct {
	account   *Account
	principal string // ARN as GetCallerIdentity tells it
	userID    string
	secret    string
	token     string // session token; "" for long-lived keys
	inactive  bool
}

// key makes an access key for a principal.
func (s *Server) key(a *Account, principal, userID string, temporary bool) (string, credential) {
	prefix := "AKIA"
	if temporary {
		prefix = "ASIA"
	}
	id := prefix + s.id(16, upperAlphabet, "key", principal)
	sum := sha256.Sum256([]byte("secret" + id))
	c := credential{account: a, principal: principal, userID: userID, secret: hex.EncodeToString(sum[:20])}
	if temporary {
		c.token = "lab-session-" + s.id(40, upperAlphabet, "token", principal)
	}
	s.keys[id] = c
	return id, c
}
