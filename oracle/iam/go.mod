module drawbridge/oracle/iam

go 1.26.0

require drawbridge v0.0.0

require github.com/go-json-experiment/json v1.27.2 // indirect

replace drawbridge => ../..
