package messages

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/understudyhq/understudy/internal/llm"
)

// block is a content block of any kind, as far as it can be read before its kind is known.
type block struct {
	kind, text, title   string
	id, name, toolUseID string
	thinking, signature string
	data                string
	input               []byte // a piece of the body
	parts               []llm.Part
	structured, failed  bool
	source              source
	cache               *llm.Cache
	unknown             []string
	start               int64
	hasText             bool
}

// source is where an image or a document is.
type source struct {
	kind, mime, data, url, fileID string
	parts                         []llm.Part
	text                          string // a search result's source is a string
}

// block reads one content block; nil = an empty text.
func (r *reader) block() (llm.Part, error) {
	if r.dec.PeekKind() == '"' { // not what the vendor takes, but clear
		var t llm.Text
		err := r.text(&t.Text)
		return &t, err
	}
	if r.dec.PeekKind() != '{' {
		return nil, r.unexpected("an object")
	}
	b := block{start: r.dec.InputOffset()}
	if err := r.object(func(name []byte) error { return r.blockMember(&b, name) }); err != nil {
		return nil, err
	}
	return r.part(&b)
}

func (r *reader) blockMember(b *block, name []byte) error {
	switch string(name) {
	case "type":
		return r.text(&b.kind)
	case "text":
		b.hasText = r.dec.PeekKind() == '"'
		return r.loose(&b.text)
	case "cache_control":
		return r.cache(&b.cache)
	case "id":
		return r.loose(&b.id)
	case "name":
		return r.loose(&b.name)
	case "input":
		raw, err := r.raw()
		b.input = raw
		return err
	case "tool_use_id":
		return r.loose(&b.toolUseID)
	case "content":
		return r.blockContent(b)
	case "is_error":
		return r.blockFailed(b)
	case "thinking":
		return r.loose(&b.thinking)
	case "signature":
		return r.loose(&b.signature)
	case "data":
		return r.loose(&b.data)
	case "source":
		return r.blockSource(b)
	case "title":
		return r.loose(&b.title)
	default:
		if r.dec.PeekKind() != 'n' && len(b.unknown) < maxUnsaid {
			b.unknown = append(b.unknown, strings.ToValidUTF8(string(name[:min(len(name), maxNameBytes)]), ""))
		}
		return r.dec.SkipValue()
	}
}

// blockContent reads what is in a block: text, blocks, or in results any other value.
func (r *reader) blockContent(b *block) error {
	b.parts, b.structured = nil, false
	switch r.dec.PeekKind() {
	case '"', '[', 'n':
		return r.content(func(p llm.Part) { b.parts = append(b.parts, p) })
	default:
		raw, err := r.raw()
		b.parts, b.structured = []llm.Part{&llm.Text{Text: string(raw)}}, true
		return err
	}
}

func (r *reader) blockFailed(b *block) error {
	b.failed = r.dec.PeekKind() == 't'
	return r.dec.SkipValue()
}

func (r *reader) blockSource(b *block) error {
	b.source = source{}
	switch r.dec.PeekKind() {
	case '"':
		return r.text(&b.source.text)
	case '{':
		return r.object(func(name []byte) error { return r.sourceMember(&b.source, name) })
	default:
		return r.dec.SkipValue()
	}
}

func (r *reader) sourceMember(s *source, name []byte) error {
	switch string(name) {
	case "type":
		return r.loose(&s.kind)
	case "media_type":
		return r.loose(&s.mime)
	case "data":
		return r.loose(&s.data)
	case "url":
		return r.loose(&s.url)
	case "file_id":
		return r.loose(&s.fileID)
	case "content":
		if k := r.dec.PeekKind(); k != '"' && k != '[' {
			return r.dec.SkipValue()
		}
		s.parts = nil
		return r.content(func(p llm.Part) { s.parts = append(s.parts, p) })
	default:
		return r.dec.SkipValue()
	}
}

