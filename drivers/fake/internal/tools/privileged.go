package tools

// What needs a capability or a namespace, which no process of a fake has.

func mknod(t *tool) {
	if len(t.args) == 0 {
		t.missing()
		return
	}
	t.errorf("%s: Operation not permitted", t.args[0])
}

func unshare(t *tool) { t.errorf("unshare failed: Operation not permitted") }

// su belongs to root and sets the user ID, which nothing honours here.
func su(t *tool) {
	if len(t.args) > 0 && t.args[0] == "--help" {
		t.printf("Usage: su [options] [-] [<user> [<argument>...]]\n")
		return
	}
	t.errorf("Authentication failure")
}
