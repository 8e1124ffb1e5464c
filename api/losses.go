package api

import (
	"context"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

// GetLosses answers GET /api/system/losses.
func (s *Server) GetLosses(ctx context.Context, _ GetLossesRequestObject) (GetLossesResponseObject, error) {
	if err := auth.Require(caller(ctx), model.SysAdmin); err != nil {
		return nil, err
	}
	all := s.Losses.Losses()
	answer := make(GetLosses200JSONResponse, 0, len(all))
	for _, l := range all {
		one := Loss{Keys: l.Keys, StartTS: l.From, EndTS: l.To, FoundTS: l.Found, Cause: l.Cause}
		if one.Keys == nil {
			one.Keys = []string{}
		}
		if l.Entity != (model.EntityID{}) {
			tenant, entity, scope := model.ID(l.Tenant), model.ID(l.Entity), l.Scope.String()
			one.TenantID, one.EntityID, one.Scope = &tenant, &entity, &scope
		}
		answer = append(answer, one)
	}
	return answer, nil
}
