package event

import (
	"fmt"
	"slices"
	"strings"

	"tidings.internal/pkg/fault"
)

// Figures of the shipped server.
const (
	maxPayload = "1MB" // the largest dead letter
	// maxMemory is what streams in memory may take. Tidings has none; the consumers of a projection keep their state
	// there.
	maxMemory    = "64MB"
	maxMemoryApp = "32MB"
	// lameDuck is how long a server that is told to go (SIGUSR2) takes to send its clients to the others: the least that
	// nats-server 2.15.2 takes.
	lameDuck = "30s"
	// routePing is how often the servers of a cluster ping each other, as their clients do (package bus).
	routePing = "2s"
)

// tlsBlock is what a server needs to speak TLS and to ask every client for a certificate of the same authority.
const tlsBlock = `tls { cert_file: "/run/secrets/nats_cert", key_file: "/run/secrets/nats_key", ca_file: "/run/secrets/nats_ca", verify: true }`

// ServerConf writes the configuration file of a NATS server for Tidings. maxFile is what its streams may hold on disk,
// in bytes; Tidings itself takes 95 % of it, as [NewTopology] divides it. The account has no limit of its own on disk: the
// server would count a stream on three servers three times against it.
func ServerConf(users []User, maxFile int64) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# The NATS server of Tidings. Written from pkg/event/permission.go by \"go test ./pkg/event -update\"; a change by hand is")
	line("# found by that test. What differs between machines is given by flags: -a and -p for the address, -m for the port")
	line("# of the figures, --cluster and --routes for a cluster. The folder is that of a volume in every container.")
	line("")
	line("# The public keys of the users, NKEY_<USER>: see users.conf.example. A variable that is missing, and one that is not")
	line("# used, both stop the server.")
	line("include \"users.conf\"")
	line("")
	line("# For an internal network: publish no port of it, or use TLS.")
	line("listen: \"0.0.0.0:4222\"")
	line("# The figures know no authentication, so only this machine may ask.")
	line("http: \"127.0.0.1:8222\"")
	line("max_payload: %s", maxPayload)
	line("# For a server of a cluster that is stopped by SIGUSR2.")
	line("lame_duck_duration: %q", lameDuck)
	line("")
	line("# sync_interval: always is not negotiable. With the default of two minutes a power cut can keep the state of a source and")
	line("# lose the articles that it says were stored. max_file: at most 80 %% of the volume. Never tmpfs or NFS.")
	line("jetstream { store_dir: \"/data\", sync_interval: always, max_file: %s, max_mem: %s }", size(maxFile), maxMemory)
	line("")
	line("# TLS with client certificates, needed once the traffic leaves the machine; nats.tls in tidings.yaml is the other end.")
	line("# %s", tlsBlock)
	line("# Of several servers one that is cut off is left after 4 to 6 s: until then it would be given consumers. A single one has")
	line("# no routes, and takes no note of this.")
	line("cluster {")
	line("  ping_interval: %q, ping_max: 2", routePing)
	line("  # TLS for routes between machines, which know neither login nor permissions.")
	line("  # %s", tlsBlock)
	line("}")
	line("")
	line("system_account: %s", AccountSys)
	line("accounts {")
	for _, a := range []Account{AccountSys, AccountApp} {
		line("  %s {", a)
		if a == AccountApp {
			line("    jetstream: { max_mem: %s }", maxMemoryApp)
		}
		line("    users: [")
		for _, u := range users {
			if u.Account == a {
				writeUser(line, u)
			}
		}
		line("    ]")
		line("  }")
	}
	line("}")
	return b.String()
}

func writeUser(line func(string, ...any), u User) {
	line("      # %s: %s.", u.Name, u.About)
	line("      { nkey: $%s, permissions: {", Variable(u.Name))
	line("        publish: { allow: [")
	seen := map[string]bool{}
	for _, g := range u.Says {
		planned := ""
		if g.Planned {
			planned = " (nothing needs this yet)"
		}
		line("          # %s%s", g.For, planned)
		for _, s := range g.Subjects {
			if !seen[s] { // two groups may need one subject
				seen[s] = true
				line("          %q", s)
			}
		}
	}
	line("        ] }")
	line("        subscribe: { allow: [")
	for _, s := range u.Hears {
		line("          %q", s)
	}
	line("        ] }")
	if u.Answers {
		line("        allow_responses: { max: 1, expires: \"30s\" }")
	}
	line("      } }")
}

// size writes bytes in the largest unit that says them exactly; the server counts by 1024.
func size(n int64) string {
	for i, unit := range []string{"TB", "GB", "MB", "KB"} {
		if scale := int64(1) << (10 * (4 - i)); n >= scale && n%scale == 0 {
			return fmt.Sprintf("%d%s", n/scale, unit)
		}
	}
	return fmt.Sprintf("%d", n)
}

// Variable is the name of the variable that holds the public key of a user.
func Variable(user string) string { return "NKEY_" + strings.ToUpper(user) }

// UsersConf writes the file that [ServerConf] includes: the public key of each user. It must name every user and no
// other, since the server refuses a variable that is missing or not used.
func UsersConf(public map[string]string) (string, error) {
	var b strings.Builder
	b.WriteString("# The public keys of the users of nats.conf. The seeds belong to the processes alone (nats.credentials_file).\n")
	for _, u := range Users() {
		key, ok := public[u.Name]
		if !ok {
			return "", fault.Errorf(fault.Invalid, "write users.conf: there is no key for user %s", u.Name)
		}
		if !validKey(key) {
			return "", fault.Errorf(fault.Invalid, "write users.conf: %q is no public nkey of a user", clip(key))
		}
		fmt.Fprintf(&b, "%s = %s\n", Variable(u.Name), key)
	}
	for name := range public {
		if _, ok := FindUser(name); !ok {
			return "", fault.Errorf(fault.Invalid, "write users.conf: nats.conf has no user %q", clip(name))
		}
	}
	return b.String(), nil
}

// validKey reports whether a text has the form of a user's public key: U and 55 characters of base32 (nkeys). It keeps
// anything else out of the file; the checksum is the server's to check.
func validKey(key string) bool {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	return len(key) == 56 && key[0] == 'U' && !slices.ContainsFunc([]byte(key), func(c byte) bool { return !strings.ContainsRune(alphabet, rune(c)) })
}
