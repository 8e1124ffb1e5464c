package model

// A Keep says how much of the past of a series is kept. The newest value always is.
type Keep struct {
	Time     int64 // ms of history; zero keeps all of it
	Versions int   // points; zero keeps all of them
}

// A Forecast is what a policy would delete of some series: what is older than their cutoffs,
// which are midnights UTC.
type Forecast struct {
	Series         int64 // that lose points
	Points         int64 // nulls, the traces of removed keys, among them
	Bytes          int64 // about what they take on disk
	Oldest, Newest int64 // ms, of these points; meaningless while there are none
}

// Add takes o in.
func (f *Forecast) Add(o Forecast) {
	if o.Points == 0 {
		return
	}
	if f.Points == 0 {
		f.Oldest, f.Newest = o.Oldest, o.Newest
	}
	f.Series, f.Points, f.Bytes = f.Series+o.Series, f.Points+o.Points, f.Bytes+o.Bytes
	f.Oldest, f.Newest = min(f.Oldest, o.Oldest), max(f.Newest, o.Newest)
}
