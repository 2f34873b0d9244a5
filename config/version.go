package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// Most that is read of a file.
const (
	maxMainBytes       = 16 << 20
	maxCredentialBytes = 1 << 20
)

// youth is how long after a change a file may be changed again without that showing: file
// systems count time in steps, and whoever copies a file may set its time back.
const youth = 2 * time.Second

// version is the version of a file that was read last. The zero value is that of none.
type version struct {
	info   fs.FileInfo
	readAt time.Time
}

// is reports whether info, of the same name, is surely that of the same version.
func (v version) is(info fs.FileInfo) bool {
	if v.info == nil || info == nil {
		return false
	}
	return v.info.Size() == info.Size() && v.info.ModTime().Equal(info.ModTime()) && v.info.Mode() == info.Mode() &&
		os.SameFile(v.info, info) && v.readAt.Sub(info.ModTime()).Abs() > youth
}

// mayReadOthers reports whether more people than the owner may read the file.
func (v version) mayReadOthers() bool {
	const others = 0o077
	return v.info != nil && v.info.Mode().Perm()&others != 0 && !isWindows
}

// readBounded reads f, which it closes, if it is a regular file of limit bytes at most.
func readBounded(f *os.File, limit int64) ([]byte, version, error) {
	v := version{readAt: time.Now()}
	info, err := f.Stat()
	var data []byte
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = errors.New("is not a regular file")
	case info.Size() > limit:
		err = tooLarge(limit)
	default:
		data, err = readAll(f, limit)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, version{}, err
	}
	v.info = info
	return data, v, nil
}

func readAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = tooLarge(limit)
	}
	return data, err
}

func tooLarge(limit int64) error { return fmt.Errorf("is larger than %d bytes", limit) }

// readMain reads the configuration file, which may be a pipe.
func readMain(path string) ([]byte, version, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, version{}, err
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		return readBounded(f, maxMainBytes)
	}
	data, err := readAll(f, maxMainBytes)
	return data, version{}, errors.Join(err, f.Close())
}

// notBlocking keeps the opening of a pipe from waiting for somebody who writes to it.
const notBlocking = os.O_RDONLY | syscall.O_NONBLOCK

// readKey reads a service account's key.
func readKey(path string) ([]byte, version, error) {
	f, err := os.OpenFile(path, notBlocking, 0)
	if err != nil {
		return nil, version{}, err
	}
	return readBounded(f, maxKeyBytes)
}
