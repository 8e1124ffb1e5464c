package api

import (
	"context"

	"github.com/tidewire/tidewire/auth"
	"github.com/tidewire/tidewire/model"
)

// StartBackup answers POST /api/system/backup.
func (s *Server) StartBackup(ctx context.Context, req StartBackupRequestObject) (StartBackupResponseObject, error) {
	if err := s.mayBackUp(ctx); err != nil {
		return nil, err
	}
	to := ""
	if req.Body != nil {
		to = orEmpty(req.Body.To)
	}
	if err := s.Backups.Start(to); err != nil {
		return nil, err
	}
	return StartBackup200JSONResponse(backupStatus(s.Backups.Status())), nil
}

// GetBackup answers GET /api/system/backup.
func (s *Server) GetBackup(ctx context.Context, _ GetBackupRequestObject) (GetBackupResponseObject, error) {
	if err := s.mayBackUp(ctx); err != nil {
		return nil, err
	}
	return GetBackup200JSONResponse(backupStatus(s.Backups.Status())), nil
}

func (s *Server) mayBackUp(ctx context.Context) error {
	if err := auth.Require(caller(ctx), model.SysAdmin); err != nil {
		return err
	}
	if s.Backups == nil {
		return model.NotFoundf("This server makes no backups")
	}
	return nil
}

func backupStatus(s model.BackupStatus) BackupStatus {
	b := BackupStatus{Running: s.Running, Error: s.Error}
	if l := s.Last; l != nil {
		b.Last = &Backup{Name: l.Name, Created: l.Created, Position: int64(l.Position), Files: int32(l.Files), Copied: l.Copied, Shared: l.Shared}
	}
	return b
}
