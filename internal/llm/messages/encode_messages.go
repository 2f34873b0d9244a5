package messages

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

func (e *encoder) system(parts []llm.Part) error {
	begun := false
	for _, p := range parts {
		t, ok := p.(*llm.Text)
		if m, isMedia := p.(*llm.Media); isMedia {
			return unsupported("instructions with " + describe(m))
		}
		if !ok || blank(t.Text) {
			e.lost.note(lostOpaque, !ok)
			continue
		}
		if !begun {
			e.key("system")
			e.open('[')
			begun = true
		}
		e.textBlock(t)
	}
	if begun {
		e.close(']')
	}
	return nil
}

func (e *encoder) turns(turns []turn) error {
	e.key("messages")
	e.open('[')
	for i := range turns {
		t := &turns[i]
		e.element()
		role := "user"
		if t.assistant {
			role = "assistant"
		}
		e.text("role", role)
		e.key("content")
		e.open('[')
		for _, s := range t.said {
			if err := e.block(s); err != nil {
				return err
			}
		}
		e.close(']')
		e.close('}')
	}
	e.close(']')
	return nil
}

func (e *encoder) block(s said) error {
	switch p := s.part.(type) {
	case *llm.Text:
		e.textBlock(p)
	case *llm.Thinking:
		e.thought(p)
	case *llm.ToolCall:
		e.call(p, s.id)
	case *llm.ToolResult:
		return e.result(p, s.id)
	case *llm.Media:
		return e.media(p)
	case *llm.Opaque:
		e.opaque(p)
	}
	return nil
}

// begin begins a block.
func (e *encoder) begin(kind string) {
	e.element()
	e.text("type", kind)
}

func (e *encoder) textBlock(t *llm.Text) {
	e.begin(kindText)
	e.text("text", t.Text)
	e.cache(t.Cache)
	e.close('}')
}

func (e *encoder) thought(t *llm.Thinking) {
	if t.Redacted {
		e.begin(kindRedacted)
		e.text("data", t.Signature)
	} else {
		e.begin(kindThinking)
		e.text("thinking", t.Text)
		e.text("signature", t.Signature)
	}
	e.close('}')
}

func (e *encoder) call(c *llm.ToolCall, id string) {
	e.begin(kindToolUse)
	e.text("id", id)
	e.text("name", toolName(c.Name))
	e.key("input")
	switch {
	case c.Arguments == "":
		e.b = append(e.b, "{}"...)
	case wire.IsObject([]byte(c.Arguments)):
		e.b = append(e.b, c.Arguments...)
	default:
		e.lost.note(lostArguments, true)
		e.open('{')
		e.text(llm.CustomArgument, c.Arguments)
		e.close('}')
	}
	e.cache(c.Cache)
	e.close('}')
}

func (e *encoder) result(r *llm.ToolResult, id string) error {
	e.begin(kindResult)
	e.text("tool_use_id", id)
	if r.Failed {
		e.flag("is_error", true)
	}
	begun := false
	for _, p := range r.Content {
		if !e.inResult(p) {
			continue
		}
		if !begun {
			e.key("content")
			e.open('[')
			begun = true
		}
		if err := e.block(said{part: p}); err != nil {
			return err
		}
	}
	if begun {
		e.close(']')
	}
	e.cache(r.Cache)
	e.close('}')
	return nil
}

// inResult reports whether a part of a result is anything that can be said in one.
func (e *encoder) inResult(p llm.Part) bool {
	switch p := p.(type) {
	case *llm.Text:
		return !blank(p.Text)
	case *llm.Media:
		return true
	case *llm.Opaque:
		e.lost.note(lostOpaque, !own(p))
		return own(p)
	default:
		return false
	}
}

// own reports whether an opaque part is this format's.
func own(o *llm.Opaque) bool { return o.Origin == llm.Messages && wire.IsObject(o.Raw) }

func (e *encoder) opaque(o *llm.Opaque) {
	e.comma()
	e.b = append(e.b, o.Raw...)
}

