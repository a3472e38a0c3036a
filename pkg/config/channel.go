package config

import (
	"fmt"
	"strings"
	"time"
)

// Channel is an entry of the section `channels`: the keys that every network has. publish composes by some of them,
// deliver sends by others; both read all. What only one network knows is in Settings.
type Channel struct {
	ID      string `yaml:"id"`
	Network string `yaml:"network"`
	// Emit is "send", or "only" for posts that others take from the bus.
	Emit   string    `yaml:"emit"`
	Select Selection `yaml:"select"`

	// Content is how much of an article a post may carry: full, summary or title.
	Content  string   `yaml:"content"`
	Template string   `yaml:"template"`
	Hashtags int      `yaml:"hashtags"`
	UTM      UTM      `yaml:"utm"`
	Events   []string `yaml:"events"`
	Backfill int      `yaml:"backfill"`

	Approve     Approve       `yaml:"approve"`
	ExpireAfter time.Duration `yaml:"expire_after"`

	// Zero means no limit.
	MaxPerHour  int           `yaml:"max_per_hour"`
	MaxPerDay   int           `yaml:"max_per_day"`
	MinInterval time.Duration `yaml:"min_interval"`
	Burst       int           `yaml:"burst"`
	Quiet       Quiet         `yaml:"quiet"`
	// MaxAge is how old an article may be when its post is sent; zero means any age.
	MaxAge   time.Duration `yaml:"max_age"`
	Overflow string        `yaml:"overflow"`
	QueueCap int           `yaml:"queue_cap"`
	Budget   Budget        `yaml:"budget"`

	OnUpdate     string        `yaml:"on_update"`
	OnRemove     string        `yaml:"on_remove"`
	OnUncertain  string        `yaml:"on_uncertain"`
	Timeout      time.Duration `yaml:"timeout"`
	AllowPrivate bool          `yaml:"allow_private"`

	// Settings is what the program gave for the network, decoded; nil when it has nothing to set there.
	Settings any `yaml:"-"`
}

// UTM are the marks on a post's link by which the readers' site counts visits.
type UTM struct {
	Source   string `yaml:"source"`
	Medium   string `yaml:"medium"`
	Campaign string `yaml:"campaign"`
}

// Budget bounds what a network that charges may cost. Amounts are decimal texts, exact to the last digit.
type Budget struct {
	PerMonth string `yaml:"per_month"`
	Post     string `yaml:"post"`
	Link     string `yaml:"link"`
}

// The words of [Approve.Mode].
const (
	ApproveAuto   = "auto"
	ApproveHold   = "hold"
	ApproveManual = "manual"
)

// Approve says who lets a post go: "auto" nobody, "hold 10m" time unless somebody stops it, "manual" a person.
type Approve struct {
	Mode string
	Hold time.Duration
}

// Quiet are hours without posts, on the clock of a zone. From and To are "22:00"; To may lie on the next day. The zone
// also says when a day of max_per_day begins.
type Quiet struct {
	From string `yaml:"from"`
	To   string `yaml:"to"`
	Zone string `yaml:"zone"`
}

var (
	_ Checker   = (*Channel)(nil)
	_ Defaulter = (*Channel)(nil)
	_ Checker   = (*Budget)(nil)
	_ Checker   = (*Quiet)(nil)
)

// SetDefaults fills in what an entry need not say.
func (c *Channel) SetDefaults() {
	*c = Channel{
		Emit: "send", Content: "full", Hashtags: 3,
		Approve: Approve{Mode: ApproveAuto}, ExpireAfter: 168 * time.Hour,
		Burst: 1, Quiet: Quiet{Zone: "UTC"}, MaxAge: 48 * time.Hour, Overflow: "queue", QueueCap: 500,
		OnUpdate: "edit", OnRemove: "delete", OnUncertain: "hold", Timeout: 30 * time.Second,
	}
}

// Events lists what a channel may ask for in `events`.
func events() []string {
	return []string{
		"article.published", "article.updated", "article.removed", "digest.sent", "delivery.failed", "source.failing",
	}
}

