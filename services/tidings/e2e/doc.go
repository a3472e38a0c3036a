// Package e2e holds the truths of the whole, which no single package can test: who may import whom, what no file may
// hold, what the command line answers, and that an article comes out at the other end, whatever is killed on its way.
package e2e
