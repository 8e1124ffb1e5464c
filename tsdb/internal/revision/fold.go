package revision

import "github.com/tidewire/tidewire/model"

// A Row is one value kept.
type Row struct {
	// Position and N are the place among the revisions of the instant: the N-th row which
	// the set at Position made.
	Position model.Position
	N        uint16

	Value    model.Value
	Received int64 // ms; 0: not known
	Quality  uint8 // 0: good
	// Expires is when a bad value goes, ms; 0: never. A good one goes with its point.
	Expires int64
	// Good is the place of the last good row before a bad one; HasGood says there is one.
	Good    Place
	HasGood bool
}

// A Place tells a row from the others of its instant.
type Place struct {
	Position model.Position
	N        uint16
}

// A Fold follows what happens to one instant of a column. Its zero value has seen nothing.
type Fold struct {
	// Current is the value of the point; of TypeNone when there is none. Who begins with
	// what is stored sets it.
	Current model.Value
	// Fresh are the rows made since Reset.
	Fresh []Row

	any, hasGood  bool
	last          Row
	good          model.Value
	goodPlace     Place
	position      model.Position // of the set that made the last row
	atThePosition uint16         // rows it has made
}

// Reset forgets everything and keeps the memory of Fresh.
func (f *Fold) Reset() {
	clear(f.Fresh)
	*f = Fold{Fresh: f.Fresh[:0]}
}

// Any reports whether anything is kept of the instant.
func (f *Fold) Any() bool { return f.any }

// Add takes in a row that is kept already.
func (f *Fold) Add(r Row) {
	f.any, f.last = true, r
	if r.Quality == 0 {
		f.hasGood, f.good, f.goodPlace = true, r.Value, Place{r.Position, r.N}
	}
}

// Write takes in a write that does not keep originals.
func (f *Fold) Write(v model.Value) { f.Current = v }

// Keep takes in a write of the set at position that keeps originals.
func (f *Fold) Keep(position model.Position, received int64, quality uint8, expires int64, v model.Value) {
	if position != f.position {
		f.position, f.atThePosition = position, 0
	}
	if f.changed() {
		f.push(Row{Value: f.Current})
	}
	if !f.any || f.last.Value != v || f.last.Quality != quality {
		r := Row{Value: v, Received: received, Quality: quality}
		if quality != 0 {
			r.Expires, r.Good, r.HasGood = expires, f.goodPlace, f.hasGood
		}
		f.push(r)
	}
	if quality == 0 {
		f.Current = v
	}
}

// changed reports whether the point is not the last good row.
func (f *Fold) changed() bool {
	return !f.Current.IsNone() && (!f.hasGood || f.good != f.Current)
}

func (f *Fold) push(r Row) {
	r.Position, r.N = f.position, f.atThePosition
	f.atThePosition++
	f.Add(r)
	f.Fresh = append(f.Fresh, r)
}

// End returns the point as the last revision, if it is none yet and others are kept: an
// unflagged write has replaced it since.
func (f *Fold) End() (Row, bool) {
	if !f.any || !f.changed() {
		return Row{}, false
	}
	return Row{Value: f.Current}, true
}
