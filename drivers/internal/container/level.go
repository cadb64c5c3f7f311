package container

import "strings"

// Level tells the isolation that an OCI runtime gives, by what its program or
// its type is called. One that is not known counts as the least, runc's.
func Level(program string) string {
	for name, level := range map[string]string{"runsc": "gvisor", "kata": "vm", "krun": "vm"} {
		if strings.Contains(program[strings.LastIndexByte(program, '/')+1:], name) {
			return level
		}
	}
	return "container"
}
