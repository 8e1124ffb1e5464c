package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tidewire/tidewire/client"
	"github.com/tidewire/tidewire/model"
)

type tokenCmd struct {
	Create createTokenCmd `cmd:"" help:"Make a token; its text is printed, once."`
	List   listTokensCmd  `cmd:"" help:"List the tokens of the tenant."`
	Rotate rotateTokenCmd `cmd:"" help:"Give a token a new text, which is printed; the old one works on for a while."`
	Revoke revokeTokenCmd `cmd:"" help:"End tokens."`
}

// An administration connects as a tenant administrator: no token manages tokens.
type administration struct {
	connection `embed:""`
}

func (a *administration) open() (*client.ClientWithResponses, error) {
	return a.connection.open(a.login())
}

type createTokenCmd struct {
	administration `embed:""`
	Name           string   `arg:"" help:"What it is for."`
	Scope          []string `help:"What it may do: read:telemetry, write:telemetry, rpc, admin." required:"" enum:"read:telemetry,write:telemetry,rpc,admin"`
	Entity         []string `help:"Devices by name or id, others as ASSET:name. Default: all of the tenant." placeholder:"NAME"`
	Expires        string   `help:"When it ends: a time, or a duration such as 90d. Default: never."`
}

// Run prints the text of the token on its own, so that a script can keep it.
func (c *createTokenCmd) Run(ctx context.Context, s *streams) error {
	request := client.APITokenRequest{Name: c.Name}
	for _, scope := range c.Scope {
		request.Scopes = append(request.Scopes, client.APITokenScope(scope))
	}
	if c.Expires != "" {
		at, err := parseInstant(c.Expires, time.Now(), 1)
		if err != nil {
			return fmt.Errorf("--expires: %w", err)
		}
		request.Expires = &at
	}
	api, err := c.open()
	if err != nil {
		return err
	}
	if len(c.Entity) > 0 {
		ids := []model.ID{}
		for _, name := range c.Entity {
			_, id, err := find(ctx, api, name)
			if err != nil {
				return fmt.Errorf("--entity: %w", err)
			}
			ids = append(ids, id)
		}
		request.Entities = &ids
	}
	made, err := api.CreateAPITokenWithResponse(ctx, request)
	if err != nil {
		return fmt.Errorf("create the token: %w", err)
	}
	return printSecret(s, made.JSON200)
}

// printSecret prints the text for a program and who it is for a person.
func printSecret(s *streams, secret *client.APITokenSecret) error {
	i := secret.Info
	fmt.Fprintf(s.err, "token %s, %q, for %s, ends %s; the text is shown only now\n",
		i.ID, plain(i.Name), scopesOf(i), clockOr(i.Expires, "never"))
	_, err := fmt.Fprintln(s.out, secret.Token)
	return err
}

func scopesOf(t client.APIToken) string {
	scopes := make([]string, len(t.Scopes))
	for i, scope := range t.Scopes {
		scopes[i] = string(scope)
	}
	return strings.Join(scopes, " ")
}

type listTokensCmd struct {
	administration `embed:""`
	Format         string `help:"table, csv, json or ndjson." default:"table" enum:"table,csv,json,ndjson"`
}

// Run lists the tokens.
func (c *listTokensCmd) Run(ctx context.Context, s *streams) error {
	api, err := c.open()
	if err != nil {
		return err
	}
	tokens, err := allTokens(ctx, api)
	if err != nil {
		return err
	}
	entities := func(t client.APIToken) string {
		if len(t.Entities) == 0 {
			return "all"
		}
		return fmt.Sprint(len(t.Entities))
	}
	return printRows(s.out, c.Format, []column[client.APIToken]{
		{"id", func(t client.APIToken) string { return t.ID.String() }},
		{"prefix", func(t client.APIToken) string { return t.Prefix }},
		{"scopes", scopesOf},
		{"entities", entities},
		{"expires", func(t client.APIToken) string { return clockOr(t.Expires, "never") }},
		{"used", func(t client.APIToken) string { return clockOr(t.LastUsed, "never") }},
		{"name", func(t client.APIToken) string { return t.Name }},
	}, tokens)
}

// allTokens reads every page.
func allTokens(ctx context.Context, api *client.ClientWithResponses) ([]client.APIToken, error) {
	var all []client.APIToken
	for page := 0; ; page++ {
		got, err := api.GetAPITokensWithResponse(ctx, &client.GetAPITokensParams{PageSize: 1000, Page: page})
		if err != nil {
			return nil, fmt.Errorf("list the tokens: %w", err)
		}
		all = append(all, got.JSON200.Data...)
		if !got.JSON200.HasNext {
			return all, nil
		}
	}
}

// findToken returns the token that an id, a name or the beginning of a text means.
func findToken(ctx context.Context, api *client.ClientWithResponses, text string) (model.ID, error) {
	if id, err := model.ParseID(text); err == nil {
		return id, nil
	}
	tokens, err := allTokens(ctx, api)
	if err != nil {
		return model.ID{}, err
	}
	var found []model.ID
	for _, t := range tokens {
		if t.Name == text || strings.HasPrefix(text, t.Prefix) {
			found = append(found, t.ID)
		}
	}
	switch len(found) {
	case 0:
		return model.ID{}, fmt.Errorf("there is no token %q", text)
	case 1:
		return found[0], nil
	}
	return model.ID{}, fmt.Errorf("%d tokens are named %q: give the id", len(found), text)
}

type rotateTokenCmd struct {
	administration `embed:""`
	Which          string `arg:"" name:"token" help:"Its id or name."`
	Overlap        string `help:"How long the old text still works, at most 30d." default:"1h"`
}

// Run prints the new text.
func (c *rotateTokenCmd) Run(ctx context.Context, s *streams) error {
	overlap, err := parseDuration(c.Overlap)
	if err != nil {
		return fmt.Errorf("--overlap: %w", err)
	}
	api, err := c.open()
	if err != nil {
		return err
	}
	id, err := findToken(ctx, api, c.Which)
	if err != nil {
		return err
	}
	seconds := int64(overlap / time.Second)
	made, err := api.RotateAPITokenWithResponse(ctx, id, &client.RotateAPITokenParams{OverlapSeconds: &seconds})
	if err != nil {
		return fmt.Errorf("rotate the token: %w", err)
	}
	return printSecret(s, made.JSON200)
}

type revokeTokenCmd struct {
	administration `embed:""`
	Which          []string `arg:"" name:"token" optional:"" help:"Their ids or names."`
	All            bool     `help:"Every token of the tenant."`
}

// Validate implements kong's check of a parsed command.
func (c *revokeTokenCmd) Validate() error {
	if c.All == (len(c.Which) > 0) {
		return errors.New("name the tokens that end, or say --all")
	}
	return nil
}

// Run revokes and says how many ended.
func (c *revokeTokenCmd) Run(ctx context.Context, s *streams) error {
	api, err := c.open()
	if err != nil {
		return err
	}
	revoked := len(c.Which)
	if c.All {
		got, err := api.RevokeAPITokensWithResponse(ctx)
		if err != nil {
			return fmt.Errorf("revoke the tokens: %w", err)
		}
		revoked = got.JSON200.Revoked
	}
	for _, which := range c.Which {
		id, err := findToken(ctx, api, which)
		if err == nil {
			_, err = api.RevokeAPITokenWithResponse(ctx, id)
		}
		if err != nil {
			return fmt.Errorf("revoke %s: %w", which, err)
		}
	}
	_, err = fmt.Fprintf(s.out, "%d revoked\n", revoked)
	return err
}
