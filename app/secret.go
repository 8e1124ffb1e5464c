package app

import (
	"io"
)

// passwordAlphabet leaves out what is mistaken for something else when read aloud or typed.
const passwordAlphabet = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"

// randomPassword makes four groups of four characters, 92 bits.
func randomPassword(random io.Reader) (string, error) {
	var b [1]byte
	out := make([]byte, 0, 19)
	for len(out) < cap(out) {
		if len(out)%5 == 4 {
			out = append(out, '-')
			continue
		}
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return "", err
		}
		// Bytes beyond the last whole multiple would favour some characters.
		if n := len(passwordAlphabet); int(b[0]) < 256/n*n {
			out = append(out, passwordAlphabet[int(b[0])%n])
		}
	}
	return string(out), nil
}
