package gemini

import "bytes"

// scan reads JSON from left to right. Its methods report false for what is no valid JSON,
// or no JSON that they care to read; then at says nothing.
type scan struct {
	b  []byte
	at int
}

func (s *scan) space() {
	for s.at < len(s.b) {
		switch s.b[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// next reads one character after white space.
func (s *scan) next(c byte) bool {
	s.space()
	if s.at < len(s.b) && s.b[s.at] == c {
		s.at++
		return true
	}
	return false
}

// place is where in an element an object lies.
type place uint8

const (
	nowhere place = iota // its members do not matter
	inElement
	inCandidate
	inContent
	inPart
	inUsage
)

// visitor reads the values of the members of objects that matter.
type visitor interface {
	member(in place, name []byte) bool
}

// object has v read the value of every member, or skips them if there is no v. Names with
// escapes are none that anybody writes.
func (s *scan) object(v visitor, in place) bool {
	return s.members(v, in, hotDepth)
}

func (s *scan) members(v visitor, in place, depth int) bool {
	if !s.next('{') {
		return false
	}
	if s.next('}') {
		return true
	}
	for {
		s.space()
		raw, ok := s.str()
		if !ok || !s.next(':') {
			return false
		}
		if bytes.IndexByte(raw, '\\') >= 0 {
			return false
		}
		s.space()
		if in == nowhere {
			ok = s.skip(depth - 1)
		} else {
			ok = v.member(in, raw[1:len(raw)-1])
		}
		if !ok {
			return false
		}
		if !s.next(',') {
			return s.next('}')
		}
	}
}

// only reads an array of one object.
func (s *scan) only(v visitor, in place) bool {
	return s.next('[') && s.object(v, in) && s.next(']')
}

// str reads a string and returns it as it is written.
func (s *scan) str() ([]byte, bool) {
	start := s.at
	if start >= len(s.b) || s.b[start] != '"' {
		return nil, false
	}
	for i := start + 1; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			s.at = i + 1
			return s.b[start:s.at], true
		case c < ' ':
			return nil, false
		case c == '\\':
			if i++; i >= len(s.b) {
				return nil, false
			}
			switch s.b[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			default: // \u0000 and its like are for others
				return nil, false
			}
		}
	}
	return nil, false
}

// number reads a small whole number.
func (s *scan) number() (n int64, ok bool) {
	const digits = 9
	start := s.at
	for s.at < len(s.b) && '0' <= s.b[s.at] && s.b[s.at] <= '9' {
		n = n*10 + int64(s.b[s.at]-'0')
		if s.at++; s.at-start > digits {
			return 0, false
		}
	}
	if s.at == start || s.b[start] == '0' && s.at > start+1 {
		return 0, false
	}
	if s.at == len(s.b) {
		return n, true
	}
	switch s.b[s.at] {
	case ',', '}', ']', ' ', '\t', '\r', '\n':
		return n, true
	default: // a fraction, or nonsense
		return 0, false
	}
}

// skip reads a value of which nothing matters.
func (s *scan) skip(depth int) bool {
	if depth == 0 || s.at >= len(s.b) {
		return false
	}
	switch s.b[s.at] {
	case '"':
		_, ok := s.str()
		return ok
	case '{':
		return s.members(nil, nowhere, depth)
	case '[':
		return s.array(depth)
	default:
		_, ok := s.number()
		return ok
	}
}

func (s *scan) array(depth int) bool {
	s.at++
	if s.next(']') {
		return true
	}
	for {
		s.space()
		if !s.skip(depth - 1) {
			return false
		}
		if !s.next(',') {
			return s.next(']')
		}
	}
}
