package awsdata

import "strings"

// registries are the accounts of the registries from which EKS serves the images of its add-ons, by region (EKS User Guide,
// "View Amazon container image registries for Amazon EKS add-ons", read 2026-11). ap-east-2 is listed there with the host of
// ap-east-1; both are taken.
var registries = map[string]string{
	"af-south-1": "877085696533", "ap-east-1": "800184023465", "ap-east-2": "533267051163",
	"ap-northeast-1": "602401143452", "ap-northeast-2": "602401143452", "ap-northeast-3": "602401143452",
	"ap-south-1": "602401143452", "ap-south-2": "900889452093", "ap-southeast-1": "602401143452", "ap-southeast-2": "602401143452",
	"ap-southeast-3": "296578399912", "ap-southeast-4": "491585149902", "ap-southeast-5": "151610086707",
	"ap-southeast-6": "333609536671", "ap-southeast-7": "121268973566",
	"ca-central-1": "602401143452", "ca-west-1": "761377655185",
	"cn-north-1": "918309763551", "cn-northwest-1": "961992271922",
	"eu-central-1": "602401143452", "eu-central-2": "900612956339", "eu-north-1": "602401143452", "eu-south-1": "590381155156",
	"eu-south-2": "455263428931", "eu-west-1": "602401143452", "eu-west-2": "602401143452", "eu-west-3": "602401143452",
	"eusc-de-east-1": "877088126301",
	"il-central-1":   "066635153087", "me-central-1": "759879836304", "me-south-1": "558608220178", "mx-central-1": "730335286997",
	"sa-east-1": "602401143452", "us-east-1": "602401143452", "us-east-2": "602401143452", "us-west-1": "602401143452", "us-west-2": "602401143452",
	"us-gov-east-1": "151742754352", "us-gov-west-1": "013241004608",
}

// Registry says of an image's registry whether it is one from which EKS serves its add-ons. Known is false where AWS
// publishes none for the region: in the iso partitions, and in regions newer than the table.
func Registry(host string) (ofEKS, known bool) {
	account, rest, _ := strings.Cut(strings.ToLower(host), ".")
	rest, ecr := cutAny(rest, "dkr.ecr.", "dkr.ecr-fips.", "dkr-ecr.", "dkr-ecr-fips.")
	region, domain, _ := strings.Cut(rest, ".")
	if !ecr || len(account) != 12 {
		return false, true
	}
	switch domain {
	case "amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "on.aws", "on.amazonwebservices.com.cn":
	default:
		return false, !strings.Contains(region, "-iso")
	}
	want, listed := registries[region]
	if region == "ap-east-1" && account == registries["ap-east-2"] {
		return true, true
	}
	return listed && account == want, listed
}

func cutAny(s string, prefixes ...string) (string, bool) {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(s, p); ok {
			return rest, true
		}
	}
	return s, false
}
