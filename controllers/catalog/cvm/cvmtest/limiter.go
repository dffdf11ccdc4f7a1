// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package cvmtest

import (
	"fmt"
	"sync"
	"time"
)

// limiter counts requests per action and credential in each second of the clock. The dimension, and that the server
// measures the window, are documented (document 1278/109059). That it is a fixed window is inferred from the words "in
// a second" of the message.
type limiter struct {
	mu     sync.Mutex
	second int64
	counts map[[2]string]int
}

// take counts a request and returns the number of requests in its second, including this one.
func (l *limiter) take(action, secretID string, now time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if sec := now.Unix(); sec != l.second || l.counts == nil {
		l.second, l.counts = sec, map[[2]string]int{}
	}
	l.counts[[2]string{action, secretID}]++
	return l.counts[[2]string{action, secretID}]
}

// throttle uses the real message (English: cb-spider issue 654, for CVM; Chinese: a public report of another product).
func (s *Server) throttle(action, secretID string, now time.Time) *refusal {
	limit := s.opts.RateLimit
	if limit < 0 {
		return nil
	}
	n := s.limiter.take(action, secretID, now)
	if n <= limit {
		return nil
	}
	return &refusal{
		code: "RequestLimitExceeded",
		en: fmt.Sprintf("Your current request times equals to `%d` in a second, which exceeds the frequency limit `%d` for a second. "+
			"Please reduce the frequency of calls.", n, limit),
		zh: fmt.Sprintf("您当前每秒请求 `%d` 次，超过了每秒频率上限 `%d`，请稍后重试。", n, limit),
	}
}
