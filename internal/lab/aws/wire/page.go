package wire

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrToken is returned for a token that Page did not make, or made for another list.
var ErrToken = errors.New("invalid token")

// Page cuts the items that follow the token, at most size of them, and returns the token of the next page;
// "" after the last. A token is opaque and good only for the list it names (the operation and what it was
// asked), as AWS's are.
func Page[T any](items []T, list, token string, size int) ([]T, string, error) {
	start := 0
	if token != "" {
		var err error
		if start, err = openToken(list, token); err != nil || start > len(items) {
			return nil, "", ErrToken
		}
	}
	end := min(start+max(size, 1), len(items))
	if end >= len(items) {
		return items[start:end], "", nil
	}
	return items[start:end], sealToken(list, end), nil
}

func sealToken(list string, offset int) string {
	text := strconv.Itoa(offset)
	return base64.RawURLEncoding.EncodeToString([]byte(text + ":" + digest(list, text)))
}

func openToken(list, token string) (int, error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, ErrToken
	}
	text, sum, ok := strings.Cut(string(b), ":")
	if !ok || sum != digest(list, text) {
		return 0, ErrToken
	}
	return strconv.Atoi(text)
}

func digest(list, text string) string {
	sum := sha256.Sum256([]byte(list + "\x00" + text))
	return fmt.Sprintf("%x", sum[:12])
}
