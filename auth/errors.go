package auth

import "github.com/tidewire/tidewire/model"

// The texts of contract thingsboard 2.1 and 2.2. Unauthenticated is its code 10, Expired its
// code 11, by which clients know to refresh.

// errNoToken answers a request without credentials, and one whose body is no login.
func errNoToken() error { return model.Errorf(model.Unauthenticated, "Authentication failed") }

// errNotToken answers what is no token at all.
func errNotToken(err error) error {
	return &model.Error{Kind: model.Unauthenticated, Message: "Invalid username or password", Err: err}
}

// errWrongToken answers a genuine token in the wrong place. Refreshing would not help.
func errWrongToken() error { return model.Errorf(model.Unauthenticated, "Authentication failed") }

// errExpired answers a token that is not good any more: expired, badly signed, or of a
// session that ended.
func errExpired(err error) error {
	return &model.Error{Kind: model.Expired, Message: "Token has expired", Err: err}
}

// errCredentials answers a wrong password and an unknown user alike.
func errCredentials() error {
	return model.Errorf(model.Unauthenticated, "Invalid username or password")
}

// errAPIToken answers an API token that is none, was revoked or has expired alike.
func errAPIToken() error { return model.Errorf(model.Unauthenticated, "Invalid API token") }

// errInactive answers the right password of a disabled user.
func errInactive() error {
	return model.Errorf(model.Unauthenticated, "User account is not active")
}
