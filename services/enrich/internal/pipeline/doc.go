// Package pipeline carries an article through the steps that enrich it.
//
// A [Step] reads and fills a [Draft]; [Runner] calls the steps in their order, each under a budget and a recover, so
// that one that fails, panics or hangs costs its own result and nothing else: its name and the reason go into the
// article's degraded list and the article goes on. The package knows no step, no broker and no clock but that of the
// budgets.
package pipeline
