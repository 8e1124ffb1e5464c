// Package mail sends messages to people: links to activate an account or to set a new
// password.
//
//	Post(job) ─► queue ─► one goroutine: job ─► message ─► Sender (SMTP, or the log)
//
// What is to be said is decided on the queue's goroutine, too, so whoever asks for a message
// learns nothing from how long that takes: not even whether there is an account.
//
// A Queue is in memory. A message that was not sent when the server ends is lost; links can be
// asked for again.
package mail
