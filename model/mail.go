package model

// A Mail is a message to a person.
type Mail struct {
	To      string // an e-mail address
	Subject string
	Text    string
	Link    string // what it is about, for servers that send no mail; part of Text
}
