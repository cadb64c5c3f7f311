package runner

import (
	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/guest/protocol"
)

// stat describes one file; with the flag, what a link there leads to.
func stat(fsys FS, workDir string, m *protocol.Path) (*protocol.Files, error) {
	file, err := locate(workDir, m.Path)
	if err != nil {
		return nil, err
	}
	look := fsys.Lstat
	if m.Flag {
		look = fsys.Stat
	}
	info, err := look(file)
	if err != nil {
		return nil, FileError(file, err)
	}
	described := *info
	described.Path = file
	return &protocol.Files{Files: []core.FileInfo{described}}, nil
}
