//go:build !unix

package main

import (
	"errors"
	"time"
)

// cpuTime is not measured on this system.
func cpuTime() (time.Duration, error) { return 0, errors.ErrUnsupported }
