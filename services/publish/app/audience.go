package app

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/audience"
)

// audienceEvery is how often it is told how many readers feeds have.
const audienceEvery = time.Hour

// tellAudience tells at each tick how many readers services said that feeds have. Each replica tells what it was told
// itself. What was said before a crash is said again with the next request of each service.
func (a *App) tellAudience(ctx context.Context, ticks <-chan time.Time) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks:
		}
		for _, c := range a.audience.Take() {
			a.bus.Notice(ctx, audienceNotice(c))
		}
	}
}

func audienceNotice(c audience.Count) event.Notice {
	return event.Notice{
		Type: "audience", Feed: c.Feed, Text: fmt.Sprintf("%d services said that they read the feed for %d readers", c.Services, c.Readers),
		Data: map[string]string{"readers": strconv.Itoa(c.Readers), "services": strconv.Itoa(c.Services)},
	}
}
