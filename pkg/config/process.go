package config

import "strings"

// Log is the section `log`.
type Log struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
	Pprof  bool   `yaml:"pprof"`
}

// Tracing is the section `tracing`: where spans of the way of articles go.
type Tracing struct {
	OTLP   string  `yaml:"otlp"`
	Sample float64 `yaml:"sample"`
}

// Admin is the section `admin`: the port for health, readiness, metrics and reload.
type Admin struct {
	Listen string `yaml:"listen"`
}

var (
	_ Checker = (*Log)(nil)
	_ Checker = (*Tracing)(nil)
	_ Checker = (*Admin)(nil)
)

// DefaultLog returns the section as it is when the file has none.
func DefaultLog() Log { return Log{Level: "info", Format: "auto"} }

// Check reports what is wrong.
func (l *Log) Check(at At) {
	at.Key("level").OneOf(l.Level, "debug", "info", "warn", "error")
	at.Key("format").OneOf(l.Format, "auto", "text", "json")
}

// DefaultTracing returns the section as it is when the file has none.
func DefaultTracing() Tracing { return Tracing{Sample: 1} }

// Check reports what is wrong.
func (c *Tracing) Check(at At) {
	switch otlp := at.Key("otlp"); {
	case c.OTLP == "":
	case hasLogin(c.OTLP):
		otlp.Problemf("the address holds a user or a password, and a collector that wants a login cannot be used; name one of your own that asks for none and passes the spans on")
	case otlp.URL(c.OTLP) && strings.ContainsAny(c.OTLP, "?#"):
		otlp.Problemf("holds a query or a fragment, and a path is appended to it")
	}
	if c.Sample < 0 || c.Sample > 1 {
		at.Key("sample").Problemf("%v is not within 0 and 1", c.Sample)
	}
}

// DefaultAdmin returns the section as it is when the file has none.
func DefaultAdmin() Admin { return Admin{Listen: "127.0.0.1:9090"} }

// Check reports what is wrong.
func (a *Admin) Check(at At) { at.Key("listen").Listen(a.Listen) }
