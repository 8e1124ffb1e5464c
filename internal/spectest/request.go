package spectest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// verifyRequest holds a request that the server accepted against the operation.
func (d *Document) verifyRequest(operation place, inPath map[string]string, x Exchange) error {
	query := x.URL.Query()
	known := []string{}
	for _, p := range d.list(operation, "parameters") {
		name, _ := p.node["name"].(string)
		var values []string
		switch p.node["in"] {
		case "path":
			values = []string{inPath[name]}
		case "query":
			known = append(known, name)
			values = query[name]
		default:
			continue // headers carry who asks
		}
		if err := d.verifyParameter(p, values); err != nil {
			return fmt.Errorf("the parameter %s was accepted: %w", name, err)
		}
	}
	for name, values := range query {
		if !slices.Contains(known, name) && values[0] != "" {
			return fmt.Errorf("the parameter %s was sent and is not documented", name)
		}
	}
	return d.verifySent(operation, x)
}

// verifySent holds an accepted body against the operation. What is said about its content type
// does not count: the server reads telemetry and entities whatever a client calls them.
func (d *Document) verifySent(operation place, x Exchange) error {
	body := d.at(operation, "requestBody")
	if len(x.Sent) == 0 {
		if body.node["required"] == true {
			return fmt.Errorf("a request without the body it needs was accepted")
		}
		return nil
	}
	sent := x.Sent
	if len(sent) > 1 && sent[0] == 0x1f && sent[1] == 0x8b {
		var err error
		if sent, err = unpack(sent); err != nil {
			return err
		}
	}
	if d.at(body, "content", "text/plain").node != nil {
		return nil // any text is one
	}
	media := d.at(body, "content", "application/json")
	if media.node == nil {
		return fmt.Errorf("a body was sent that is not documented: %s", short(sent))
	}
	if err := d.sent.validateJSON(d.at(media, "schema"), sent); err != nil {
		return fmt.Errorf("the body was accepted: %w", err)
	}
	return nil
}

// list returns the elements of a list, references followed.
func (d *Document) list(p place, name string) []place {
	elements, _ := p.node[name].([]any)
	var found []place
	for i := range elements {
		// A list is walked as if it were an object of its indexes.
		index := strconv.Itoa(i)
		holder := place{map[string]any{index: elements[i]}, p.pointer + "/" + name}
		found = append(found, d.at(holder, index))
	}
	return found
}

func (d *Document) verifyParameter(p place, values []string) error {
	values = slices.DeleteFunc(values, func(v string) bool { return v == "" }) // as if they were not sent
	if len(values) == 0 {
		if p.node["required"] == true {
			return fmt.Errorf("it is required and was not sent")
		}
		return nil
	}
	schema := d.at(p, "schema")
	if !hasType(schema, "array") {
		if len(values) > 1 {
			return fmt.Errorf("it was sent %d times", len(values))
		}
		return d.sent.validate(schema, typed(schema, values[0]))
	}
	if p.node["explode"] == false {
		values = strings.Split(strings.Join(values, ","), ",")
	}
	items := d.at(schema, "items")
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = typed(items, v)
	}
	return d.sent.validate(schema, list)
}

// typed reads text as the type a schema wants, and leaves it text where it is none.
func typed(schema place, text string) any {
	if hasType(schema, "integer") || hasType(schema, "number") {
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			return json.Number(text)
		}
	}
	if hasType(schema, "boolean") {
		if b, err := strconv.ParseBool(text); err == nil {
			return b
		}
	}
	return text
}

func hasType(schema place, name string) bool {
	switch t := schema.node["type"].(type) {
	case string:
		return t == name
	case []any:
		return slices.Contains(t, any(name))
	}
	return false
}