// Check reports what is wrong with the common keys.
func (c *Channel) Check(at At) {
	at.Key("id").Name(c.ID)
	at.Key("emit").OneOf(c.Emit, "send", "only")
	at.Key("content").OneOf(c.Content, "full", "summary", "title")
	at.Key("overflow").OneOf(c.Overflow, "queue", "drop_oldest", "digest")
	at.Key("on_update").OneOf(c.OnUpdate, "edit", "reply", "ignore")
	at.Key("on_remove").OneOf(c.OnRemove, "delete", "ignore")
	at.Key("on_uncertain").OneOf(c.OnUncertain, "hold", "retry")
	each(at.Key("events"), c.Events, func(a At, word string) bool { return a.OneOf(word, events()...) })
	for _, n := range []struct {
		key   string
		value int
		least int
		most  int
	}{
		{"hashtags", c.Hashtags, 0, 30}, {"backfill", c.Backfill, 0, 1000}, {"max_per_hour", c.MaxPerHour, 0, 100_000},
		{"max_per_day", c.MaxPerDay, 0, 1_000_000}, {"burst", c.Burst, 1, 1000}, {"queue_cap", c.QueueCap, 1, 10_000},
	} {
		if n.value < n.least || n.value > n.most {
			at.Key(n.key).Problemf("%d is not within %d and %d", n.value, n.least, n.most)
		}
	}
	at.Key("timeout").Between(c.Timeout, time.Second, 5*time.Minute)
	at.Key("expire_after").Between(c.ExpireAfter, time.Minute, 400*24*time.Hour)
	if c.Burst > 1 && c.MaxPerHour == 0 {
		at.Key("burst").Problemf("has no meaning without max_per_hour")
	}
}

// Check reports what is wrong.
func (b *Budget) Check(at At) {
	for _, a := range []struct{ key, text string }{{"per_month", b.PerMonth}, {"post", b.Post}, {"link", b.Link}} {
		if a.text != "" && !decimalForm.MatchString(a.text) {
			at.Key(a.key).Problemf("%s is not an amount such as 2.00", quote(a.text))
		}
	}
	if b.PerMonth == "" && (b.Post != "" || b.Link != "") {
		at.Key("per_month").Problemf("is missing; without it the prices bound nothing")
	}
	if b.PerMonth != "" && b.Post == "" && b.Link == "" {
		at.Problemf("names no price; give post or link, or both")
	}
}

// UnmarshalText reads "auto", "hold 10m" or "manual".
func (a *Approve) UnmarshalText(text []byte) error {
	mode, rest, timed := strings.Cut(strings.TrimSpace(string(text)), " ")
	switch {
	case !timed && (mode == ApproveAuto || mode == ApproveManual):
		*a = Approve{Mode: mode}
		return nil
	case mode == ApproveHold:
		if hold, err := time.ParseDuration(strings.TrimSpace(rest)); err == nil && hold > 0 {
			*a = Approve{Mode: mode, Hold: hold}
			return nil
		}
		return sentence(`%s names no time to hold a post for, as in "hold 10m"`, quote(string(text)))
	}
	hint, _ := suggest(mode, []string{ApproveAuto, ApproveManual})
	return sentence("%s is neither auto nor hold 10m nor manual%s", quote(string(text)), hint)
}

// MarshalText writes what UnmarshalText reads.
func (a Approve) MarshalText() ([]byte, error) {
	if a.Mode == ApproveHold {
		return []byte(a.Mode + " " + durationText(a.Hold)), nil
	}
	return []byte(a.Mode), nil
}

// Check reports what is wrong.
func (q *Quiet) Check(at At) {
	if _, err := time.LoadLocation(q.Zone); err != nil || q.Zone == "" || q.Zone == "Local" {
		at.Key("zone").Problemf("%s is not a time zone such as Europe/Berlin", quote(q.Zone))
	}
	good := true
	for _, c := range []struct{ key, text, other string }{{"from", q.From, q.To}, {"to", q.To, q.From}} {
		if _, err := clock(c.text); c.text != "" && err != nil {
			at.Key(c.key).Problemf("%s", err)
			good = false
		}
		if c.text == "" && c.other != "" {
			at.Key(c.key).Problemf("is missing; quiet hours have a from and a to")
		}
	}
	if good && q.From != "" && q.From == q.To {
		at.Key("to").Problemf("is the same as from; hours without an end are a paused channel")
	}
}

// Minutes returns the quiet hours as minutes after midnight; from is larger than to when they span it. ok is false
// when there are none.
func (q Quiet) Minutes() (from, to int, ok bool) {
	from, err := clock(q.From)
	to, err2 := clock(q.To)
	return from, to, err == nil && err2 == nil
}

// Location returns the zone. A checked Quiet has one; else it is UTC.
func (q Quiet) Location() *time.Location {
	if zone, err := time.LoadLocation(q.Zone); err == nil {
		return zone
	}
	return time.UTC
}

func clock(text string) (int, error) {
	t, err := time.Parse("15:04", text)
	if err != nil {
		return 0, sentence("%s is not a time of day such as 22:00", quote(text))
	}
	return t.Hour()*60 + t.Minute(), nil
}

// sentence is an error for an operator, shown behind the position of a value.
func sentence(format string, args ...any) error { return fmt.Errorf(format, args...) }
