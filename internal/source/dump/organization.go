package dump

import (
	"errors"
	"strings"

	"drawbridge/internal/model"
)

// readOrganization reads the answer of describe-organization, which every account may ask. It does not say which account
// asked. Of the policies nothing can be read from files: list-policies-for-target and list-parents do not name what they are
// about.
func readOrganization(p *part, doc *document) error {
	w, err := of[struct {
		ID         string `json:"Id"`
		Management string `json:"MasterAccountId"`
		FeatureSet string `json:"FeatureSet"`
	}](doc, "Organization")
	if err == nil && !strings.HasPrefix(w.ID, "o-") {
		err = errors.New("an organization without Id")
	}
	if err != nil {
		return err
	}
	p.item(doc, item{area: model.AreaOrganization, key: w.ID, value: &model.Organization{ID: w.ID, ManagementAccount: w.Management, FeatureSet: w.FeatureSet}})
	return nil
}

// organization tells which organization the account is in.
func (h *holder) organization() {
	area := model.AreaOrganization
	kept, twice := uniqueItems(h.items[area])
	for _, t := range twice {
		h.gap(area, "organizations:DescribeOrganization", t)
	}
	switch {
	case len(kept) == 0:
		return
	case len(kept) > 1:
		h.gap(area, "organizations:DescribeOrganization", "answers about several organizations: give each account a folder with its own")
		return
	}
	h.a.MarkRead(area)
	o, _ := kept[0].value.(*model.Organization)
	if o == nil {
		return
	}
	bound := o.Binds(h.a.ID)
	o.SCPsUnknown, o.RCPsUnknown = bound, bound
	h.a.Organization = o
	if bound {
		h.gap(area, "organizations:ListPoliciesForTarget", "answers in files do not say which account or unit policies are attached to; drawbridge collect reads them")
	}
}
