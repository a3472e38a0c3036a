package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// healthLimit is how long [Health] waits. Container engines count a slower answer as a failure of their own.
const healthLimit = 2 * time.Second

// Health asks the process behind a base URL, such as "http://127.0.0.1:9090", whether it does its work, or with alive
// whether its main loops turn. The error's text is one line. It has no kind, so every exit code made of it is 1: an
// engine knows no other.
func Health(ctx context.Context, url string, alive bool) error {
	ctx, cancel := context.WithTimeout(ctx, healthLimit)
	defer cancel()
	path := "/readyz"
	if alive {
		path = "/healthz"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+path, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %s", url, oneLine(err.Error()))
	}
	// No proxy: the process is on this machine, and a proxy of the environment would answer for it.
	t := &http.Transport{DisableKeepAlives: true}
	defer t.CloseIdleConnections()
	res, err := t.RoundTrip(req)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s did not answer within %v", url, healthLimit)
	case err != nil:
		return fmt.Errorf("nothing answers at %s: %s", url, oneLine(err.Error()))
	}
	defer func() { _ = res.Body.Close() }() // the answer is read, nothing is left to go wrong
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	switch {
	case err != nil:
		return fmt.Errorf("read the answer of %s: %s", url, oneLine(err.Error()))
	case res.StatusCode == http.StatusOK:
		return nil
	case alive:
		return errors.New(stuckLine(res.Status, body))
	default:
		return errors.New(notReadyLine(res.Status, body))
	}
}

// reloadLimit is how long [AskReload] waits: an app may take [StopLimit] to end, and another one opens then.
const reloadLimit = StopLimit + 30*time.Second

// AskReload has the process behind a base URL take its configuration over anew. The error's text says why it did not.
func AskReload(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, reloadLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(url, "/")+"/-/reload", nil)
	if err != nil {
		return fmt.Errorf("ask %s: %s", url, oneLine(err.Error()))
	}
	t := &http.Transport{DisableKeepAlives: true} // no proxy: the process is on this machine
	defer t.CloseIdleConnections()
	res, err := t.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("nothing answers at %s: %s", url, oneLine(err.Error()))
	}
	defer func() { _ = res.Body.Close() }() // the answer is read, nothing is left to go wrong
	var answer struct{ Status, Reason string }
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	switch {
	case err != nil:
		return fmt.Errorf("read the answer of %s: %s", url, oneLine(err.Error()))
	case res.StatusCode == http.StatusOK:
		return nil
	case res.StatusCode == http.StatusNotFound:
		return errors.New("the process runs without a configuration file, so there is nothing to read again")
	case json.Unmarshal(body, &answer) != nil || answer.Reason == "":
		return errors.New("answered " + oneLine(res.Status))
	}
	lines := strings.Split(answer.Reason, "\n")
	for i := range lines {
		lines[i] = oneLine(lines[i])
	}
	return errors.New(strings.Join(lines, "\n"))
}

// notReadyLine tells why a process is not ready, in one line.
func notReadyLine(status string, body []byte) string {
	var r Report
	if json.Unmarshal(body, &r) != nil || r.Status == "" {
		return "answered " + oneLine(status)
	}
	why := []string{}
	for _, c := range r.Checks {
		if c.OK || !c.Needed {
			continue
		}
		s := c.Name + ": " + c.Reason
		if c.Hint != "" {
			s += " (" + c.Hint + ")"
		}
		why = append(why, s)
	}
	line := strings.ReplaceAll(string(r.Status), "_", " ")
	if len(why) > 0 {
		line += ": " + strings.Join(why, "; ")
	}
	return oneLine(line)
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
