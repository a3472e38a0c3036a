package app

import (
	"tidings.internal/services/deliver/internal/send"
	"tidings.internal/services/deliver/internal/send/bluesky"
	"tidings.internal/services/deliver/internal/send/discord"
	"tidings.internal/services/deliver/internal/send/linkedin"
	"tidings.internal/services/deliver/internal/send/list"
	"tidings.internal/services/deliver/internal/send/mastodon"
	"tidings.internal/services/deliver/internal/send/matrix"
	"tidings.internal/services/deliver/internal/send/slack"
	"tidings.internal/services/deliver/internal/send/teams"
	"tidings.internal/services/deliver/internal/send/telegram"
	"tidings.internal/services/deliver/internal/send/webhook"
)

// networks lists every network that posts can be sent to.
func networks() []send.Network {
	return []send.Network{
		bluesky.Network,
		discord.Network,
		linkedin.Network,
		list.Network,
		mastodon.Network,
		matrix.Network,
		slack.Network,
		teams.Network,
		telegram.Network,
		webhook.Network,
	}
}
