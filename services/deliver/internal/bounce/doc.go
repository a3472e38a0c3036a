// Package bounce reads what comes back of mails: that an address does not exist, that a mailbox is full, that a reader calls it spam.
//
// Each mail leaves with an envelope sender of its own ([Address]), so a report belongs to the reader whose token it was sent to, whatever it
// says. A [Mailbox] takes reports over POP3S; [Read] understands delivery status notifications (RFC 3464) and complaints (RFC 5965), and
// nothing else: vacation notes, receipts and spam say nothing about a reader. [Judge] tells the same of a server's reply to a recipient.
//
// The package knows no reader and no key. Anybody can write to such an address, so whoever takes a [Note] checks its token first; and a mail
// is read again when the connection breaks before its end, so notes have ids.
package bounce
