package runner

import "github.com/caisson-dev/caisson/guest/protocol"

// mkdir makes a directory and its missing parents.
func mkdir(fsys FS, workDir string, m *protocol.Path) error {
	dir, err := locate(workDir, m.Path)
	if err != nil {
		return err
	}
	return makeDirs(fsys, dir)
}
