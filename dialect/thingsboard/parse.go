package thingsboard

import (
	"errors"

	"github.com/tidewire/tidewire/model"
)

// ParseOptions are the server's switches and the door a body came through. The zero value
// is a device route with ThingsBoard's defaults.
type ParseOptions struct {
	// REST asks for the rules of the REST routes: null is an error, so is a body without
	// data, and errors are worded as in contract 8.4 and 8.5. Zero means a device route,
	// which skips nulls.
	REST bool
	// KeepNumericStrings switches the coercion of strings such as "42" to numbers off, and
	// makes integers outside int64 an error. Zero means strings are coerced (4.2).
	KeepNumericStrings bool
	// MaxStringLength bounds string values, in characters. Zero means unlimited.
	MaxStringLength int
	// MaxKeys and MaxPoints are where reading ends with TooLarge: a body must not take many
	// times its size in memory only to be refused. Zero means unlimited.
	MaxKeys, MaxPoints int
}

// A Parser reads telemetry and attribute bodies. Its zero value is ready; a reused one
// allocates nothing for bodies of the usual forms. The write set it returns is its own and
// is valid, together with the body whose text it may alias, until the next call.
type Parser struct {
	o        ParseOptions
	received int64
	set      model.WriteSet
	keys     interner
	cellOf   []int32 // by key: 1 + its latest cell, to find a key twice in one row
	scratch  []byte

	known    []string // keys of an earlier body, in order
	alike    bool     // the keys of this body are the first of known
	strays   uint     // bodies that were not alike
	reserved bool     // a key of this body is named ts or values
	over     bool     // the body holds more than MaxKeys or MaxPoints
	depth    int      // of the object whose members are being scanned
}

// ParseTelemetry reads body with a parser of its own.
func ParseTelemetry(body []byte, received int64, o ParseOptions) (*model.WriteSet, error) {
	return new(Parser).Telemetry(body, received, o)
}

// ParseAttributes reads body with a parser of its own.
func ParseAttributes(body []byte, scope model.Scope, received int64, o ParseOptions) (*model.WriteSet, error) {
	return new(Parser).Attributes(body, scope, received, o)
}

// Telemetry reads a telemetry body (contract 4.1 to 4.3) into a write set of scope
// Timeseries; the caller fills in tenant and entity. Values without a timestamp of their own
// get received, ms. On a device route a body without data gives a set without rows.
func (p *Parser) Telemetry(body []byte, received int64, o ParseOptions) (*model.WriteSet, error) {
	p.reset(model.Timeseries, received, o)
	if scanned := p.scanTelemetry(body); !scanned && !p.over {
		p.reset(model.Timeseries, received, o)
		if err := p.fullTelemetry(body); err != nil && !p.over {
			return nil, p.telemetryError(err)
		}
	} else if scanned {
		p.learn()
	}
	if p.over {
		return nil, p.tooLarge()
	}
	if o.REST && len(p.set.Cells) == 0 {
		return nil, model.Invalidf("No time series data found in request body!")
	}
	return &p.set, nil
}

// Attributes reads an attribute body, always a flat object (4.1), into a write set of scope
// with one row; the caller fills in tenant and entity.
func (p *Parser) Attributes(body []byte, scope model.Scope, received int64, o ParseOptions) (*model.WriteSet, error) {
	p.reset(scope, received, o)
	if scanned := p.scanAttributes(body); !scanned && !p.over {
		p.reset(scope, received, o)
		if err := p.fullAttributes(body); err != nil && !p.over {
			return nil, p.attributesError(err)
		}
	} else if scanned {
		p.learn()
	}
	if p.over {
		return nil, p.tooLarge()
	}
	if o.REST && len(p.set.Cells) == 0 {
		return nil, model.Invalidf("No attributes data found in request body!")
	}
	return &p.set, nil
}

func (p *Parser) reset(scope model.Scope, received int64, o ParseOptions) {
	p.o, p.received = o, received
	p.keys.reset()
	p.set = model.WriteSet{
		Scope:    scope,
		Received: received,
		Keys:     p.set.Keys[:0],
		Rows:     p.set.Rows[:0],
		Cells:    p.set.Cells[:0],
	}
	p.cellOf = p.cellOf[:0]
	p.alike, p.reserved, p.over = true, false, false
}

// errOver ends the reading of a body that is over its limits.
var errOver = errors.New("thingsboard: over the limits")

func (p *Parser) tooLarge() error {
	p.set.Keys, p.set.Rows, p.set.Cells, p.cellOf = nil, nil, nil, nil // too large to be kept for the next body
	return model.Errorf(model.TooLarge, "A message may have at most %d keys and %d points", p.o.MaxKeys, p.o.MaxPoints)
}

// isFull reports whether there must not be another point, and remembers it.
func (p *Parser) isFull() bool {
	p.over = p.over || p.o.MaxPoints > 0 && len(p.set.Cells) >= p.o.MaxPoints
	return p.over
}

// add puts a cell into the row that began at cell number row. The later value of a key
// that stands twice in one object wins.
func (p *Parser) add(row, key int, v model.Value) {
	if at := int(p.cellOf[key]) - 1; at >= row {
		p.set.Cells[at].Value = v
		return
	}
	p.set.Cells = append(p.set.Cells, model.Cell{Key: key, Value: v})
	p.cellOf[key] = int32(len(p.set.Cells))
}

// endRow closes the row that began at cell number row; an empty one leaves no trace.
func (p *Parser) endRow(ts int64, row int) {
	if n := len(p.set.Cells) - row; n > 0 {
		p.set.Rows = append(p.set.Rows, model.Row{TS: ts, Cells: n})
	}
}

// A problem is what a body did wrong, before a door words it.
type problem struct {
	kind problemKind
	text string
}

type problemKind uint8

const (
	badSyntax problemKind = iota // it is no JSON, not even the lenient kind
	badShape                     // the root is not what the route takes
	badValue                     // a value, a timestamp or an element
	badKey                       // a key breaks a rule of 4.3
)

func (e *problem) Error() string { return e.text }

// telemetryError words a problem as contract 8.4 does for REST and plainly for devices.
func (p *Parser) telemetryError(err error) error {
	e, ok := errors.AsType[*problem](err)
	if !ok {
		return err
	}
	switch {
	case e.kind == badKey:
		return model.Invalidf("%s", e.text)
	case p.o.REST && e.kind == badSyntax:
		return &model.Error{Kind: model.Invalid, Message: "Unable to parse time series payload: Invalid JSON body!", Err: err}
	case p.o.REST:
		return model.Invalidf("Unable to parse time series payload. Invalid JSON body: %s", e.text)
	case e.kind == badSyntax:
		return model.Invalidf("Invalid JSON body: %s", e.text)
	}
	return model.Invalidf("%s", e.text)
}

// attributesError words a problem as contract 8.5 does for REST and plainly for devices.
func (p *Parser) attributesError(err error) error {
	e, ok := errors.AsType[*problem](err)
	if !ok {
		return err
	}
	switch {
	case p.o.REST && e.kind == badSyntax:
		return &model.Error{Kind: model.Invalid, Message: "Invalid JSON", Err: err}
	case p.o.REST && e.kind == badShape:
		return model.Invalidf("Request is not a JSON object")
	case p.o.REST && e.text == blankKey:
		return model.Invalidf("Key cannot be blank")
	case e.kind == badSyntax:
		return model.Invalidf("Invalid JSON body: %s", e.text)
	}
	return model.Invalidf("%s", e.text)
}
