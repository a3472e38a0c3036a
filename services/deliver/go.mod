module tidings.internal/services/deliver

go 1.26.0

require tidings.internal/pkg v0.0.0

replace tidings.internal/pkg => ../../pkg
