package app

import "tidings.internal/pkg/config"

// payloadOnly are the networks for which posts are composed and that nothing here sends to. Their channels leave posts on
// the bus (emit: only) for whoever has an account there.
//
// Each with the keys that belong to the composing side.
var payloadOnly = map[string][]string{"facebook": {"limit"}, "threads": {}, "x": {}}

// payloadExample is the sending side's part of the manual of such a network.
const payloadExample = `
# Tidings sends nothing to this network: posts stay on the bus as post.CHANNEL.STORY, for a program of yours to send.
# Required.
emit: only
`

// mustStay reports a channel of such a network that is to be sent to.
func mustStay(c config.Channel, at config.At) {
	if c.Emit != emitOnly {
		at.Key("emit").Problemf("posts for %s are composed and not sent; write emit: only, and take them from post.%s.>", c.Network, c.ID)
	}
}
