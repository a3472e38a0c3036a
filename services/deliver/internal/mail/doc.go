// Package mail composes, signs and sends one mail.
//
// These are three steps on purpose. [Compose] turns a message into bytes, the same for the same message, so that a preview shows
// what is sent and a repeat after a crash is the very mail. [Sign] puts DKIM signatures in front of them, and [Client.Send]
// hands them to one server. Before the final dot of the mail, without which no server delivers, it calls the caller, who then
// stores that the mail is out: a crash before that line delivered nothing, and one after it is not repeated.
//
// The package knows neither readers nor lists, retries nothing and keeps nothing: an error says by its kind what is known
// of the mail, and the caller decides.
package mail
