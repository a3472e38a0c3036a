module tidings.internal/services/tidings

go 1.26.0

require (
	tidings.internal/pkg v0.0.0
	tidings.internal/services/deliver v0.0.0
	tidings.internal/services/enrich v0.0.0
	tidings.internal/services/ingest v0.0.0
	tidings.internal/services/publish v0.0.0
)

require (
	github.com/alecthomas/kong v1.17.0 // indirect
	github.com/antithesishq/antithesis-sdk-go v0.8.0-default-no-op // indirect
	github.com/google/go-cmp v0.7.0 // indirect
	github.com/google/go-tpm v0.9.8 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/minio/highwayhash v1.0.4 // indirect
	github.com/nats-io/jwt/v2 v2.8.2 // indirect
	github.com/nats-io/nats-server/v2 v2.15.2 // indirect
	github.com/nats-io/nats.go v1.55.0 // indirect
	github.com/nats-io/nkeys v0.4.17 // indirect
	github.com/nats-io/nuid v1.0.1 // indirect
	github.com/prometheus/client_golang v1.25.0 // indirect
	github.com/rogpeppe/go-internal v1.16.0 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/time v0.16.0 // indirect
)

replace (
	tidings.internal/pkg => ../../pkg
	tidings.internal/services/deliver => ../deliver
	tidings.internal/services/enrich => ../enrich
	tidings.internal/services/ingest => ../ingest
	tidings.internal/services/publish => ../publish
)
