// Package cli is the command line of Tidings: it reads flags, calls package ops, and prints.
//
// Only data goes to standard output, everything else to standard error. Exit codes are those of package fault: 0 good,
// 1 problems found or refused, 2 wrong usage, which starts nothing, 3 the broker cannot be reached, 4 partly done. Every
// verb that prints has --json. What a verb does is not here.
package cli
