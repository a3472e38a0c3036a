// Package web is the only way out: the HTTP client that every part of Tidings uses to reach another machine.
//
// It decides where a connection may go (the guard looks at the connected address, so a name that resolves to a private
// machine is refused whatever the resolver said a moment ago), how much may come back and how long that may take, and
// it names every failure: an [*Error] has one [Reason] from a closed list and the kind of pkg/fault that follows.
//
// There are two ways to use a [Client]. [Client.Fetch] reads documents: conditional requests, redirects followed here
// and each checked, credentials kept with the first host, raw bytes back. [Client.Do] sends: nothing followed, nothing
// repeated, and the answer to the one question a sender has, whether a byte of the request left this machine.
// A [Gate] spaces the requests to one host.
//
// The package neither decompresses nor parses what it fetched, keeps no cookies, retries nothing and knows no feed and
// no network by name. Proxies come from options alone, never from the environment.
package web
