module tidings.internal/services/publish

go 1.26.0

require (
	github.com/clipperhouse/uax29/v2 v2.7.0
	github.com/google/go-cmp v0.7.0
	github.com/gorilla/feeds v1.2.0
	golang.org/x/net v0.62.0
	tidings.internal/pkg v0.0.0
)

require (
	go.yaml.in/yaml/v4 v4.0.0 // indirect
	golang.org/x/text v0.43.0
)

replace tidings.internal/pkg => ../../pkg
