package api

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

// maxRules bounds a retention policy: the engine goes through it for every series.
const maxRules = 10_000

func ruleOf(r *RetentionRule) (rule model.RetentionRule) {
	if r == nil {
		return rule
	}
	if r.Days != nil {
		rule.Days = new(int)
		*rule.Days = int(*r.Days)
	}
	if r.Versions != nil {
		rule.Versions = new(int)
		*rule.Versions = int(*r.Versions)
	}
	return rule
}

func rulesOf(rules *map[string]RetentionRule) map[string]model.RetentionRule {
	if rules == nil {
		return nil
	}
	out := make(map[string]model.RetentionRule, len(*rules))
	for key, r := range *rules {
		out[key] = ruleOf(&r)
	}
	return out
}

// policyOf reads a policy.
func policyOf(b *RetentionPolicy) (*model.RetentionPolicy, error) {
	p := &model.RetentionPolicy{Timeseries: ruleOf(b.Timeseries), Attributes: ruleOf(b.Attributes), Keys: rulesOf(b.Keys)}
	n := len(p.Keys)
	if b.Profiles != nil {
		p.Profiles = make(map[model.ID]model.ProfileRetention, len(*b.Profiles))
		for text, of := range *b.Profiles {
			var id model.ID
			if err := id.UnmarshalText([]byte(text)); err != nil {
				return nil, model.Invalidf("profiles: '%.64s' is no id of a profile", text)
			}
			p.Profiles[id] = model.ProfileRetention{Timeseries: ruleOf(of.Timeseries), Keys: rulesOf(of.Keys)}
			n += 1 + len(p.Profiles[id].Keys)
		}
	}
	if n > maxRules {
		return nil, model.Invalidf("%d retention rules exceed the limit of %d", n, maxRules)
	}
	return p, p.Check()
}

func wireRule(r model.RetentionRule) *RetentionRule {
	w := &RetentionRule{}
	if r.Days != nil {
		w.Days = new(int32)
		*w.Days = int32(*r.Days)
	}
	if r.Versions != nil {
		w.Versions = new(int32)
		*w.Versions = int32(*r.Versions)
	}
	return w
}

func wireRules(rules map[string]model.RetentionRule) *map[string]RetentionRule {
	out := make(map[string]RetentionRule, len(rules))
	for key, r := range rules {
		out[key] = *wireRule(r)
	}
	return &out
}

func wirePolicy(p *model.RetentionPolicy) RetentionPolicyJSONResponse {
	if p == nil {
		p = &model.RetentionPolicy{}
	}
	profiles := make(map[string]ProfileRetention, len(p.Profiles))
	for id, of := range p.Profiles {
		profiles[id.String()] = ProfileRetention{Timeseries: wireRule(of.Timeseries), Keys: wireRules(of.Keys)}
	}
	return RetentionPolicyJSONResponse{
		Timeseries: wireRule(p.Timeseries), Attributes: wireRule(p.Attributes), Keys: wireRules(p.Keys), Profiles: &profiles,
	}
}

func wireForecast(f model.Forecast) RetentionForecast {
	w := RetentionForecast{Series: f.Series, Points: f.Points, Bytes: f.Bytes}
	if f.Points > 0 {
		w.OldestTS, w.NewestTS = &f.Oldest, &f.Newest
	}
	return w
}

// GetRetention answers GET /api/retention.
func (s *Server) GetRetention(ctx context.Context, _ GetRetentionRequestObject) (GetRetentionResponseObject, error) {
	p := caller(ctx)
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	return GetRetention200JSONResponse{wirePolicy(s.Registry.Retention(p.Tenant))}, nil
}

// SaveRetention answers POST /api/retention.
func (s *Server) SaveRetention(ctx context.Context, req SaveRetentionRequestObject) (SaveRetentionResponseObject, error) {
	p := caller(ctx)
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	policy, err := policyOf(req.Body)
	if err != nil {
		return nil, err
	}
	if err := s.Registry.SaveRetention(ctx, p.Tenant, policy); err != nil {
		return nil, err
	}
	return SaveRetention200JSONResponse{wirePolicy(policy)}, nil
}

// PreviewRetention answers POST /api/retention/preview.
func (s *Server) PreviewRetention(ctx context.Context, req PreviewRetentionRequestObject) (PreviewRetentionResponseObject, error) {
	p := caller(ctx)
	if err := auth.Require(p, model.TenantAdmin); err != nil {
		return nil, err
	}
	policy, err := policyOf(req.Body)
	if err != nil {
		return nil, err
	}
	var total model.Forecast
	profiles := map[string]model.Forecast{}
	err = s.Store.Forecast(ctx, p.Tenant, s.Registry.KeepBy(policy), func(id model.EntityID, f model.Forecast) error {
		total.Add(f)
		name := "deleted"
		if e, ok := s.Registry.Entity(p.Tenant, id); ok {
			name = cmp.Or(e.Profile, string(e.Type))
		}
		sum := profiles[name]
		sum.Add(f)
		profiles[name] = sum
		return nil
	})
	if err != nil {
		return nil, err
	}
	answer := PreviewRetention200JSONResponse{Total: wireForecast(total), Profiles: []ProfileForecast{}}
	for _, name := range slices.Sorted(maps.Keys(profiles)) {
		answer.Profiles = append(answer.Profiles, ProfileForecast{Profile: name, Forecast: wireForecast(profiles[name])})
	}
	return answer, nil
}
