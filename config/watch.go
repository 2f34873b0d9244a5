package config

import (
	"context"
	"time"
)

// How Watch looks for changes. From a change to its use it takes pollEvery, settleAfter and
// what reading takes, which is less than a second together.
const (
	pollEvery   = 500 * time.Millisecond
	settleAfter = 100 * time.Millisecond // without a further change a change is complete
	settleTries = 3                      // whoever changes things all the time does not keep others waiting
)

// Watch calls use whenever the file or its credentials-dir says something else than what
// was handed out last, by Load or to use, and whenever reload receives. use gets all of it,
// or the error that makes the file unusable, which is told once; what was handed out before
// then goes on. Access tokens that a refresh token has brought are no news. Watch returns
// when ctx ends; use is called in its goroutine.
//
// It looks at the files themselves twice a second, because they come and go in ways that
// notifications do not survive: replaced by editors, mounted, deleted with their folder.
func (s *Source) Watch(ctx context.Context, reload <-chan struct{}, use func(*Loaded, error)) {
	timer := time.NewTimer(pollEvery)
	defer timer.Stop()
	for {
		force := false
		select {
		case <-ctx.Done():
			return
		case <-reload:
			force = true
		case <-timer.C:
		}
		if s.refresh(force) || force {
			if !s.settle(ctx) {
				return
			}
			s.tell(force, use)
		}
		timer.Reset(pollEvery)
	}
}

// settle waits until a change seems to be complete. It reports false if ctx ended.
func (s *Source) settle(ctx context.Context) bool {
	timer := time.NewTimer(settleAfter)
	defer timer.Stop()
	for range settleTries {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
		}
		if !s.refresh(false) {
			break
		}
		timer.Reset(settleAfter)
	}
	return true
}

// tell calls use with what is news or, with force, in any case.
func (s *Source) tell(force bool, use func(*Loaded, error)) {
	loaded, err := s.result()
	bad := errorText(err)
	if err != nil && (force || bad != s.givenBad) {
		use(nil, err)
	}
	isBackToGood := err == nil && (force || s.givenBad != "")
	s.givenBad = bad
	if loaded != nil && (isBackToGood || !loaded.alike(s.given)) {
		s.given = loaded
		use(loaded, nil)
	}
}