// part turns a block into its part, now that its kind is known.
func (r *reader) part(b *block) (llm.Part, error) {
	var p llm.Part
	switch b.kind {
	case kindText:
		if !b.hasText {
			return nil, r.fail("text is missing")
		}
		if b.text == "" {
			return nil, nil //nolint:nilnil // an empty text is no part, and no error
		}
		p = &llm.Text{Text: b.text, Cache: b.cache}
	case kindImage, kindDocument:
		m, reason := b.media()
		if reason != "" {
			return nil, r.fail(reason)
		}
		if m == nil {
			return r.opaque(b), nil
		}
		p = m
	case kindSearch:
		p = b.searchResult()
	case kindThinking, kindRedacted:
		p = b.thought()
	case kindToolUse:
		if b.id == "" || b.name == "" {
			return nil, r.fail("a tool_use needs an id and a name")
		}
		p = &llm.ToolCall{ID: b.id, Name: b.name, Arguments: arguments(b.input), Cache: b.cache}
	case kindResult:
		if b.toolUseID == "" {
			return nil, r.fail("a tool_result needs a tool_use_id")
		}
		p = &llm.ToolResult{ID: b.toolUseID, Content: b.parts, Structured: b.structured, Failed: b.failed, Cache: b.cache}
	case "":
		return nil, r.fail("a block needs a type")
	default:
		return r.opaque(b), nil
	}
	for _, name := range b.unknown {
		r.unsaid("messages.content."+name, "no other format has it")
	}
	return p, nil
}

// opaque keeps a block that only the vendor knows: its server tools' calls and results,
// what it has compacted, and whatever it thinks of next.
func (r *reader) opaque(b *block) llm.Part {
	return &llm.Opaque{Origin: llm.Messages, Raw: bytes.Clone(r.since(b.start))}
}

func arguments(input []byte) string {
	if string(input) == "null" {
		return ""
	}
	return string(input)
}

func (b *block) thought() llm.Part {
	t := &llm.Thinking{Text: b.thinking, Signature: b.signature}
	if b.kind == kindRedacted {
		t.Text, t.Signature, t.Redacted = "", b.data, true
	}
	if t.Signature != "" {
		t.Signature, t.Origin = llm.Unmark(t.Signature, llm.Messages)
	}
	return t
}

// searchResult says what the client has found as the document that it is.
func (b *block) searchResult() llm.Part {
	name := b.title
	if name == "" {
		name = b.source.text
	}
	if b.source.text != "" {
		b.unknown = append(b.unknown, "source")
	}
	return &llm.Media{Kind: llm.File, MIME: plainText, Name: name, Text: textOf(b.parts), Cache: b.cache}
}

const plainText = "text/plain"

// media returns the image or document of a block; nil = one that only the vendor knows. The
// reason is set if there is none.
func (b *block) media() (m *llm.Media, reason string) {
	m = &llm.Media{Kind: llm.Image, MIME: b.source.mime, Cache: b.cache}
	if b.kind == kindDocument {
		m.Kind, m.Name = llm.File, b.title
	}
	s := b.source
	switch s.kind {
	case "base64":
		m.Data = s.data
	case "url":
		m.URL = s.url
		if mime, data, ok := dataURL(s.url); ok {
			m.MIME, m.Data, m.URL = mime, data, ""
		}
	case "file":
		m.FileID, m.Origin = s.fileID, llm.Messages
	case "text":
		m.MIME, m.Text = plainText, s.data
	case "content":
		for _, p := range s.parts {
			if _, ok := p.(*llm.Text); !ok {
				return nil, ""
			}
		}
		m.MIME, m.Text = plainText, textOf(s.parts)
	default:
		return nil, "a source needs a type that is known"
	}
	if m.Data == "" && m.URL == "" && m.FileID == "" && m.Text == "" {
		return nil, "the source is empty"
	}
	return m, ""
}

func textOf(parts []llm.Part) string {
	var texts []string
	for _, p := range parts {
		if t, ok := p.(*llm.Text); ok {
			texts = append(texts, t.Text)
		}
	}
	return strings.Join(texts, "\n")
}

// dataURL takes a data URL apart.
func dataURL(url string) (mime, data string, ok bool) {
	rest, ok := strings.CutPrefix(url, "data:")
	if !ok {
		return "", "", false
	}
	head, data, ok := strings.Cut(rest, ",")
	if !ok {
		return "", "", false
	}
	mime, encoded := strings.CutSuffix(head, ";base64")
	if !encoded {
		data = base64.StdEncoding.EncodeToString([]byte(data))
	}
	mime, _, _ = strings.Cut(mime, ";")
	return mime, data, true
}
