package model

// A Backup is a finished copy of everything a server keeps.
type Backup struct {
	Name     string   `json:"name"`     // of its directory
	Created  int64    `json:"created"`  // ms
	Position Position `json:"position"` // it holds everything up to it
	Files    int      `json:"files"`
	Copied   int64    `json:"copied"` // bytes written
	Shared   int64    `json:"shared"` // bytes shared with the backup before
}

// A BackupStatus says what became of the last backup.
type BackupStatus struct {
	Running bool    `json:"running"`
	Last    *Backup `json:"last"`  // the last one that was finished since the start; nil means none
	Error   string  `json:"error"` // why the one after it was not; "" means that it was
}
