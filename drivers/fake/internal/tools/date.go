package tools

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// date shows the time, which is UTC here.
func date(t *tool) {
	now := time.Now().UTC()
	if text := t.value('d', ""); text != "" {
		at, ok := parseDate(text)
		if !ok {
			t.errorf("invalid date %s", quote(text))
			return
		}
		now = at.UTC()
	}
	if name := t.value('r', ""); name != "" {
		info, err := t.Stat(name)
		if err != nil {
			t.errorf("%s: No such file or directory", name)
			return
		}
		now = info.ModTime.UTC()
	}
	format := "+%a %b %e %H:%M:%S UTC %Y"
	switch {
	case t.has("I"):
		format = map[string]string{"": "+%Y-%m-%d", "date": "+%Y-%m-%d", "seconds": "+%Y-%m-%dT%H:%M:%S+00:00", "ns": "+%Y-%m-%dT%H:%M:%S,%N+00:00"}[t.value('I', "")]
	case t.has("R"):
		format = "+%a, %d %b %Y %H:%M:%S +0000"
	}
	if len(t.args) > 0 {
		if !strings.HasPrefix(t.args[0], "+") {
			t.errorf("invalid date %s", quote(t.args[0]))
			return
		}
		format = t.args[0]
	}
	t.println(strftime(strings.TrimPrefix(format, "+"), now))
}

// strftime formats a time as strftime(3) does.
func strftime(format string, at time.Time) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		plain := format[i] == '-' && i+1 < len(format)
		if plain {
			i++
		}
		text := timeField(format, &i, at)
		if plain {
			if trimmed := strings.TrimLeft(text, "0 "); trimmed != "" {
				text = trimmed
			} else {
				text = "0"
			}
		}
		b.WriteString(text)
	}
	return b.String()
}

// timeField returns what the letter at i stands for, with the digits before it.
func timeField(format string, i *int, at time.Time) string {
	digits := 0
	for isDigit(format[*i], 10) && *i+1 < len(format) {
		digits = digits*10 + int(format[*i]-'0')
		*i++
	}
	switch c := format[*i]; c {
	case 'N':
		if digits == 0 || digits > 9 {
			digits = 9
		}
		return fmt.Sprintf("%09d", at.Nanosecond())[:digits]
	case 's':
		return strconv.FormatInt(at.Unix(), 10)
	case 'j':
		return fmt.Sprintf("%03d", at.YearDay())
	case 'u':
		return strconv.Itoa((int(at.Weekday())+6)%7 + 1)
	case 'w':
		return strconv.Itoa(int(at.Weekday()))
	case 'U': // weeks begin on Sunday
		return fmt.Sprintf("%02d", (at.YearDay()+6-int(at.Weekday()))/7)
	case 'W': // weeks begin on Monday
		return fmt.Sprintf("%02d", (at.YearDay()+6-(int(at.Weekday())+6)%7)/7)
	case 'V':
		_, week := at.ISOWeek()
		return fmt.Sprintf("%02d", week)
	case 'G':
		year, _ := at.ISOWeek()
		return strconv.Itoa(year)
	case 'C':
		return fmt.Sprintf("%02d", at.Year()/100)
	case 'n':
		return "\n"
	case 't':
		return "\t"
	case '%':
		return "%"
	case 'k':
		return fmt.Sprintf("%2d", at.Hour())
	case 'l':
		return fmt.Sprintf("%2d", (at.Hour()+11)%12+1)
	default:
		layout, ok := map[byte]string{
			'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'y': "06", 'e': "_2", 'I': "03", 'p': "PM", 'P': "pm",
			'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January", 'Z': "MST", 'z': "-0700", 'F': "2006-01-02", 'T': "15:04:05",
			'R': "15:04", 'D': "01/02/06", 'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05", 'r': "03:04:05 PM",
		}[c]
		if !ok {
			return "%" + string(c)
		}
		return at.Format(layout)
	}
}

// parseDate reads the dates that scripts usually give: absolute ones, "@seconds", and sums such as "2 days ago".
func parseDate(text string) (time.Time, bool) {
	text = strings.TrimSpace(text)
	if number, ok := strings.CutPrefix(text, "@"); ok {
		seconds, err := strconv.ParseFloat(number, 64)
		return time.Unix(0, int64(seconds*1e9)), err == nil
	}
	for _, layout := range []string{
		time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02", "20060102", time.RFC1123, time.RFC1123Z, time.UnixDate,
		"2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05.999999999 -0700", "Jan 2 2006", "2 Jan 2006",
	} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return relativeDate(strings.Fields(strings.ToLower(text)))
}

func relativeDate(words []string) (time.Time, bool) {
	at := time.Now().UTC()
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		switch word {
		case "now", "today":
			continue
		case "yesterday":
			at = at.AddDate(0, 0, -1)
			continue
		case "tomorrow":
			at = at.AddDate(0, 0, 1)
			continue
		}
		n, err := strconv.Atoi(strings.TrimPrefix(word, "+"))
		if err != nil || len(words) == 0 {
			return at, false
		}
		unit := strings.TrimSuffix(words[0], "s")
		words = words[1:]
		if len(words) > 0 && words[0] == "ago" {
			n, words = -n, words[1:]
		}
		switch unit {
		case "second", "sec":
			at = at.Add(time.Duration(n) * time.Second)
		case "minute", "min":
			at = at.Add(time.Duration(n) * time.Minute)
		case "hour":
			at = at.Add(time.Duration(n) * time.Hour)
		case "day":
			at = at.AddDate(0, 0, n)
		case "week":
			at = at.AddDate(0, 0, 7*n)
		case "month":
			at = at.AddDate(0, n, 0)
		case "year":
			at = at.AddDate(n, 0, 0)
		default:
			return at, false
		}
	}
	return at, true
}
