package aws

import (
	"drawbridge/internal/lab/aws/wire"
)

// page cuts one page. asked is the caller's size, nil for the service's default; limits are the service's.
// what distinguishes lists that one operation can make.
func page[T any](c *call, items []T, what, token string, asked *int, limits pageLimits) ([]T, string, error) {
	size := limits.usual
	if asked != nil {
		if size = *asked; size < 1 || size > limits.most {
			return nil, "", invalid("the page size must be between 1 and %d", limits.most)
		}
	}
	if n := c.srv.options.PageSize; n > 0 {
		size = min(size, n)
	}
	part, next, err := wire.Page(items, c.acct.ID+c.reg.Name+c.action()+what, token, size)
	if err != nil {
		return nil, "", invalid("the pagination token is not valid")
	}
	return part, next, nil
}

type pageLimits struct{ usual, most int }

var (
	eksPages          = pageLimits{100, 100}
	iamPages          = pageLimits{100, 1000}
	logsPages         = pageLimits{50, 50}
	ec2Pages          = pageLimits{1000, 1000}
	organizationPages = pageLimits{20, 20}
)
