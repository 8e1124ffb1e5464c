package api

import (
	"cmp"
	"context"
	"net/url"
	"strings"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

// link makes the address of a page of the web app that reads a token.
func link(base, page, name, token string) string {
	return strings.TrimSuffix(base, "/") + page + "?" + name + "=" + url.QueryEscape(token)
}

// ownURL is how the server is reached, for links asked for by somebody not known: never the
// Host of the request, which a stranger chooses.
func (s *Server) ownURL() string { return cmp.Or(s.PublicURL, s.LocalURL) }

// activationLink makes the link under which a new user sets the first password.
func (s *Server) activationLink(ctx context.Context, base string, u *model.User) (string, error) {
	token, err := s.auth.SetupLink(ctx, u.ID)
	if err != nil {
		return "", err
	}
	return link(base, "/login/createPassword", "activateToken", token), nil
}

// sendActivation tells a new user how to begin.
func (s *Server) sendActivation(ctx context.Context, u *model.User) error {
	// The link is made before the answer: were it later, it would end one that the
	// administrator asks for meanwhile.
	l, err := s.activationLink(ctx, cmp.Or(s.PublicURL, requestOf(ctx).origin()), u)
	if err != nil {
		return err
	}
	return s.Mail.Post(func(context.Context) (*model.Mail, error) {
		return &model.Mail{To: u.Email, Subject: "Your account at Tidewire", Link: l, Text: "You have been given an account at Tidewire.\n\n" +
			"Choose your password here:\n" + l + "\n\nThe link works once, for a day.\n"}, nil
	})
}

// tell sends a user a message about the own account. It is a courtesy: that the queue is full
// fails nothing.
func (s *Server) tell(email, subject, text string) {
	home := s.ownURL()
	err := s.Mail.Post(func(context.Context) (*model.Mail, error) {
		return &model.Mail{To: email, Subject: subject, Link: home, Text: text + "\n\n" + home + "\n"}, nil
	})
	if err != nil {
		s.Log.Warn("a mail was not queued", "subject", subject, "error", err)
	}
}

// RequestPasswordReset answers POST /api/noauth/resetPasswordByEmail, the same for every
// address: whether there is a user is found out behind the answer.
func (s *Server) RequestPasswordReset(_ context.Context, req RequestPasswordResetRequestObject) (RequestPasswordResetResponseObject, error) {
	email := req.Body.Email
	if err := require("email", email); err != nil {
		return nil, err
	}
	base := s.ownURL()
	err := s.Mail.Post(func(ctx context.Context) (*model.Mail, error) {
		u, token, err := s.auth.ResetLink(ctx, email)
		if err != nil || u == nil {
			return nil, err
		}
		l := link(base, "/login/resetPassword", "resetToken", token)
		return &model.Mail{To: u.Email, Subject: "Another password for Tidewire", Link: l, Text: "Somebody, hopefully you, asked for another password for Tidewire.\n\n" +
			"Choose it here:\n" + l + "\n\nThe link works once, for a day. If it was not you, there is nothing to do.\n"}, nil
	})
	if err != nil {
		return nil, err
	}
	return RequestPasswordReset200Response{}, nil
}

// ResetPassword answers POST /api/noauth/resetPassword.
func (s *Server) ResetPassword(ctx context.Context, req ResetPasswordRequestObject) (ResetPasswordResponseObject, error) {
	if err := require("resetToken", req.Body.ResetToken); err != nil {
		return nil, err
	}
	if err := require("password", req.Body.Password); err != nil {
		return nil, err
	}
	u, pair, err := s.auth.ResetPassword(ctx, req.Body.ResetToken, req.Body.Password, requestOf(ctx).client())
	if err != nil {
		return nil, err
	}
	s.tell(u.Email, "Your password was changed", "The password of your account at Tidewire was changed.")
	return ResetPassword200JSONResponse{pairOf(pair)}, nil
}

// GetUserPasswordPolicy answers GET /api/noauth/userPasswordPolicy.
func (s *Server) GetUserPasswordPolicy(context.Context, GetUserPasswordPolicyRequestObject) (GetUserPasswordPolicyResponseObject, error) {
	shortest, longest := auth.PasswordBounds()
	return GetUserPasswordPolicy200JSONResponse{MinimumLength: shortest, MaximumLength: &longest, AllowWhitespaces: true}, nil
}
