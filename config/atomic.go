package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Names of files that are being written begin and end so; the dot keeps them from being
// read as credentials.
const (
	temporaryPrefix = ".understudy-"
	temporarySuffix = ".tmp"
)

// isWindows is where files have no modes and folders cannot be synced.
const isWindows = runtime.GOOS == "windows"

// abandonedAfter is when a temporary file is taken for the remains of a writer that was
// killed. Writing one takes milliseconds.
const abandonedAfter = time.Minute

// WriteFileAtomic makes data the content of the file at path, with mode 0600. Whatever
// happens, a crash included, path holds either what it held before or the whole of data,
// and after a nil error it is data that survives. The folder must exist; a symbolic link at
// path is replaced, not followed.
func WriteFileAtomic(path string, data []byte) error {
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, temporaryPrefix+"*"+temporarySuffix) // with mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(f.Name())))
	}
	if err := syncFolder(folder); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// syncFolder makes the names in folder survive a crash of the machine.
func syncFolder(folder string) error {
	if isWindows { // has no such operation
		return nil
	}
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil // some network file systems have no such operation either
	}
	return errors.Join(err, f.Close())
}

// isAbandoned reports whether WriteFileAtomic left a file of that name, last changed at
// changedAt, without finishing.
func isAbandoned(name string, changedAt, now time.Time) bool {
	return strings.HasPrefix(name, temporaryPrefix) && strings.HasSuffix(name, temporarySuffix) &&
		now.Sub(changedAt) > abandonedAfter
}
