// Package browser reads what Tidings serves with the programs of people: a real browser, and feed readers of Debian. It
// holds tests only.
package browser
