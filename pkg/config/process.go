package config

// Log is the section `log`.
type Log struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
	Pprof  bool   `yaml:"pprof"`
}

// Admin is the section `admin`: the port for health, readiness, metrics and reload.
type Admin struct {
	Listen string `yaml:"listen"`
}

var (
	_ Checker = (*Log)(nil)
	_ Checker = (*Admin)(nil)
)

// DefaultLog returns the section as it is when the file has none.
func DefaultLog() Log { return Log{Level: "info", Format: "auto"} }

// Check reports what is wrong.
func (l *Log) Check(at At) {
	at.Key("level").OneOf(l.Level, "debug", "info", "warn", "error")
	at.Key("format").OneOf(l.Format, "auto", "text", "json")
}

// DefaultAdmin returns the section as it is when the file has none.
func DefaultAdmin() Admin { return Admin{Listen: "127.0.0.1:9090"} }

// Check reports what is wrong.
func (a *Admin) Check(at At) { at.Key("listen").Listen(a.Listen) }
