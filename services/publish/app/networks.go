package app

import (
	"tidings.internal/services/publish/internal/compose"
	"tidings.internal/services/publish/internal/compose/bluesky"
	"tidings.internal/services/publish/internal/compose/discord"
	"tidings.internal/services/publish/internal/compose/facebook"
	"tidings.internal/services/publish/internal/compose/linkedin"
	"tidings.internal/services/publish/internal/compose/list"
	"tidings.internal/services/publish/internal/compose/mastodon"
	"tidings.internal/services/publish/internal/compose/matrix"
	"tidings.internal/services/publish/internal/compose/slack"
	"tidings.internal/services/publish/internal/compose/teams"
	"tidings.internal/services/publish/internal/compose/telegram"
	"tidings.internal/services/publish/internal/compose/threads"
	"tidings.internal/services/publish/internal/compose/webhook"
	"tidings.internal/services/publish/internal/compose/x"
)

// networks lists every network that posts can be composed for.
func networks() []compose.Network {
	return []compose.Network{
		bluesky.Network,
		discord.Network,
		facebook.Network,
		linkedin.Network,
		list.Network,
		mastodon.Network,
		matrix.Network,
		slack.Network,
		teams.Network,
		telegram.Network,
		threads.Network,
		webhook.Network,
		x.Network,
	}
}