// media writes an image or a document. The vendor takes no sounds and films, and of the
// documents PDF and plain text.
func (e *encoder) media(m *llm.Media) error {
	e.lost.note(lostMediaDetail, m.Detail != "")
	switch {
	case m.FileID != "" && m.Origin != llm.Messages, strings.HasPrefix(m.URL, "gs:"):
		return unsupported(describe(m))
	case m.Kind == llm.Image:
		e.lost.note(lostMediaName, m.Name != "")
		return e.image(m)
	case m.Kind == llm.File:
		return e.document(m)
	default:
		return unsupported(describe(m))
	}
}

func (e *encoder) image(m *llm.Media) error {
	mime := m.MIME
	if m.Data != "" && mime == "" {
		mime = sniff(m.Data)
	}
	if m.Data != "" && !strings.HasPrefix(mime, "image/") || m.Data == "" && m.URL == "" && m.FileID == "" {
		return unsupported(describe(m))
	}
	if mime == "image/jpg" {
		mime = "image/jpeg"
	}
	e.begin(kindImage)
	e.source(m, mime)
	e.cache(m.Cache)
	e.close('}')
	return nil
}

func (e *encoder) source(m *llm.Media, mime string) {
	e.key("source")
	e.open('{')
	switch {
	case m.Data != "":
		e.text("type", "base64")
		e.text("media_type", mime)
		e.text("data", m.Data)
	case m.URL != "":
		e.text("type", "url")
		e.text("url", m.URL)
	default:
		e.text("type", "file")
		e.text("file_id", m.FileID)
	}
	e.close('}')
}

const pdf = "application/pdf"

func (e *encoder) document(m *llm.Media) error {
	text, isText := m.Text, m.Text != ""
	mime := m.MIME
	if m.Data != "" {
		if mime == "" || mime == "application/octet-stream" {
			mime = sniff(m.Data)
		}
		if mime != pdf {
			if text, isText = decoded(m.Data, mime); !isText {
				return unsupported(describe(m))
			}
		}
	} else if !isText && m.URL == "" && m.FileID == "" {
		return unsupported(describe(m))
	}
	e.begin(kindDocument)
	if isText {
		e.key("source")
		e.open('{')
		e.text("type", "text")
		e.text("media_type", plainText)
		e.text("data", text)
		e.close('}')
	} else {
		e.source(m, pdf)
	}
	if m.Name != "" {
		e.text("title", m.Name)
	}
	e.cache(m.Cache)
	e.close('}')
	return nil
}

// decoded returns a document's text if it is one.
func decoded(data, mime string) (string, bool) {
	mime, _, _ = strings.Cut(mime, ";")
	if !strings.HasPrefix(mime, "text/") && mime != "application/json" && mime != "application/xml" {
		return "", false
	}
	text, err := base64.StdEncoding.DecodeString(data)
	if err != nil || !utf8.Valid(text) || len(text) == 0 {
		return "", false
	}
	return string(text), true
}

// sniff tells the type of what nobody has named by how it begins; empty = unknown.
func sniff(data string) string {
	for _, known := range [...]struct{ begins, mime string }{
		{"iVBORw0KGgo", "image/png"},
		{"/9j/", "image/jpeg"},
		{"R0lGOD", "image/gif"},
		{"UklGR", "image/webp"},
		{"JVBERi0", pdf},
	} {
		if strings.HasPrefix(data, known.begins) {
			return known.mime
		}
	}
	return ""
}

// describe names a medium for the client that sent it.
func describe(m *llm.Media) string {
	what := map[llm.MediaKind]string{
		llm.Image: "an image", llm.Audio: "a sound", llm.Video: "a film", llm.File: "a document",
	}[m.Kind]
	if what == "" {
		what = "a medium"
	}
	switch {
	case m.FileID != "":
		return what + " given by its file id"
	case strings.HasPrefix(m.URL, "gs:"):
		return what + " in Google's storage"
	case m.MIME != "":
		return what + " of type " + m.MIME
	default:
		return what + " of an unknown type"
	}
}
