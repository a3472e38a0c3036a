module tidings.internal/services/tidings

go 1.26.0

require (
	tidings.internal/pkg v0.0.0
	tidings.internal/services/deliver v0.0.0
	tidings.internal/services/enrich v0.0.0
	tidings.internal/services/ingest v0.0.0
	tidings.internal/services/publish v0.0.0
)

replace (
	tidings.internal/pkg => ../../pkg
	tidings.internal/services/deliver => ../deliver
	tidings.internal/services/enrich => ../enrich
	tidings.internal/services/ingest => ../ingest
	tidings.internal/services/publish => ../publish
)
