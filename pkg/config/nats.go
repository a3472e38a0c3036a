package config

import (
	"strings"
	"time"
)

// The words of [NATS.Sync].
const (
	SyncAlways  = "always"
	SyncDefault = "default"
)

// NATS is the section `nats`: where the broker is, or how the embedded one runs, and how much it keeps.
type NATS struct {
	// URL is one address or several, parted by commas. Empty: the all-in-one program starts its own server, a single
	// service dials the local one.
	URL string `yaml:"url"`
	// Listen opens the embedded server to other processes. Empty: it has no port.
	Listen          string `yaml:"listen"`
	CredentialsFile string `yaml:"credentials_file,path"`
	// TLS encrypts the connection to url.
	TLS TLS `yaml:"tls"`
	// Sync is when the embedded server flushes to disk: always, default, or a duration. See [NATS.SyncInterval].
	Sync         string        `yaml:"sync"`
	Replicas     int           `yaml:"replicas"`
	MaxFile      Size          `yaml:"max_file"`
	DedupeWindow time.Duration `yaml:"dedupe_window"`
	Retention    Retention     `yaml:"retention"`
}

// minFile is event.MinFile, which is not to be seen from here: with less, the smallest bucket could not hold one large
// value.
const minFile = 256 * MB

// Retention is how long the streams keep what is in them.
type Retention struct {
	Raw      time.Duration `yaml:"raw"`
	Articles time.Duration `yaml:"articles"`
	Posts    time.Duration `yaml:"posts"`
	Stories  time.Duration `yaml:"stories"`
}

// TLS names the files of an encrypted connection.
type TLS struct {
	CAFile   string `yaml:"ca_file,path"`
	CertFile string `yaml:"cert_file,path"`
	KeyFile  string `yaml:"key_file,path"`
}

var (
	_ Checker = (*NATS)(nil)
	_ Checker = (*Retention)(nil)
	_ Checker = (*TLS)(nil)
)

// DefaultNATS returns the section as it is when the file has none.
func DefaultNATS() NATS {
	return NATS{
		Sync:         SyncAlways,
		Replicas:     1,
		MaxFile:      10 * GB,
		DedupeWindow: time.Hour,
		Retention: Retention{
			Raw:      3 * 24 * time.Hour,
			Articles: 30 * 24 * time.Hour,
			Posts:    35 * 24 * time.Hour,
			Stories:  45 * 24 * time.Hour,
		},
	}
}

// Check reports what is wrong.
func (n *NATS) Check(at At) {
	if n.URL != "" {
		for one := range strings.SplitSeq(n.URL, ",") {
			at.Key("url").URL(strings.TrimSpace(one), "nats", "tls", "ws", "wss")
		}
	}
	if n.Listen != "" {
		at.Key("listen").Listen(n.Listen)
		if n.URL != "" {
			at.Key("listen").Problemf("opens the embedded server, but nats.url names another one; keep one of the two")
		}
	}
	if n.TLS != (TLS{}) && n.URL == "" {
		at.Key("tls").Problemf("encrypts the connection to nats.url, which is not set")
	}
	if n.Sync != SyncAlways && n.Sync != SyncDefault {
		if every, err := time.ParseDuration(n.Sync); err != nil || every <= 0 {
			at.Key("sync").Problemf("%s is neither always nor default nor a duration such as 10s", quote(n.Sync))
		}
	}
	if n.Replicas != 1 && n.Replicas != 3 {
		at.Key("replicas").Problemf("%d is neither 1 nor 3; two servers agree on nothing when one is lost", n.Replicas)
	}
	if n.MaxFile < minFile {
		at.Key("max_file").Problemf("%s is too small; the streams need at least %s", n.MaxFile, minFile)
	}
	at.Key("dedupe_window").Between(n.DedupeWindow, 2*time.Minute, time.Hour)
}

// SyncInterval returns what [NATS.Sync] means: flush with every write, or each interval; an interval of zero leaves it
// to the server.
func (n *NATS) SyncInterval() (always bool, interval time.Duration) {
	every, err := time.ParseDuration(n.Sync)
	if err != nil {
		return n.Sync == SyncAlways, 0
	}
	return false, every
}

// Check reports ages that would let a later table forget what an earlier stream still holds: a replay would then take
// an old article for a new one, or post a story again.
func (r *Retention) Check(at At) {
	ages := []struct {
		key string
		age time.Duration
	}{{"raw", r.Raw}, {"articles", r.Articles}, {"posts", r.Posts}, {"stories", r.Stories}}
	if r.Raw < time.Hour {
		at.Key("raw").Problemf("%s is too short; an outage of an hour would lose articles", durationText(r.Raw))
	}
	for i := 1; i < len(ages); i++ {
		if before := ages[i-1]; ages[i].age <= before.age {
			at.Key(ages[i].key).Problemf("%s is not longer than %s of %s; it must be raw < articles < posts < stories",
				durationText(ages[i].age), durationText(before.age), before.key)
		}
	}
}

// Check reports half a pair. Whether the files can be read is found out by who connects: "check" may run elsewhere.
func (t *TLS) Check(at At) {
	switch {
	case t.CertFile != "" && t.KeyFile == "":
		at.Key("cert_file").Problemf("has no key; set key_file too")
	case t.KeyFile != "" && t.CertFile == "":
		at.Key("key_file").Problemf("has no certificate; set cert_file too")
	}
}
