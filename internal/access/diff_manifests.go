package access

import "drawbridge/internal/model"

// Level prepares two inputs for Diff. Where both are manifests only, with nothing of EKS or AWS, they say what is to be and
// not what is: a kind of object that one has and the other has not is then not there, instead of not read. It changes what
// counts as read in the snapshots, and returns notes of what it took for what.
func Level(before, after *model.Snapshot) []string {
	if len(before.Clusters) != 1 || len(after.Clusters) != 1 {
		return nil
	}
	b, a := before.Clusters[0], after.Clusters[0]
	if !onlyManifests(before) || !onlyManifests(after) {
		return nil
	}
	leveled := false
	for _, info := range model.Areas {
		if !info.OfAccount && b.Read[info.Area] != a.Read[info.Area] {
			b.MarkRead(info.Area)
			a.MarkRead(info.Area)
			leveled = true
		}
	}
	if !leveled {
		return nil
	}
	return []string{"both inputs are manifests: kinds of objects that one of them lacks, and the other has, count as not there"}
}

// onlyManifests says whether an input holds nothing but objects of Kubernetes.
func onlyManifests(s *model.Snapshot) bool {
	c := s.Clusters[0]
	if len(s.Accounts) > 0 || len(s.Gaps) > 0 || c.ARN != "" || c.Account != "" {
		return false
	}
	for _, info := range model.Areas {
		if info.OfAWS() && c.Read[info.Area] {
			return false
		}
	}
	return true
}
