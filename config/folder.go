package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxFiles bounds how many files of credentials-dir are read.
const maxFiles = 100_000

// folder is credentials-dir as it was when it was last looked at.
type folder struct {
	path  string // as the program gets there; "" = none is configured
	most  int    // files that are read
	files map[string]*folderFile
	names []string // of files, in order
	scans int      // so many times the folder was looked at
	note  string   // why files are older than the folder, or not all of them
	none  bool     // because there is no folder
}

// folderFile is one file of the folder.
type folderFile struct {
	version version
	key     version // of the service account's key
	now     credentialFile
	good    credentialFile // the last that was in use
	exposed bool           // others may read the secret that it holds
	scan    int            // in which it was there last
}

func newFolder(path string, most int) folder {
	return folder{path: path, most: most, files: map[string]*folderFile{}}
}

// refresh looks at the folder again and reads the files that may have changed, or, with
// force, all. It reports whether anything is different now. A folder that cannot be read
// keeps the files that it had.
func (f *folder) refresh(p fileParser, force bool) bool {
	note := f.note
	changed, err := f.scan(&p, force)
	f.none = errors.Is(err, fs.ErrNotExist)
	switch {
	case err == nil:
	case f.none:
		f.note = fmt.Sprintf("there is no folder %s", f.path)
	default:
		f.note = fmt.Sprintf("%s: %v", f.path, withoutPath(err))
	}
	if err != nil && len(f.files) > 0 {
		f.note += "; the credentials that were read from it stay"
	}
	return changed || note != f.note
}

// scan brings files up to date with the folder.
func (f *folder) scan(p *fileParser, force bool) (changed bool, err error) {
	root, err := os.OpenRoot(f.path)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	infos, err := list(root)
	if err != nil {
		return false, err
	}
	f.note = ""
	if len(infos) > f.most {
		f.note = fmt.Sprintf("%s: holds %d files; the first %d in the order of their names are read", f.path, len(infos), f.most)
		slices.SortFunc(infos, func(a, b fs.FileInfo) int { return strings.Compare(a.Name(), b.Name()) })
		infos = infos[:f.most]
	}
	f.scans++
	before := len(f.files)
	var stale []staleFile
	for _, info := range infos {
		name, linked := info.Name(), info.Mode()&fs.ModeSymlink != 0
		file := f.files[name]
		if file == nil {
			file = &folderFile{}
			f.files[name] = file
		}
		file.scan = f.scans
		if linked {
			info, _ = root.Stat(name) // nil: reading it will tell why
		}
		if force || !file.isCurrent(p, info) {
			stale = append(stale, staleFile{file, name, linked})
		}
	}
	changed = f.read(p, root, stale)
	if before == len(f.files) && before == len(infos) {
		return changed, nil // most polls: nothing came, nothing went
	}
	maps.DeleteFunc(f.files, func(_ string, file *folderFile) bool { return file.scan != f.scans })
	f.names = slices.Sorted(maps.Keys(f.files))
	return true, nil
}

// list returns the files that are meant to hold a credential. It removes what a writer that
// was killed has left.
func list(root *os.Root) ([]fs.FileInfo, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	entries, err := dir.ReadDir(-1)
	if err := errors.Join(err, dir.Close()); err != nil {
		return nil, err
	}
	infos := make([]fs.FileInfo, 0, len(entries))
	for _, entry := range entries {
		info, err := entry.Info()
		switch {
		case err != nil: // it is gone by now
		case isCredentialFile(entry.Name()):
			infos = append(infos, info)
		case isAbandoned(entry.Name(), info.ModTime(), time.Now()):
			_ = root.Remove(entry.Name()) // if it must stay, it harms nobody
		}
	}
	return infos, nil
}

// staleFile is a file that is to be read, and its name in the folder.
type staleFile struct {
	*folderFile

	name   string
	linked bool // it is a symbolic link
}

// read reads files, several at a time: parsing ten thousand takes seconds. It reports whether
// any of them is different now.
func (f *folder) read(p *fileParser, root *os.Root, stale []staleFile) bool {
	var next atomic.Int64
	var changed atomic.Bool
	var readers sync.WaitGroup
	for range min(len(stale), runtime.GOMAXPROCS(0)) {
		readers.Go(func() {
			for i := next.Add(1); i <= int64(len(stale)); i = next.Add(1) {
				if stale[i-1].refresh(*p, root, f.path) {
					changed.Store(true)
				}
			}
		})
	}
	readers.Wait()
	return changed.Load()
}

// isCurrent reports whether the file, which has info now (nil = it cannot be had), and what it
// depends on surely are as they were when it was read.
func (f *folderFile) isCurrent(p *fileParser, info fs.FileInfo) bool {
	return f.version.is(info) && f.now.kind == p.kinds[f.now.provider] && f.keyIsSame()
}

// refresh reads the file in the folder at path. It reports whether it is different now.
func (f staleFile) refresh(p fileParser, root *os.Root, path string) bool {
	path = filepath.Join(path, f.name)
	now, exposed := f.now, f.exposed
	data, read, err := readIn(root, f.name)
	f.version, f.key = read, version{}
	switch {
	case err != nil && f.linked && !errors.Is(err, fs.ErrNotExist):
		err = errors.New("is a symbolic link that leaves the folder or cannot be followed")
		fallthrough
	case err != nil && (f.linked || !errors.Is(err, fs.ErrNotExist)):
		f.now = credentialFile{bad: Errors{{File: path, Problem: withoutPath(err).Error()}}}
	case err != nil: // it has gone since the folder was listed: the next look will not find it
		f.now = credentialFile{}
	default:
		p.readKey = func(path string) (key []byte, err error) {
			key, f.key, err = readKey(path)
			return key, err
		}
		f.now = p.parse(path, data)
	}
	f.exposed = f.now.secrets && f.version.mayReadOthers() || f.key.mayReadOthers()
	return f.exposed != exposed || !reflect.DeepEqual(f.now, now)
}

// keyIsSame reports whether the service account's key is surely the one that was read.
func (f *folderFile) keyIsSame() bool {
	if f.now.keyFile == "" {
		return true
	}
	info, err := os.Stat(f.now.keyFile)
	return err == nil && f.key.is(info)
}

// readIn reads the credential file of that name.
func readIn(root *os.Root, name string) ([]byte, version, error) {
	f, err := root.OpenFile(name, notBlocking, 0)
	if err != nil {
		return nil, version{}, err
	}
	return readBounded(f, maxCredentialBytes)
}
