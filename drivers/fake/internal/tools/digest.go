package tools

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"io"
	"strconv"
	"strings"
)

// digest is sha256sum and its kin; the name of the command tells which.
func digest(t *tool) {
	makers := map[string]func() hash.Hash{
		"md5sum": md5.New, "sha1sum": sha1.New, "sha224sum": sha256.New224, "sha256sum": sha256.New, "sha384sum": sha512.New384, "sha512sum": sha512.New,
	}
	maker := makers[t.name]
	if t.has("c") {
		t.checkDigests(maker)
		return
	}
	t.inputs(func(name string, r io.Reader) {
		before := t.status
		h := maker()
		_, _ = io.Copy(h, r) // r reports what fails
		if t.status > before {
			return
		}
		t.printf("%x  %s\n", h.Sum(nil), name)
	})
}

// checkDigests compares files with the digests of a list.
func (t *tool) checkDigests(maker func() hash.Hash) {
	failed := 0
	t.inputs(func(_ string, list io.Reader) {
		t.lines(list, func(line []byte) bool {
			text, _ := chomp(line)
			sum, name, ok := strings.Cut(string(text), "  ")
			if !ok {
				sum, name, ok = strings.Cut(string(text), " *")
			}
			if !ok {
				return true
			}
			fd, opened := t.open(name)
			if !opened {
				t.printf("%s: FAILED open or read\n", name)
				return true
			}
			h := maker()
			_, _ = io.Copy(h, t.reporting(name, fd)) // which reports what fails
			t.shut(fd)
			verdict := "OK"
			if hex.EncodeToString(h.Sum(nil)) != strings.ToLower(sum) {
				verdict = "FAILED"
				failed++
			}
			if !t.has("s") && (verdict != "OK" || !t.has("q")) {
				t.printf("%s: %s\n", name, verdict)
			}
			return true
		})
	})
	if failed > 0 {
		t.flush()
		plural := "checksums"
		if failed == 1 {
			plural = "checksum"
		}
		t.errorf("WARNING: %d computed %s did NOT match", failed, plural)
	}
}

// base64Tool is base64.
func base64Tool(t *tool) {
	width, err := strconv.Atoi(t.value('w', "76"))
	if err != nil || width < 0 {
		t.errorf("invalid wrap size: %s", quote(t.value('w', "")))
		return
	}
	t.inputs(func(_ string, r io.Reader) {
		if t.has("d") {
			t.decode(r)
			return
		}
		column := 0
		buf := make([]byte, 3*8<<10)
		for {
			n, err := io.ReadFull(r, buf)
			text := base64.StdEncoding.EncodeToString(buf[:n])
			for width > 0 && column+len(text) >= width {
				t.println(text[:width-column])
				text, column = text[width-column:], 0
			}
			_, _ = t.out.WriteString(text)
			column += len(text)
			if err != nil {
				break
			}
		}
		if column > 0 && width > 0 {
			_ = t.out.WriteByte('\n')
		}
	})
}

func (t *tool) decode(r io.Reader) {
	all := t.readAll(r)
	clean := bytes.Map(func(c rune) rune {
		if c == '\n' || t.has("i") && !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", c) {
			return -1
		}
		return c
	}, all)
	out := make([]byte, base64.StdEncoding.DecodedLen(len(clean)))
	n, err := base64.StdEncoding.Decode(out, clean)
	_, _ = t.out.Write(out[:n])
	if err != nil {
		t.flush()
		t.errorf("invalid input")
	}
}
