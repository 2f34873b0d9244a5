package messages

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// maxUnsaid bounds how many members without a word in the canonical form are listed, and
// maxNameBytes how much of their names: a hostile body has as many as it likes.
const (
	maxUnsaid    = 64
	maxNameBytes = 64
)

// reader goes over a request once, token by token: what has no place in the canonical form
// is skipped where it stands and costs nothing.
type reader struct {
	dec  *jsontext.Decoder
	body []byte
	out  llm.Request
	err  *llm.DecodeError // the first that this package found; those of the JSON are in dec

	instructions []llm.Part // of system
	leading      []llm.Part // of system messages before all others
	tools        []llm.Tool
	servers      []llm.Tool // of mcp_servers
	passing      []int      // messages that the next user message ends
	efforts      effortSeen
	unquoted     []byte // room for the string at hand
}

// UnmarshalJSONFrom lets wire.Decode start the reader on a whole body.
func (r *reader) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	r.dec = dec
	return r.request()
}

// fail notes what is wrong with the value just read, or about to be.
func (r *reader) fail(reason string) error {
	if r.err == nil {
		r.err = &llm.DecodeError{Path: wire.Path(r.dec.StackPointer()), Reason: reason}
	}
	return r.err
}

// unexpected skips a value of a wrong type and says so.
func (r *reader) unexpected(want string) error {
	if err := r.dec.SkipValue(); err != nil {
		return err
	}
	return r.fail(want + " is expected")
}

func (r *reader) unsaid(path, reason string) {
	loss := llm.Loss{Path: path, Reason: reason}
	if len(r.out.Unsaid) < maxUnsaid && !slices.Contains(r.out.Unsaid, loss) {
		r.out.Unsaid = append(r.out.Unsaid, loss)
	}
}

// unknown skips a member that has no word in the canonical form. A null says nothing.
func (r *reader) unknown(within string, name []byte) error {
	if r.dec.PeekKind() != 'n' {
		text := strings.ToValidUTF8(string(name[:min(len(name), maxNameBytes)]), "")
		r.unsaid(within+text, "no other format has it")
	}
	return r.dec.SkipValue()
}

// object reads an object member by member. What names a member is valid until member reads
// on. Null is an object without members.
func (r *reader) object(member func(name []byte) error) error {
	switch r.dec.PeekKind() {
	case '{':
	case 'n':
		return r.dec.SkipValue()
	default:
		return r.unexpected("an object")
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for r.dec.PeekKind() != '}' {
		quoted, err := r.dec.ReadValue()
		if err != nil {
			return err
		}
		if err := member(bytes.Trim(quoted, `"`)); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return err
}

// array reads an array element by element. Null is an empty one.
func (r *reader) array(element func() error) error {
	switch r.dec.PeekKind() {
	case '[':
	case 'n':
		return r.dec.SkipValue()
	default:
		return r.unexpected("an array")
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for r.dec.PeekKind() != ']' {
		if err := element(); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return err
}

// text reads a string. Null is an empty one.
func (r *reader) text(s *string) error {
	switch r.dec.PeekKind() {
	case '"':
	case 'n':
		return r.dec.SkipValue()
	default:
		return r.unexpected("a string")
	}
	quoted, err := r.dec.ReadValue()
	if err != nil {
		return err
	}
	if inside := quoted[1 : len(quoted)-1]; bytes.IndexByte(inside, '\\') < 0 && utf8.Valid(inside) {
		*s = string(inside)
		return nil
	}
	r.unquoted = wire.AppendUnquoted(r.unquoted[:0], quoted)
	*s = string(r.unquoted)
	return nil
}

// loose reads a string, or skips what is none: blocks of unknown kinds may have anything.
func (r *reader) loose(s *string) error {
	if r.dec.PeekKind() != '"' {
		return r.dec.SkipValue()
	}
	return r.text(s)
}

func (r *reader) flag(b **bool) error {
	switch r.dec.PeekKind() {
	case 't', 'f':
	case 'n':
		return r.dec.SkipValue()
	default:
		return r.unexpected("a boolean")
	}
	token, err := r.dec.ReadToken()
	if err == nil {
		v := token.Bool()
		*b = &v
	}
	return err
}

func (r *reader) float(f **float64) error {
	switch r.dec.PeekKind() {
	case '0':
	case 'n':
		return r.dec.SkipValue()
	default:
		return r.unexpected("a number")
	}
	token, err := r.dec.ReadToken()
	if err != nil {
		return err
	}
	v, err := token.Float()
	if err != nil {
		return r.fail("the number is too large")
	}
	*f = &v
	return nil
}

func (r *reader) whole(n **int64) error {
	switch r.dec.PeekKind() {
	case '0':
	case 'n':
		return r.dec.SkipValue()
	default:
		return r.unexpected("a whole number")
	}
	token, err := r.dec.ReadToken()
	if err != nil {
		return err
	}
	v, err := token.Int()
	if err != nil {
		return r.fail("a whole number is expected")
	}
	*n = &v
	return nil
}

// raw reads a value as it stands. It is a piece of the body.
func (r *reader) raw() ([]byte, error) {
	value, err := r.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	end := r.dec.InputOffset()
	return r.body[end-int64(len(value)) : end], nil
}

// since returns what has been read from an offset on, without what parts it from the value
// before.
func (r *reader) since(offset int64) []byte {
	return bytes.TrimLeft(r.body[offset:r.dec.InputOffset()], ",: \t\r\n")
}

func (r *reader) cache(c **llm.Cache) error {
	var ttl, kind string
	if r.dec.PeekKind() == 'n' {
		return r.dec.SkipValue()
	}
	err := r.object(func(name []byte) error {
		switch string(name) {
		case "ttl":
			return r.text(&ttl)
		case "type":
			return r.text(&kind)
		default:
			return r.unknown("cache_control.", name)
		}
	})
	*c = &llm.Cache{TTL: ttl}
	return err
}
