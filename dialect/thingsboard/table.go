package thingsboard

import (
	"strconv"
	"strings"
	"time"

	"github.com/tidewire/tidewire/model"
)

// Dimensions says what tells the series of an answer apart.
type Dimensions uint8

// The dimensions.
const (
	ByEntity Dimensions = 1 << iota
	ByType              // the name of the profile of devices and assets
	ByKey
)

var dimensionNames = [...]string{"entity", "type", "key"}

// A SeriesName says which series rows are of. Members of dimensions that do not tell series
// apart are not looked at.
type SeriesName struct {
	Entity *model.Entity
	Type   string
	Key    string
}

// A TableForm is how a Table looks.
type TableForm uint8

// The forms.
const (
	// TableJSON is an object: columns, then the rows of each series as arrays.
	TableJSON TableForm = iota
	// TableCSV is a header and a line a row, by RFC 4180 but for the end of a line, which is
	// LF. A text that a table calculator would take for a formula, for it begins with one of
	// = + - @ or a tab, has an apostrophe before it; numbers have not.
	TableCSV
	// TableNDJSON is an object a row and line.
	TableNDJSON
)

// A Table writes rows of series piece by piece: an instant and values, in columns.
//
//	t.Reset(buf[:0], form, by, columns)
//	t.Series(name); t.Row(ts, values); …; t.EndSeries(false)
//	body := t.Finish(…)
//
// Between calls the owner may send the bytes in Buf away and cut Buf to length zero. Values
// keep their types. A value that is missing is null, or nothing in CSV.
type Table struct {
	Buf []byte

	form    TableForm
	by      Dimensions
	members []string // `,"avg":` of each column, for NDJSON
	series  []byte   // what each row of the series begins with
	any     bool     // a series was written
	open    bool     // JSON: the array of a series is open, with rows if filled
	filled  bool
	date    isoDate
}

// Reset starts a new answer behind what dst holds.
func (t *Table) Reset(dst []byte, form TableForm, by Dimensions, columns []string) {
	*t = Table{Buf: dst, form: form, by: by, series: t.series[:0], members: t.members[:0]}
	switch form {
	case TableJSON:
		t.Buf = append(t.Buf, `{"columns":["ts"`...)
		for _, c := range columns {
			t.Buf = AppendString(append(t.Buf, ','), c)
		}
		t.Buf = append(t.Buf, `],"series":[`...)
	case TableCSV:
		if by&ByEntity != 0 {
			t.Buf = append(t.Buf, "entityType,entityId,entityName,"...)
		}
		if by&ByType != 0 {
			t.Buf = append(t.Buf, "type,"...)
		}
		if by&ByKey != 0 {
			t.Buf = append(t.Buf, "key,"...)
		}
		t.Buf = append(t.Buf, "time,ts"...)
		for _, c := range columns {
			t.Buf = append(append(t.Buf, ','), c...)
		}
		t.Buf = append(t.Buf, '\n')
	case TableNDJSON:
		for _, c := range columns {
			t.members = append(t.members, string(append(AppendString([]byte{','}, c), ':')))
		}
	}
}

// Series begins the rows of a series.
func (t *Table) Series(n *SeriesName) {
	b := t.series[:0]
	switch t.form {
	case TableCSV:
		if t.by&ByEntity != 0 {
			b = append(append(b, n.Entity.Type...), ',')
			b = append(append(b, n.Entity.ID.String()...), ',')
			b = append(appendField(b, n.Entity.Name), ',')
		}
		if t.by&ByType != 0 {
			b = append(appendField(b, n.Type), ',')
		}
		if t.by&ByKey != 0 {
			b = append(appendField(b, n.Key), ',')
		}
	case TableNDJSON:
		b = append(b, '{')
		if t.by&ByEntity != 0 {
			b = append(append(b, `"entityType":"`...), n.Entity.Type...)
			b = append(append(b, `","entityId":"`...), n.Entity.ID.String()...)
			b = append(AppendString(append(b, `","entityName":`...), n.Entity.Name), ',')
		}
		if t.by&ByType != 0 {
			b = append(AppendString(append(b, `"type":`...), n.Type), ',')
		}
		if t.by&ByKey != 0 {
			b = append(AppendString(append(b, `"key":`...), n.Key), ',')
		}
		b = append(b, `"ts":`...)
	default:
		t.beginJSON(n)
	}
	t.series, t.any = b, true
}

func (t *Table) beginJSON(n *SeriesName) {
	b := t.Buf
	if t.any {
		b = append(b, ',')
	}
	b = append(b, '{')
	if t.by&ByEntity != 0 {
		b = append(append(b, `"entity":{"entityType":"`...), n.Entity.Type...)
		b = append(append(b, `","id":"`...), n.Entity.ID.String()...)
		b = append(AppendString(append(b, `"},"entityName":`...), n.Entity.Name), ',')
	}
	if t.by&ByType != 0 {
		b = append(AppendString(append(b, `"type":`...), n.Type), ',')
	}
	if t.by&ByKey != 0 {
		b = append(AppendString(append(b, `"key":`...), n.Key), ',')
	}
	t.Buf = append(b, `"values":[`...)
	t.open, t.filled = true, false
}

