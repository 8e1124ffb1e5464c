package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tidewire/tidewire/client"
	"github.com/tidewire/tidewire/model"
)

// A connection says which server a command asks, and as whom.
type connection struct {
	Server   string `help:"URL of the server." default:"http://127.0.0.1:8080"`
	Token    string `help:"API token. Better in TIDEWIRE_TOKEN, or TIDEWIRE_TOKEN_FILE for the name of a file that holds it." secret:""`
	Username string `help:"E-mail of a user, in place of a token; also TIDEWIRE_USERNAME."`
	Password string `help:"Password of the user; better in TIDEWIRE_PASSWORD or TIDEWIRE_PASSWORD_FILE." secret:""`
}

// credentials returns who asks: the token where there is one.
func (c *connection) credentials() (client.Credentials, error) {
	if c.Token != "" {
		return client.Token(c.Token), nil
	}
	return c.login()
}

// login returns the user, for what no token may do.
func (c *connection) login() (client.Credentials, error) {
	switch {
	case c.Username == "" && c.Token != "":
		return client.Credentials{}, errors.New("an API token manages no tokens: set TIDEWIRE_USERNAME and TIDEWIRE_PASSWORD to a tenant administrator's")
	case c.Username == "":
		return client.Credentials{}, errors.New("who are you? Set TIDEWIRE_TOKEN to an API token, or TIDEWIRE_USERNAME and TIDEWIRE_PASSWORD to a user's")
	case c.Password == "":
		return client.Credentials{}, errors.New("no password: set TIDEWIRE_PASSWORD, or TIDEWIRE_PASSWORD_FILE to a file that holds it")
	}
	return client.Login(c.Username, c.Password), nil
}

// userAgent names the command line in lists of sessions.
var userAgent = "tidewire/" + version

func (c *connection) open(who client.Credentials, err error) (*client.ClientWithResponses, error) {
	if err != nil {
		return nil, err
	}
	return client.Open(c.Server, who, client.Options{UserAgent: userAgent})
}

// kinds lists what may stand before the colon in the name of an entity.
var kinds = []string{"DEVICE", "ASSET", "ENTITY_VIEW", "CUSTOMER", "TENANT"}

// find returns the entity that a person means: a name, or an id, with its kind before it where
// it is no device (ASSET:boiler).
func find(ctx context.Context, c *client.ClientWithResponses, text string) (kind string, id model.ID, err error) {
	kind, name := kinds[0], text
	for _, k := range kinds {
		if rest, ok := strings.CutPrefix(text, k+":"); ok {
			kind, name = k, rest
		}
	}
	if id, err := model.ParseID(name); err == nil {
		return kind, id, nil
	}
	// Queries over entities show a token and a customer's user what they may read; lists do not.
	query := client.EntityQuery{
		PageLink: &client.EntityPageLink{PageSize: 2},
		KeyFilters: &[]client.KeyFilter{{
			Key:       client.EntityKey{Type: client.EntityKeyTypeENTITYFIELD, Key: "name"},
			ValueType: new(client.KeyFilterValueTypeSTRING),
			Predicate: map[string]any{"type": "STRING", "operation": "EQUAL", "value": map[string]any{"defaultValue": name}},
		}},
	}
	query.EntityFilter.Type = "entityType"
	query.EntityFilter.Set("entityType", kind)
	found, err := c.FindEntitiesWithResponse(ctx, query)
	if err != nil {
		return "", model.ID{}, fmt.Errorf("look for %s: %w", text, err)
	}
	switch n := len(found.JSON200.Data); n {
	case 0:
		return "", model.ID{}, fmt.Errorf("there is no %s %q that you may read", strings.ReplaceAll(strings.ToLower(kind), "_", " "), name)
	case 1:
		return kind, found.JSON200.Data[0].EntityID.ID, nil
	default:
		return "", model.ID{}, fmt.Errorf("%d are named %q: give the id", n, name)
	}
}
