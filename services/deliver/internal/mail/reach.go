package mail

import "context"

// Reach tries the way to the server, as for a mail: it connects, speaks TLS, logs in and ends. Its error is that of
// [Client.Send].
func (c *Client) Reach(ctx context.Context) error {
	if r := c.open(ctx); r != nil {
		return r
	}
	c.Close()
	return nil
}
