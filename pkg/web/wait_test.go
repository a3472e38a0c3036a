package web

import (
	"net/http"
	"testing"
	"time"
)

var noon = time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i+1 < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	const name = "Retry-After"
	for _, c := range []struct {
		about string
		h     http.Header
		want  time.Duration
		ok    bool
	}{
		{"none", headers(), 0, false},
		{"seconds", headers(name, "120"), 2 * time.Minute, true},
		{"spaces", headers(name, " 120 "), 2 * time.Minute, true},
		{"a fraction", headers(name, "0.5"), 500 * time.Millisecond, true},
		{"zero", headers(name, "0"), 0, true},
		{"a day is the most", headers(name, "1000000"), MaxWait, true},
		{"digits without end", headers(name, "99999999999999999999999999999999"), MaxWait, true},
		{"IMF date", headers(name, "Mon, 23 Nov 2026 12:05:00 GMT"), 5 * time.Minute, true},
		{"RFC 850 date", headers(name, "Monday, 23-Nov-26 12:05:00 GMT"), 5 * time.Minute, true},
		{"asctime date", headers(name, "Mon Nov 23 12:05:00 2026"), 5 * time.Minute, true},
		{"date gone by", headers(name, "Mon, 23 Nov 2026 11:00:00 GMT"), 0, true},
		{"year 9999", headers(name, "Fri, 31 Dec 9999 23:59:59 GMT"), MaxWait, true},
		{"by their clock", headers(name, "Mon, 23 Nov 2026 09:05:00 GMT", "Date", "Mon, 23 Nov 2026 09:00:00 GMT"), 5 * time.Minute, true},
		{"their clock unreadable", headers(name, "Mon, 23 Nov 2026 12:05:00 GMT", "Date", "noon"), 5 * time.Minute, true},
		{"doubled", headers(name, "60", name, "Mon, 23 Nov 2026 12:05:00 GMT"), 5 * time.Minute, true},
		{"doubled, the other way", headers(name, "Mon, 23 Nov 2026 12:00:10 GMT", name, "60"), time.Minute, true},
		{"joined", headers(name, "60, 90"), 90 * time.Second, true},
		{"one of two is garbage", headers(name, "soon", name, "60"), time.Minute, true},
		{"exponent", headers(name, "1e12"), 0, false},
		{"negative", headers(name, "-5"), 0, false},
		{"plus", headers(name, "+5"), 0, false},
		{"infinite", headers(name, "Inf"), 0, false},
		{"not a number", headers(name, "NaN"), 0, false},
		{"hexadecimal", headers(name, "0x10"), 0, false},
		{"only points", headers(name, "..."), 0, false},
		{"empty", headers(name, ""), 0, false},
		{"RFC 3339 is no HTTP date", headers(name, "2026-11-23T12:05:00Z"), 0, false},
	} {
		if got, ok := RetryAfter(c.h, noon); got != c.want || ok != c.ok {
			t.Errorf("%s: %v, %v, want %v, %v", c.about, got, ok, c.want, c.ok)
		}
	}
}

func TestWaitOfASender(t *testing.T) {
	t.Parallel()
	const reset, after = "X-RateLimit-Reset", "X-RateLimit-Reset-After"
	for _, c := range []struct {
		about string
		h     http.Header
		want  time.Duration
		ok    bool
	}{
		{"none", headers("X-RateLimit-Remaining", "0"), 0, false},
		{"reset as distance", headers(reset, "30"), 30 * time.Second, true},
		{"reset since 1970", headers(reset, "1795435500"), 5 * time.Minute, true},
		{"reset since 1970 with a fraction", headers(reset, "1795435500.25"), 5*time.Minute + 250*time.Millisecond, true},
		{"reset in RFC 3339", headers(reset, "2026-11-23T12:05:00.000Z"), 5 * time.Minute, true},
		{"reset by their clock", headers(reset, "2026-11-23T09:05:00Z", "Date", "Mon, 23 Nov 2026 09:00:00 GMT"), 5 * time.Minute, true},
		{"reset-after", headers(after, "1.25"), 1250 * time.Millisecond, true},
		{"at least a second", headers(after, "0.02"), MinWait, true},
		{"reset gone by", headers(reset, "1000000000"), MinWait, true},
		{"at most a day", headers(reset, "999999999"), MaxWait, true},
		{"milliseconds since 1970", headers(reset, "1795435500000"), MaxWait, true},
		{"the greatest counts", headers("Retry-After", "10", reset, "20", reset, "40", after, "30"), 40 * time.Second, true},
		{"garbage is left out", headers("Retry-After", "10", reset, "tomorrow", after, "-1"), 10 * time.Second, true},
		{"infinite", headers(after, "Inf"), 0, false},
	} {
		if got, ok := Wait(c.h, noon); got != c.want || ok != c.ok {
			t.Errorf("%s: %v, %v, want %v, %v", c.about, got, ok, c.want, c.ok)
		}
	}
	if ClampWait(-1) != MinWait || ClampWait(48*time.Hour) != MaxWait || ClampWait(time.Minute) != time.Minute {
		t.Error("ClampWait does not clamp")
	}
}

func FuzzWait(f *testing.F) {
	f.Add("120", "1e12", "Mon, 23 Nov 2026 12:05:00 GMT")
	f.Add("1,2", "2026-11-23T12:05:00Z", "..9")
	f.Fuzz(func(t *testing.T, a, b, date string) {
		h := headers("Retry-After", a, "X-RateLimit-Reset", b, "X-RateLimit-Reset-After", a, "Retry-After", b, "Date", date)
		if d, ok := RetryAfter(h, noon); d < 0 || d > MaxWait || !ok && d != 0 {
			t.Fatalf("RetryAfter %v, %v", d, ok)
		}
		if d, ok := Wait(h, noon); ok && (d < MinWait || d > MaxWait) || !ok && d != 0 {
			t.Fatalf("Wait %v, %v", d, ok)
		}
	})
}
