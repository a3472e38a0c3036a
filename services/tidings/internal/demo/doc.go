// Package demo is what Tidings shows when nobody has configured anything: a small origin on this machine that serves
// three sources with articles written for it, and a sink that takes the posts of a webhook channel.
//
// It works without any network beyond loopback. Nothing of it knows how articles are processed: to the services the
// origin is a host like any other, reached through the same guard, which is opened for exactly its one port.
package demo
