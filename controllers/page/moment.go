// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// moment is a time as the page shows it: relative, with the exact one beside it.
type moment struct {
	Machine, Exact, Relative string
	Clock                    string // of its day, in UTC
}

// momentOf returns how a time looks at another time; nil without a time.
func momentOf(t *metav1.Time, now time.Time) *moment {
	if t.IsZero() {
		return nil
	}
	return momentAt(t.Time, now)
}

func momentAt(t, now time.Time) *moment {
	t = t.UTC()
	return &moment{
		Machine: t.Format(time.RFC3339), Exact: t.Format("2006-01-02 15:04:05") + " UTC", Relative: relative(t.Sub(now)), Clock: t.Format("15:04"),
	}
}

// relative says in words how far away a time is.
func relative(d time.Duration) string {
	switch {
	case d < 0 && -d < time.Minute:
		return "just now"
	case d < 0:
		return span(-d) + " ago"
	case d < time.Minute:
		return "in less than a minute"
	}
	return "in " + span(d)
}

// span is a duration in its largest unit that counts at least two, or one where nothing smaller fits.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{365 * day, "year"}, {30 * day, "month"}, {day, "day"}, {time.Hour, "hour"}} {
		if d >= 2*unit.of {
			return fmt.Sprintf("%d %ss", d/unit.of, unit.name)
		}
	}
	return plural(max(1, int(d/time.Minute)), "minute")
}

// plural is a number with what it counts.
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
