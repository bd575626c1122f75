package awsdata

import "testing"

func TestRegistry(t *testing.T) {
	for host, want := range map[string][2]bool{
		"602401143452.dkr.ecr.us-west-2.amazonaws.com":              {true, true},
		"013241004608.dkr.ecr-fips.us-gov-west-1.amazonaws.com":     {true, true},
		"918309763551.dkr.ecr.cn-north-1.amazonaws.com.cn":          {true, true},
		"533267051163.dkr.ecr.ap-east-1.amazonaws.com":              {true, true},
		"602401143452.dkr-ecr.eu-west-1.on.aws":                     {true, true},
		"111122223333.dkr.ecr.us-west-2.amazonaws.com":              {false, true},
		"602401143452.dkr.ecr.us-west-2.amazonaws.com.evil.example": {false, true},
		"602401143452.dkr.ecr.evil.example":                         {false, true},
		"602401143452.dkr.ecr.xx-new-1.amazonaws.com":               {false, false},
		"602401143452.dkr.ecr.us-iso-east-1.c2s.ic.gov":             {false, false},
		"docker.io":      {false, true},
		"mirror.example": {false, true},
		"":               {false, true},
	} {
		if ofEKS, known := Registry(host); ofEKS != want[0] || known != want[1] {
			t.Errorf("%q: %v %v, want %v", host, ofEKS, known, want)
		}
	}
}
