package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// A session sends requests with the token of whoever asks, and makes errors of refusals.
type session struct {
	http  *http.Client
	base  string
	agent string
	who   Credentials

	mu     sync.Mutex // held while a session is opened or renewed: everybody waits for one
	tokens TokenPair
}

// Do implements HttpRequestDoer.
func (s *session) Do(r *http.Request) (*http.Response, error) {
	token, err := s.token(r.Context(), "")
	if err != nil {
		return nil, err
	}
	res, err := s.send(r, token)
	if s.who.username == "" || !isUnauthorized(err) || r.Body != nil && r.GetBody == nil {
		return res, err
	}
	// The token was refused: another one, and the same request once more.
	if token, err = s.token(r.Context(), token); err != nil {
		return nil, err
	}
	again := r.Clone(r.Context())
	if r.GetBody != nil {
		if again.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
	}
	return s.send(again, token)
}

func isUnauthorized(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == http.StatusUnauthorized
}

// send sends one request as whom the token says.
func (s *session) send(r *http.Request, token string) (*http.Response, error) {
	r.Header.Set("User-Agent", s.agent)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := s.http.Do(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= http.StatusBadRequest {
		return nil, failureOf(res)
	}
	return res, nil
}

// token returns an access token other than the refused one; "" refuses none.
func (s *session) token(ctx context.Context, refused string) (string, error) {
	if s.who.username == "" {
		return s.who.token, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens.Token != "" && s.tokens.Token != refused {
		return s.tokens.Token, nil // somebody else was faster
	}
	if s.tokens.RefreshToken != "" {
		r, err := NewRefreshTokenRequest(s.base, RefreshRequest{RefreshToken: s.tokens.RefreshToken})
		if err == nil {
			err = s.open(ctx, r)
		}
		if !isUnauthorized(err) {
			return s.tokens.Token, err
		}
		// The session ended: begin another one.
	}
	r, err := NewLoginRequest(s.base, LoginRequest{Username: s.who.username, Password: s.who.password})
	if err == nil {
		err = s.open(ctx, r)
	}
	if err != nil {
		return "", fmt.Errorf("log in as %s: %w", s.who.username, err)
	}
	return s.tokens.Token, nil
}

// open keeps the pair of tokens that a request is answered with.
func (s *session) open(ctx context.Context, r *http.Request) (err error) {
	s.tokens = TokenPair{}
	res, err := s.send(r.WithContext(ctx), "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	return json.NewDecoder(io.LimitReader(res.Body, maxFailure)).Decode(&s.tokens)
}
