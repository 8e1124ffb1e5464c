package registry

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tidewire/tidewire/model"
)

// maxText bounds names, types, labels and titles, in characters (contract thingsboard 3).
const maxText = 255

// A field is a text of a record with the name clients know it by.
type field struct{ name, value string }

// checkTexts refuses texts that are too long or hold HTML.
func checkTexts(fields ...field) error {
	for _, f := range fields {
		if utf8.RuneCountInString(f.value) > maxText {
			return model.Invalidf("Validation error: %s length must be equal or less than %d", f.name, maxText)
		}
		if !utf8.ValidString(f.value) || strings.ContainsFunc(f.value, unicode.IsControl) || hasHTML(f.value) {
			return model.Invalidf("Validation error: %s is malformed", f.name)
		}
	}
	return nil
}

// required is checkTexts for the text a record is called by.
func required(what string, f field) error {
	if strings.TrimSpace(f.value) == "" {
		return model.Invalidf("%s %s should be specified!", what, f.name)
	}
	return checkTexts(f)
}

// hasHTML reports whether s holds what a browser would read as a tag. A lone "<" is text.
func hasHTML(s string) bool {
	for {
		i := strings.IndexByte(s, '<')
		if i < 0 || i+1 == len(s) {
			return false
		}
		c := s[i+1]
		if c == '/' || c == '!' || c == '?' || 'a' <= c|0x20 && c|0x20 <= 'z' {
			return true
		}
		s = s[i+1:]
	}
}

// checkContact checks the texts of a contact.
func checkContact(c *model.Contact) error {
	err := checkTexts(field{"country", c.Country}, field{"state", c.State}, field{"city", c.City},
		field{"address", c.Address}, field{"address2", c.Address2}, field{"zip", c.Zip},
		field{"phone", c.Phone}, field{"email", c.Email})
	if err == nil && c.Email != "" {
		err = checkEmail(c.Email)
	}
	return err
}

// checkEmail refuses what cannot be an address: no name, no host, or characters that end one.
func checkEmail(email string) error {
	name, host, ok := strings.Cut(email, "@")
	if !ok || name == "" || host == "" || strings.ContainsAny(email, " \t<>,;\"") || strings.Contains(host, "@") {
		return model.Invalidf("Invalid email address format '%s'!", email)
	}
	return nil
}

// checkVersion compares the version a client saw with the stored one. Zero is not checked.
func checkVersion(what string, sent, stored int64) error {
	if sent != 0 && sent != stored {
		return model.Errorf(model.Conflict, "%s was already changed by someone else", what)
	}
	return nil
}

// missing is the error for what a tenant does not have (contract thingsboard 1.5).
func missing(what string, id model.ID) error {
	return model.NotFoundf("%s with id [%s] is not found", what, id)
}
