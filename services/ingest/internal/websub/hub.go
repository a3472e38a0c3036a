package websub

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
)

// maxHops is how many redirects of a hub are followed.
const maxHops = 3

// Subscribe asks a hub for the pushes of a topic (section 5.1). That it says yes means no more than that it will confirm.
func Subscribe(ctx context.Context, client *web.Client, hub, topic, callback, secret string, o web.Options) error {
	form := url.Values{
		"hub.mode": {"subscribe"}, "hub.topic": {topic}, "hub.callback": {callback}, "hub.secret": {secret}, "hub.lease_seconds": {strconv.Itoa(LeaseSeconds)},
	}.Encode()
	// What a source's own host was entrusted with is no hub's business.
	o = o.Elsewhere()
	o.Idempotent = true
	at := hub
	for range maxHops + 1 {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(form))
		if err != nil {
			return fault.Errorf(fault.Invalid, "ask a hub: %w", err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		a, err := client.Do(ctx, req, o)
		if err != nil {
			return err
		}
		if a.Status != http.StatusTemporaryRedirect && a.Status != http.StatusPermanentRedirect {
			if a.Status/100 == 2 {
				return nil
			}
			return a.Fault(true)
		}
		next, err := req.URL.Parse(a.Header.Get("Location"))
		if err != nil || next.Host == "" || req.URL.Scheme == "https" && next.Scheme != "https" {
			return fault.Errorf(fault.Refused, "ask a hub: it leads to an address that is not followed")
		}
		at = next.String()
	}
	return fault.Errorf(fault.Refused, "ask a hub: more than %d redirects", maxHops)
}
