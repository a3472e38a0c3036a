package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// healthLimit is how long [Health] waits. Container engines count a slower answer as a failure of their own.
const healthLimit = 2 * time.Second

// Health asks the process behind a base URL, such as "http://127.0.0.1:9090", whether it does its work, or with alive
// whether its main loops turn, and returns how it is, in one line: "ready", "alive", or "degraded" with what is amiss. The
// error's text is one line, too. It has no kind, so every exit code made of it is 1: an engine knows no other.
func Health(ctx context.Context, url string, alive bool) (line string, err error) {
	path := "/readyz"
	if alive {
		path = "/healthz"
	}
	a, err := ask(ctx, http.MethodGet, url, path, healthLimit)
	switch {
	case err != nil:
		return "", err
	case alive && a.code != http.StatusOK:
		return "", errors.New(stuckLine(a.status, a.body))
	case alive:
		return "alive", nil
	}
	line, serving := reportLine(a.status, a.body)
	if a.code != http.StatusOK || !serving {
		return "", errors.New(line)
	}
	return line, nil
}

// ErrNoAnswer is why nobody was asked: nothing listens at the address.
var ErrNoAnswer = errors.New("nothing answers")

// AskReload has the process behind a base URL take its configuration over anew. The error's text says why it did not.
func AskReload(ctx context.Context, url string) error {
	a, err := ask(ctx, http.MethodPost, url, "/-/reload", ReloadLimit)
	var reply struct{ Status, Reason string }
	switch {
	case err != nil:
		return err
	case a.code == http.StatusOK:
		return nil
	case a.code == http.StatusNotFound:
		return fmt.Errorf("%s answered %s; is that an admin port?", url, oneLine(a.status))
	case json.Unmarshal(a.body, &reply) != nil || reply.Reason == "":
		return errors.New("answered " + oneLine(a.status))
	}
	lines := strings.Split(reply.Reason, "\n")
	for i := range lines {
		lines[i] = oneLine(lines[i])
	}
	return errors.New(strings.Join(lines, "\n"))
}

// Look is what the admin port of the process behind a base URL shows at a path, such as "/metrics", of at most 16 MB. A
// process that is not ready says so with a status that is no error here.
func Look(ctx context.Context, url, path string) ([]byte, error) {
	a, err := ask(ctx, http.MethodGet, url, path, lookLimit)
	switch {
	case err != nil:
		return nil, err
	case a.code != http.StatusOK && a.code != http.StatusServiceUnavailable:
		return nil, fmt.Errorf("%s%s answered %s", url, path, oneLine(a.status))
	}
	return a.body, nil
}

// lookLimit is how long [Look] waits.
const lookLimit = 10 * time.Second

// answer is what an admin port has said.
type answer struct {
	code   int
	status string
	body   []byte
}

// ask asks an admin port within a limit. An error is one line.
func ask(ctx context.Context, method, url, path string, limit time.Duration) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(url, "/")+path, nil)
	if err != nil {
		return answer{}, fmt.Errorf("ask %s: %s", url, oneLine(err.Error()))
	}
	// No proxy: the process is on this machine or beside it, and a proxy of the environment would answer for it.
	t := &http.Transport{DisableKeepAlives: true}
	defer t.CloseIdleConnections()
	res, err := t.RoundTrip(req)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return answer{}, fmt.Errorf("%s did not answer within %v", url, limit)
	case err != nil:
		return answer{}, fmt.Errorf("%w at %s: %s", ErrNoAnswer, url, oneLine(err.Error()))
	}
	defer func() { _ = res.Body.Close() }() // the answer is read, nothing is left to go wrong
	body, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return answer{}, fmt.Errorf("read the answer of %s: %s", url, oneLine(err.Error()))
	}
	return answer{res.StatusCode, res.Status, body}, nil
}

// reportLine tells how a process is and why, in one line: why it is not ready, or what only degrades it.
func reportLine(status string, body []byte) (line string, serving bool) {
	var r Report
	if json.Unmarshal(body, &r) != nil || r.Status == "" {
		return "answered " + oneLine(status) + "; is that an admin port?", false
	}
	why := []string{}
	// Those that only degrade a process stand there too, behind the others: that NATS is away may be why feeds are not built.
	slices.SortStableFunc(r.Checks, func(a, b Check) int {
		return strings.Compare(strconv.FormatBool(b.Needed), strconv.FormatBool(a.Needed))
	})
	for _, c := range r.Checks {
		if c.OK || !c.Needed && r.Status != Degraded && r.Status != NotReady {
			continue
		}
		s := c.Name + ": " + c.Reason
		if c.Hint != "" {
			s += " (" + c.Hint + ")"
		}
		why = append(why, s)
	}
	line = strings.ReplaceAll(string(r.Status), "_", " ")
	if len(why) > 0 {
		line += ": " + strings.Join(why, "; ")
	}
	return oneLine(line), r.Status.Serving()
}

// stuckLine tells which main loops stand still, in one line.
func stuckLine(status string, body []byte) string {
	var r struct {
		Stuck []Loop `json:"stuck"`
	}
	if json.Unmarshal(body, &r) != nil || len(r.Stuck) == 0 {
		return "answered " + oneLine(status)
	}
	why := []string{}
	for _, l := range r.Stuck {
		why = append(why, fmt.Sprintf("%s has not ticked for %.0fs (limit %.0fs)", l.Name, l.Silent, l.Max))
	}
	return oneLine("stuck: " + strings.Join(why, "; "))
}

// oneLine keeps the text of others from breaking the line or steering a terminal.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}
