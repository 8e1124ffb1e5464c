package api

import (
	"context"
	"encoding/json"

	"github.com/tidewire/tidewire/model"
)

// maxDatapoints is the most points a chart of a stock client asks for (contract thingsboard 17).
const maxDatapoints = 50_000

// GetServerTime answers GET /api/dashboard/serverTime.
func (s *Server) GetServerTime(context.Context, GetServerTimeRequestObject) (GetServerTimeResponseObject, error) {
	return GetServerTime200JSONResponse(s.Now().UnixMilli()), nil
}

// GetMaxDatapointsLimit answers GET /api/dashboard/maxDatapointsLimit.
func (s *Server) GetMaxDatapointsLimit(context.Context, GetMaxDatapointsLimitRequestObject) (GetMaxDatapointsLimitResponseObject, error) {
	return GetMaxDatapointsLimit200JSONResponse(maxDatapoints), nil
}

// GetSystemParams answers GET /api/system/params: what stock clients switch on is absent.
func (s *Server) GetSystemParams(ctx context.Context, _ GetSystemParamsRequestObject) (GetSystemParamsResponseObject, error) {
	return GetSystemParams200JSONResponse{
		UserTokenAccessEnabled: s.UserTokens && caller(ctx).Authority != model.CustomerUser,
		AllowedDashboardIds:    []string{},
		UserSettings:           json.RawMessage("{}"),
		MaxDatapointsLimit:     maxDatapoints,
	}, nil
}
