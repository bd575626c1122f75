package plan

import (
	"fmt"
	"maps"
	"slices"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// awsAuthBlocks are the keys of aws-auth that the authenticator reads. Of others a snapshot has only the names, so no change
// touches those.
var awsAuthBlocks = []string{"mapRoles", "mapUsers", "mapAccounts"}

// RemoveAWSAuthRow takes one row out of aws-auth and leaves the rest of the text as it is.
type RemoveAWSAuthRow struct {
	Cluster string             `json:"cluster"`
	Kind    authenticator.Kind `json:"kind"`
	// Index is the row's place in its block, from 0. The fields are the row's as written there: if another row has come to
	// stand in that place, the change does not fit.
	Index    int      `json:"index"`
	ARN      string   `json:"arn"`
	Username string   `json:"username,omitzero"`
	Groups   []string `json:"groups,omitzero"`
}

// Apply cuts the row out of the text of its block.
func (c RemoveAWSAuthRow) Apply(s *model.Snapshot) error {
	k, text, err := c.find(s)
	if err != nil {
		return err
	}
	setBlock(k, c.Kind.Block(), &text)
	return nil
}

// find finds the row and works out the text of its block without it.
func (c RemoveAWSAuthRow) find(s *model.Snapshot) (*model.Cluster, string, error) {
	k, err := awsAuthOf(s, c.Cluster)
	if err != nil {
		return nil, "", err
	}
	object := fmt.Sprintf("row %d of aws-auth %s", c.Index+1, c.Kind.Block())
	row, text, err := authenticator.CutRow(c.Kind, k.AWSAuth.Data[c.Kind.Block()], c.Index)
	if row == nil {
		return nil, "", &Unmet{object, c.ARN, "no such row"}
	}
	if w := row.Written; w.ARN != c.ARN || w.Username != c.Username || !slices.Equal(w.Groups, c.Groups) {
		return nil, "", &Unmet{object, rowText(c.ARN, c.Username, c.Groups), rowText(w.ARN, w.Username, w.Groups)}
	}
	if err != nil {
		return nil, "", &Unmet{object, "a row that can be cut out of the text", err.Error()}
	}
	return k, text, nil
}

// Inverse puts the whole block back as it was.
func (c RemoveAWSAuthRow) Inverse(before *model.Snapshot) ([]Change, error) {
	k, text, err := c.find(before)
	if err != nil {
		return nil, err
	}
	block := c.Kind.Block()
	return []Change{PutAWSAuth{Cluster: c.Cluster, Before: map[string]string{block: text}, After: map[string]string{block: k.AWSAuth.Data[block]}}}, nil
}

func (c RemoveAWSAuthRow) String() string {
	return "take the row of " + rowText(c.ARN, c.Username, c.Groups) + " out of aws-auth"
}

func (c RemoveAWSAuthRow) details() details {
	return details{
		target: finding.Target{Cluster: c.Cluster, Subject: finding.Subject{Kind: "AwsAuthMapping", Name: c.ARN}},
		command: fmt.Sprintf("# item %d of %s: %s\n", c.Index+1, c.Kind.Block(), Shell(c.ARN)) +
			Shell("kubectl", "edit", "configmap", "-n", "kube-system", "aws-auth"),
		precondition: "the row stands where it was read", verify: readAWSAuth,
	}
}

func rowText(arn, username string, groups []string) string {
	return fmt.Sprintf("%s (username %s, groups %s)", orNone(arn), orNone(username), listed(groups))
}

// PutAWSAuth writes the blocks of aws-auth that are named: mapRoles, mapUsers and mapAccounts. Before is what it expects to
// stand there, and so the backup; a block that is in one of the two and not in the other is made or removed.
type PutAWSAuth struct {
	Cluster string            `json:"cluster"`
	Before  map[string]string `json:"before"`
	After   map[string]string `json:"after"`
}

// Apply writes the blocks of a ConfigMap that is there.
func (c PutAWSAuth) Apply(s *model.Snapshot) error {
	k, err := c.find(s)
	if err != nil {
		return err
	}
	for _, block := range awsAuthBlocks {
		if after, stays := c.After[block]; stays {
			setBlock(k, block, &after)
		} else if _, was := c.Before[block]; was {
			setBlock(k, block, nil)
		}
	}
	return nil
}

func (c PutAWSAuth) find(s *model.Snapshot) (*model.Cluster, error) {
	k, err := awsAuthOf(s, c.Cluster)
	if err != nil {
		return nil, err
	}
	for _, data := range []map[string]string{c.Before, c.After} {
		for key := range data {
			if !slices.Contains(awsAuthBlocks, key) {
				return nil, &Unmet{"aws-auth", "blocks that the authenticator reads", key}
			}
		}
	}
	if maps.Equal(c.Before, c.After) {
		return nil, &Unmet{"aws-auth", "something to write", "nothing"}
	}
	for _, block := range awsAuthBlocks {
		want, expected := c.Before[block]
		_, written := c.After[block]
		if has, there := k.AWSAuth.Data[block]; (expected || written) && (there != expected || has != want) {
			return nil, &Unmet{"aws-auth " + block, "the text that was read", "another"}
		}
	}
	return k, nil
}

// Inverse writes what stood there before.
func (c PutAWSAuth) Inverse(before *model.Snapshot) ([]Change, error) {
	if _, err := c.find(before); err != nil {
		return nil, err
	}
	return []Change{PutAWSAuth{Cluster: c.Cluster, Before: c.After, After: c.Before}}, nil
}

func (c PutAWSAuth) String() string {
	var put, removed []string
	for _, block := range awsAuthBlocks {
		if _, ok := c.After[block]; ok {
			put = append(put, block)
		} else if _, ok := c.Before[block]; ok {
			removed = append(removed, block)
		}
	}
	switch {
	case len(put) == 0:
		return "take " + listed(removed) + " out of aws-auth"
	case len(removed) == 0:
		return "write " + listed(put) + " of aws-auth"
	}
	return "write " + listed(put) + " of aws-auth and take " + listed(removed) + " out"
}

func (c PutAWSAuth) details() details {
	data := map[string]*string{}
	for block := range c.Before {
		data[block] = nil
	}
	for block, text := range c.After {
		data[block] = &text
	}
	return details{
		target: finding.Target{Cluster: c.Cluster, Subject: (&model.AWSAuth{}).Subject()},
		command: "# keep a copy\n" + readAWSAuth + " > aws-auth.yaml\n" +
			kubectl("patch", "configmap", "kube-system", "aws-auth", "--type", "merge", "-p", jsonText(map[string]any{"data": data})),
		precondition: "the blocks are as they were read", verify: readAWSAuth,
	}
}

const readAWSAuth = "kubectl get configmap -n kube-system aws-auth -o yaml"

// awsAuthOf finds a cluster that has an aws-auth.
func awsAuthOf(s *model.Snapshot, id string) (*model.Cluster, error) {
	k, err := cluster(s, id)
	if err != nil {
		return nil, err
	}
	if k.AWSAuth == nil {
		return nil, &Unmet{"aws-auth", "it", "no such ConfigMap"}
	}
	return k, nil
}

// setBlock writes one block of aws-auth, or removes it where the text is nil.
func setBlock(k *model.Cluster, block string, text *string) {
	a := *k.AWSAuth
	a.Data = maps.Clone(a.Data)
	if text == nil {
		delete(a.Data, block)
	} else {
		if a.Data == nil {
			a.Data = map[string]string{}
		}
		a.Data[block] = *text
	}
	k.AWSAuth = &a
}
