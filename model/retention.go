package model

// A Keep says how much of the past of a series is kept. The newest value always is.
type Keep struct {
	Time     int64 // ms of history; zero keeps all of it
	Versions int   // points; zero keeps all of them
}

// A Retention says how much of a series is kept. It is asked for every series, so it must be
// fast; it may be called by several goroutines.
type Retention func(TenantID, EntityID, Scope, string) Keep

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

// A RetentionRule says how much to keep. What is nil is left to the next rule.
type RetentionRule struct {
	Days     *int `json:"days,omitempty"`     // 0: for ever
	Versions *int `json:"versions,omitempty"` // 0: all
}

// A ProfileRetention is the rules for entities of one profile.
type ProfileRetention struct {
	Timeseries RetentionRule            `json:"timeseries"`
	Keys       map[string]RetentionRule `json:"keys,omitempty"`
}

// A RetentionPolicy says what a tenant keeps. The most special rule that says something
// counts: of the key in the profile, of the key, of the profile, of the tenant, and what the
// server was started with. Attributes and device state have one rule.
type RetentionPolicy struct {
	Timeseries RetentionRule            `json:"timeseries"`
	Attributes RetentionRule            `json:"attributes"`
	Keys       map[string]RetentionRule `json:"keys,omitempty"` // of time series
	Profiles   map[ID]ProfileRetention  `json:"profiles,omitempty"`
}

// Keep returns what is kept of a series of an entity with a profile; otherwise is what the
// server was started with. A nil policy says nothing.
func (p *RetentionPolicy) Keep(profile ID, s Scope, key string, otherwise Keep) Keep {
	if p == nil {
		return otherwise
	}
	if s != Timeseries {
		return p.Attributes.over(otherwise)
	}
	of := p.Profiles[profile]
	return of.Keys[key].over(p.Keys[key].over(of.Timeseries.over(p.Timeseries.over(otherwise))))
}

func (r RetentionRule) over(k Keep) Keep {
	if r.Days != nil {
		k.Time = int64(*r.Days) * 24 * 3600 * 1000
	}
	if r.Versions != nil {
		k.Versions = *r.Versions
	}
	return k
}

// maxRetentionDays is how far instants reach.
const maxRetentionDays = 365 * 400

// Check returns an Invalid error for a rule that makes no sense.
func (p *RetentionPolicy) Check() error {
	if err := p.Timeseries.check("timeseries"); err != nil {
		return err
	}
	if err := p.Attributes.check("attributes"); err != nil {
		return err
	}
	if err := checkRules("keys", p.Keys); err != nil {
		return err
	}
	for id, of := range p.Profiles {
		if err := of.Timeseries.check("profiles." + id.String()); err != nil {
			return err
		}
		if err := checkRules("profiles."+id.String()+".keys", of.Keys); err != nil {
			return err
		}
	}
	return nil
}

func checkRules(field string, rules map[string]RetentionRule) error {
	for key, r := range rules {
		if err := r.check(field + "." + key); err != nil {
			return err
		}
	}
	return nil
}

func (r RetentionRule) check(field string) error {
	switch {
	case r.Days != nil && (*r.Days < 0 || *r.Days > maxRetentionDays):
		return Invalidf("%.100s: %d days are not between 0, for ever, and %d", field, *r.Days, maxRetentionDays)
	case r.Versions != nil && *r.Versions < 0:
		return Invalidf("%.100s: %d versions are fewer than 0, which keeps all", field, *r.Versions)
	}
	return nil
}
