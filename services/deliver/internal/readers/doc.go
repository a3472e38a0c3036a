// Package readers keeps the readers of newsletters and sends them their mails: who asked for a list, who confirmed it, what
// each wants and when, what each was told, and who must not be written to.
//
// A reader is one row, moving from mail to mail. The row says that a mail leaves, by compare-and-set, before the dot that
// hands it over, so that a mail is told once at most; and everything that must happen stays where it is until it has
// happened: a request in its bucket, a mail in its row. Whoever unsubscribes changes the very row that the next mail has
// to change first, so that no mail leaves behind it.
//
// Addresses stand in the values of rows and nowhere else: keys hold random names and keyed hashes, and neither logs nor
// notices nor metrics name a reader. The package composes no mail and speaks no SMTP; packages letter, mail and bounce do.
package readers
