package tools

// table has every command. None looks in it, so that it can be a variable.
var table = map[string]entry{
	"true":   {run: func(*tool) {}, flags: "raw"},
	"false":  {run: func(t *tool) { t.status = 1 }, flags: "raw"},
	"echo":   {run: echo, flags: "raw"},
	"printf": {run: printf, flags: "raw"},
	"test":   {run: test, flags: "raw"},
	"[":      {run: test, flags: "raw"},
	"kill":   {run: kill, flags: "raw"},
	"sleep":  {run: sleep},
	"cat":    {run: cat, flags: "benstuvAET", long: "number=n number-nonblank=b squeeze-blank=s show-ends=E show-tabs=T show-all=A"},
}
