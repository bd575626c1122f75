package access

// clusterActions are the actions that are asked for about a cluster.
var clusterActions = []string{
	"eks:CreateAccessEntry",
}
