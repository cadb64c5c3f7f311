package shell

import "strings"

// options are what set -o knows.
type options struct {
	allexport, errexit, noglob, noclobber, noexec, nounset, verbose, xtrace, pipefail bool
}

// find returns an option by its letter or its name.
func (o *options) find(flag rune, name string) *bool {
	for _, opt := range []struct {
		flag  rune
		name  string
		value *bool
	}{
		{'a', "allexport", &o.allexport},
		{'e', "errexit", &o.errexit},
		{'f', "noglob", &o.noglob},
		{'C', "noclobber", &o.noclobber},
		{'n', "noexec", &o.noexec},
		{'u', "nounset", &o.nounset},
		{'v', "verbose", &o.verbose},
		{'x', "xtrace", &o.xtrace},
		{0, "pipefail", &o.pipefail},
	} {
		if flag != 0 && opt.flag == flag || name != "" && opt.name == name {
			return opt.value
		}
	}
	return nil
}

func (o *options) setFlag(flag rune, on bool) bool {
	v := o.find(flag, "")
	if v != nil {
		*v = on
	}
	return v != nil
}

func (o *options) setName(name string, on bool) bool {
	v := o.find(0, name)
	if v != nil {
		*v = on
	}
	return v != nil
}

// flags returns $-.
func (o *options) flags() string {
	var b strings.Builder
	for _, flag := range "efuxavC" {
		if *o.find(flag, "") {
			b.WriteRune(flag)
		}
	}
	return b.String()
}
