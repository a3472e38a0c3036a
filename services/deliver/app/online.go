package app

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
	"tidings.internal/services/deliver/internal/send"
)

const (
	// onlineAtOnce is how many channels are tried at a time, onlineLimit how long one may take.
	onlineAtOnce = 8
	onlineLimit  = 30 * time.Second
)

// CheckOnline tries every channel without posting: a network that can be asked who we are is asked, with the credentials of
// the channel; of the others the way to the server is tried. What does not work becomes a problem of the channel. The document
// was found good before. It returns how many were tried.
func CheckOnline(ctx context.Context, doc *config.Doc) (tried int, err error) {
	s := read(doc)
	client, err := web.New(web.Config{UserAgent: userAgent(s.site)})
	if err != nil {
		return 0, err
	}
	defer client.Close()
	found := make([]error, len(s.channels))
	var group errgroup.Group
	group.SetLimit(onlineAtOnce)
	for i, c := range s.channels {
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, onlineLimit)
			defer cancel()
			found[i] = try(ctx, c, client)
			return nil
		})
	}
	_ = group.Wait() // each has its error in the list
	for i, err := range found {
		if err != nil {
			s.channels[i].at.Problemf("%s; %s", err, hint(err))
		}
	}
	return len(s.channels), ctx.Err()
}

// hint is what to do about an error of a channel.
func hint(err error) string {
	if e, ok := errors.AsType[*web.Error](err); ok && e.Reason == web.RefusedAddress {
		return "allow_private: true of the channel opens it"
	}
	return fault.KindOf(err).Row().Hint
}

func try(ctx context.Context, c channel, client *web.Client) error {
	sender, err := c.network.Open(send.Options{Channel: c.Channel, Client: client, Now: time.Now})
	if err != nil {
		return err
	}
	switch s := sender.(type) {
	case send.Prober:
		_, err = s.Probe(ctx)
	case send.Reacher:
		err = s.Reach(ctx)
	}
	return err
}
