package capture

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/understudyhq/understudy/config"
)

// What Logging.Requests may say, besides errors.
const (
	requestsOff = "off"
	requestsAll = "all"
)

// maxWriters bounds how many files are written at once: a storm of failures must not become
// one of the disk. Further ones are left out and counted.
const maxWriters = 8

// Info is one captured request.
type Info struct {
	Name
	File  string // name of the file; sorts by time
	Bytes int64
}

// Stats counts what became of the requests that were wanted.
type Stats struct {
	Written uint64
	LeftOut uint64 // too many were being written
	Failed  uint64 // the file could not be written
}

// Store is a folder of captured requests. Make one with NewStore. All methods are safe for
// concurrent use; a nil one wants nothing.
type Store struct {
	logger   *slog.Logger
	settings atomic.Pointer[config.Logging] // nil = off
	writers  atomic.Int32
	written  atomic.Uint64
	leftOut  atomic.Uint64
	failed   atomic.Uint64
	ailing   atomic.Bool // the last file could not be written, and the log has said so

	mu     sync.Mutex
	folder string   // that root is; empty = none is open
	root   *os.Root // the way to every file
	files  []Info   // the oldest first
	bytes  int64    // of files
	spools uint64   // names given to spools
}

// NewStore returns a store that wants nothing until Apply tells it what. logger is told of
// files that cannot be written.
func NewStore(logger *slog.Logger) *Store { return &Store{logger: logger} }

// Apply makes l what counts from now on. Requests that have begun go on as they began.
// Nothing is captured without l.Dir.
func (s *Store) Apply(l config.Logging) {
	if l.Dir == "" || l.Requests == requestsOff {
		s.settings.Store(nil)
	} else {
		s.settings.Store(&l)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.folder != l.Dir {
		s.shut()
		s.folder = l.Dir
	}
}

// Close gives the folder back. What is written afterwards is left out.
func (s *Store) Close() {
	s.settings.Store(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shut()
	s.folder = ""
}

func (s *Store) shut() {
	if s.root != nil {
		_ = s.root.Close() // nothing was written through the folder itself
	}
	s.root, s.files, s.bytes = nil, nil, 0
}

// Stats returns what was counted since the store was made.
func (s *Store) Stats() Stats {
	return Stats{Written: s.written.Load(), LeftOut: s.leftOut.Load(), Failed: s.failed.Load()}
}

// Failures lists the captured requests that failed, latest first, up to limit.
func (s *Store) Failures(limit int) ([]Info, error) {
	if s == nil {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(false); err != nil || s.root == nil {
		return nil, err
	}
	var list []Info
	for _, f := range slices.Backward(s.files) {
		if len(list) == limit {
			break
		}
		if f.Failed {
			list = append(list, f)
		}
	}
	return list, nil
}

// Open returns the text of a captured request. What is no name of a capture, or of one that is
// not there any more, is fs.ErrNotExist.
func (s *Store) Open(file string) (io.ReadCloser, error) {
	if _, ok := ParseName(file); !ok || s == nil {
		return nil, fmt.Errorf("open capture: %w", fs.ErrNotExist)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(false); err != nil {
		return nil, err
	}
	if s.root == nil {
		return nil, fmt.Errorf("open capture: %w", fs.ErrNotExist)
	}
	return s.root.Open(file)
}

// open makes root the folder. Without create a folder that is not there stays so. The lock is
// held.
func (s *Store) open(create bool) error {
	if s.root != nil || s.folder == "" {
		return nil
	}
	if create {
		if err := os.MkdirAll(s.folder, 0o700); err != nil {
			return fmt.Errorf("make the folder of captures: %w", err)
		}
	}
	root, err := os.OpenRoot(s.folder)
	if errors.Is(err, fs.ErrNotExist) && !create {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the folder of captures: %w", err)
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return errors.Join(fmt.Errorf("read the folder of captures: %w", err), root.Close())
	}
	s.root = root
	for _, e := range entries { // sorted by name
		if strings.HasPrefix(e.Name(), spoolPrefix) { // of a process that has crashed
			_ = root.Remove(e.Name()) // or of one that lives, where a file in use stays
			continue
		}
		name, ok := ParseName(e.Name())
		info, err := e.Info()
		if ok && err == nil && info.Mode().IsRegular() {
			s.files = append(s.files, Info{Name: name, File: e.Name(), Bytes: info.Size()})
			s.bytes += info.Size()
		}
	}
	return nil
}

// create makes a new file of that name, or with a number behind it, and calls write with it.
func (s *Store) create(n Name, write func(io.Writer) error) error {
	if s.writers.Add(1) > maxWriters {
		s.writers.Add(-1)
		s.leftOut.Add(1)
		return nil
	}
	defer s.writers.Add(-1)
	s.mu.Lock()
	err := s.open(true)
	root := s.root
	s.mu.Unlock()
	if err != nil || root == nil {
		s.failed.Add(1)
		return err
	}
	info, err := writeNew(root, n, write)
	if err != nil {
		s.failed.Add(1)
		return fmt.Errorf("write capture: %w", err)
	}
	s.written.Add(1)
	s.keep(root, info)
	return nil
}

// writeNew writes a file that was not there. One that cannot be written to its end is removed.
func writeNew(root *os.Root, n Name, write func(io.Writer) error) (Info, error) {
	base := n.ID
	for i := 2; ; i++ {
		file, err := root.OpenFile(n.String(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) { // clients may use one id again and again
			n.ID = base + "." + strconv.Itoa(i)
			continue
		}
		if err != nil {
			return Info{}, err
		}
		counted := &countingWriter{w: file}
		if err := errors.Join(write(counted), file.Close()); err != nil {
			return Info{}, errors.Join(err, root.Remove(n.String()))
		}
		return Info{Name: n, File: n.String(), Bytes: counted.n}, nil
	}
}

// keep adds a file to the list and removes the oldest ones that are too many.
func (s *Store) keep(root *os.Root, info Info) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.settings.Load()
	if s.root != root || l == nil {
		return // another folder is in use by now
	}
	at, _ := slices.BinarySearchFunc(s.files, info.File, func(f Info, name string) int { return strings.Compare(f.File, name) })
	s.files = slices.Insert(s.files, at, info)
	s.bytes += info.Bytes
	for len(s.files) > l.MaxFiles || s.bytes > l.MaxTotalBytes {
		oldest := s.files[0]
		if err := root.Remove(oldest.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.trouble(fmt.Errorf("remove capture: %w", err))
		}
		s.files = s.files[1:]
		s.bytes -= oldest.Bytes
		if len(s.files) == 0 {
			return
		}
	}
}

// trouble logs err unless the last file had trouble too.
func (s *Store) trouble(err error) {
	if err == nil {
		s.ailing.Store(false)
	} else if !s.ailing.Swap(true) {
		s.logger.Warn("request not captured", slog.Any("err", err))
	}
}

// spool makes a temporary file.
func (s *Store) spool() (*os.File, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(true); err != nil {
		return nil, nil, err
	}
	if s.root == nil {
		return nil, nil, fs.ErrClosed
	}
	s.spools++
	root, name := s.root, fmt.Sprintf("%s%d-%d", spoolPrefix, os.Getpid(), s.spools)
	file, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("make a spool: %w", err)
	}
	return file, func() {
		_ = file.Close()
		_ = s.remove(root, name)
	}, nil
}

// remove removes a file, also after the folder was given back.
func (s *Store) remove(root *os.Root, name string) error {
	if err := root.Remove(name); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return os.Remove(root.Name() + string(os.PathSeparator) + name)
}

// countingWriter counts what passes.
type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