// Row adds a row of the series that was begun last; values has one a column.
func (t *Table) Row(ts int64, values ...model.Value) {
	b := t.Buf
	switch t.form {
	case TableCSV:
		b = t.date.append(append(b, t.series...), ts)
		b = strconv.AppendInt(append(b, ','), ts, 10)
		for _, v := range values {
			b = appendCell(append(b, ','), v)
		}
		b = append(b, '\n')
	case TableNDJSON:
		b = strconv.AppendInt(append(b, t.series...), ts, 10)
		for i, v := range values {
			b = AppendTyped(append(b, t.members[i]...), v)
		}
		b = append(b, '}', '\n')
	default:
		if t.filled {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, '['), ts, 10)
		for _, v := range values {
			b = AppendTyped(append(b, ','), v)
		}
		b = append(b, ']')
		t.filled = true
	}
	t.Buf = b
}

// Bucket adds the results of some functions as a row, unless there are none.
func (t *Table) Bucket(ts int64, functions []model.Aggregates, b *model.Bucket) {
	var values [8]model.Value
	some := false
	for i, f := range functions {
		values[i] = b.Value(f)
		some = some || !values[i].IsNone()
	}
	if some {
		t.Row(ts, values[:len(functions)]...)
	}
}

// EndSeries ends the rows of a series; truncated says that it has more.
func (t *Table) EndSeries(truncated bool) {
	if t.form != TableJSON || !t.open {
		return
	}
	t.Buf = append(t.Buf, `],"truncated":`...)
	t.Buf = append(strconv.AppendBool(t.Buf, truncated), '}')
	t.open = false
}

// Finish ends the answer and returns the bytes not yet sent away. A cursor, where there is
// one, says where the next page begins.
func (t *Table) Finish(truncated bool, cursor string) []byte {
	if t.form != TableJSON {
		return t.Buf
	}
	t.Buf = append(t.Buf, `],"truncated":`...)
	t.Buf = strconv.AppendBool(t.Buf, truncated)
	t.Buf = append(t.Buf, `,"cursor":`...)
	if cursor == "" {
		t.Buf = append(t.Buf, "null"...)
	} else {
		t.Buf = AppendString(t.Buf, cursor)
	}
	t.Buf = append(t.Buf, '}')
	return t.Buf
}

// Fail ends a table that cannot be completed with a line that says so and cannot be taken
// for a row: {"error":…} or the two fields #error and what is wrong. It is not for JSON.
func (t *Table) Fail(message string) {
	if t.form == TableNDJSON {
		t.Buf = append(AppendString(append(t.Buf, `{"error":`...), message), '}', '\n')
		return
	}
	t.Buf = append(appendField(append(t.Buf, "#error,"...), message), '\n')
}

// AggregateColumns returns the names of the columns of functions.
func AggregateColumns(functions []model.Aggregates) []string {
	names := make([]string, len(functions))
	for i, f := range functions {
		names[i] = aggregateColumn(f)
	}
	return names
}

// appendCell adds a value as a field of CSV.
func appendCell(dst []byte, v model.Value) []byte {
	switch v.Type() {
	case model.TypeString, model.TypeJSON:
		if v.Text() == "" {
			return append(dst, `""`...) // a text, and no missing value
		}
		return appendField(dst, v.Text())
	}
	return AppendText(dst, v)
}

// appendField adds a text as a field of CSV.
func appendField(dst []byte, s string) []byte {
	formula := s != "" && strings.IndexByte("=+-@\t\r", s[0]) >= 0
	if !formula && !strings.ContainsAny(s, ",\"\r\n") {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	if formula {
		dst = append(dst, '\'')
	}
	for i := range len(s) {
		if s[i] == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// An isoDate holds the text of the day before: neighbors share it.
type isoDate struct {
	day  int64
	text []byte
}

const dayMillis = 24 * 3600 * 1000

// append adds an instant as 2006-01-02T15:04:05.000Z.
func (d *isoDate) append(dst []byte, ts int64) []byte {
	day, rest := ts/dayMillis, ts%dayMillis
	if rest < 0 {
		day, rest = day-1, rest+dayMillis
	}
	if d.text == nil || day != d.day {
		d.day = day
		d.text = time.UnixMilli(ts).UTC().AppendFormat(d.text[:0], "2006-01-02T")
	}
	at := len(dst) + len(d.text)
	dst = append(append(dst, d.text...), "00:00:00.000Z"...)
	second, milli := uint32(rest/1000), uint32(rest%1000)
	putPair(dst[at:], second/3600)
	putPair(dst[at+3:], second/60%60)
	putPair(dst[at+6:], second%60)
	dst[at+9] = '0' + byte(milli/100)
	putPair(dst[at+10:], milli%100)
	return dst
}
