package main

import (
	"fmt"
	"slices"
	"time"
)

// times are how long each of many calls took, in their order.
type times []time.Duration

// timed calls f so many times.
func timed(calls int, f func() error) (times, error) {
	all := make(times, 0, calls)
	for range calls {
		start := time.Now()
		if err := f(); err != nil {
			return nil, err
		}
		all = append(all, time.Since(start))
	}
	return all, nil
}

// at returns a percentile.
func (t times) at(percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(t))
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)]
}

// A rival is one way to do what is measured.
type rival struct {
	calls int // in each round
	times func(calls int) (times, error)
}

// calling is a rival that is measured from outside.
func calling(calls int, f func() error) rival {
	return rival{calls: calls, times: func(n int) (times, error) { return timed(n, f) }}
}

// settle is a pause between rivals: an engine has work to do after it has answered,
// which is not to slow whoever comes next.
const settle = 50 * time.Millisecond

// race has the rivals take turns, so that whatever else the machine does slows
// all of them, and returns the times of each, round by round.
func race(rounds int, rivals ...rival) ([][]times, error) {
	all := make([][]times, len(rivals))
	for range rounds {
		for i, r := range rivals {
			time.Sleep(settle)
			t, err := r.times(r.calls)
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], t)
		}
	}
	return all, nil
}

// ratio is how many times as long the other takes as ours: the median of what the single rounds say.
func ratio(other, ours []times) float64 {
	each := make([]float64, len(ours))
	for i := range ours {
		each[i] = float64(other[i].at(50)) / float64(ours[i].at(50))
	}
	slices.Sort(each)
	return each[len(each)/2]
}

// spread is the median and the 99th percentile of all rounds.
func spread(rounds []times) string {
	all := slices.Concat(rounds...)
	return round(all.at(50)) + " " + round(all.at(99))
}

func count(rounds []times) int { return len(slices.Concat(rounds...)) }

func round(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}

func timesText(x float64) string { return fmt.Sprintf("%.1fx", x) }
