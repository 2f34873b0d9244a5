package chat

import (
	"strings"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// contentEncoder writes a message up to and with its content, as parts come: a lone text
// as a string, which every upstream takes, more as an array. A message without parts is
// not written.
type contentEncoder struct {
	*requestEncoder
	role         llm.Role
	name, callID string

	count int
	only  string // the one text so far
}

// head begins the message, up to the value of its content.
func (c *contentEncoder) head() {
	c.Open('{')
	c.Text("role", string(c.role))
	if c.callID != "" {
		c.Text("tool_call_id", c.callID)
	}
	c.optional("name", c.name)
	c.Name("content")
}

// begin begins a part that is not a lone text.
func (c *contentEncoder) begin() {
	switch {
	case c.count == 0:
		c.head()
		c.Open('[')
	case c.count == 1 && c.only != "":
		c.head()
		c.Open('[')
		c.Open('{')
		c.textMembers(c.only)
	}
	c.only = ""
	c.count++
}

func (c *contentEncoder) text(text string) {
	if text == "" {
		return
	}
	if c.count == 0 {
		c.only = text
		c.count = 1
		return
	}
	c.begin()
	c.Open('{')
	c.textMembers(text)
}

func (c *contentEncoder) textMembers(text string) {
	c.raw(`"type":"text","text":`)
	c.str(text)
	c.Close('}')
}

// end ends the content, not the message. There must be at least one part.
func (c *contentEncoder) end() {
	if c.only != "" {
		c.head()
		c.str(c.only)
		return
	}
	c.Close(']')
}

// finish ends the message, if it has begun.
func (c *contentEncoder) finish() {
	if c.count > 0 {
		c.end()
		c.Close('}')
	}
}

// part writes a part of any kind but thoughts, calls and results.
func (c *contentEncoder) part(p llm.Part) {
	switch p := p.(type) {
	case *llm.Text:
		c.loseIf(p.Cache != nil, lostCache)
		c.text(p.Text)
	case *llm.Refusal:
		c.refusal(p.Text)
	case *llm.Opaque:
		if p.Origin != llm.Chat || len(p.Raw) == 0 {
			c.lose(lostOpaque)
			return
		}
		c.begin()
		c.Next()
		c.B = append(c.B, p.Raw...)
	case *llm.Media:
		c.loseIf(p.Cache != nil, lostCache)
		c.loseIf(p.Name != "" && p.Kind != llm.File, lostMediaName)
		c.media(p)
	}
}

// refusal says one as OpenAI does; for others it is a text like any other.
func (c *contentEncoder) refusal(text string) {
	if c.t.Compatible || c.role != llm.Assistant {
		c.text(text)
		return
	}
	if text == "" {
		return
	}
	c.begin()
	c.Open('{')
	c.raw(`"type":"refusal","refusal":`)
	c.str(text)
	c.Close('}')
}

// media writes an image, a sound, a film or a file. Models' and operators' messages hold
// none in this format.
func (c *contentEncoder) media(m *llm.Media) {
	if m.Kind == llm.File && m.Text != "" {
		if m.Name != "" {
			c.text(m.Name + "\n\n" + m.Text)
			return
		}
		c.text(m.Text)
		return
	}
	if c.role != llm.User && c.role != "tool" {
		c.refuse(described(m) + " in a message of the role " + string(c.role))
		return
	}
	switch m.Kind {
	case llm.Image:
		c.mediaURL(m, "image_url")
	case llm.Video:
		if !c.t.Compatible {
			c.refuse(described(m))
			return
		}
		c.mediaURL(m, "video_url")
	case llm.Audio:
		c.audio(m)
	default:
		c.file(m)
	}
}

func (c *contentEncoder) mediaURL(m *llm.Media, member string) {
	if m.FileID != "" || m.Data == "" && m.URL == "" {
		c.refuse(described(m))
		return
	}
	c.begin()
	c.Open('{')
	c.Text("type", member)
	c.Literal(member, `{"url":`)
	c.location(m)
	c.optional("detail", detailOf(m))
	c.raw("}}")
}

// detailOf returns how closely an image is to be looked at. "original" is a word of
// Responses; chat's closest is "high".
func detailOf(m *llm.Media) string {
	if m.Detail == "original" {
		return "high"
	}
	return m.Detail
}

// location writes a medium's URL, or its data as one.
func (c *contentEncoder) location(m *llm.Media) {
	if m.Data == "" {
		c.str(m.URL)
		return
	}
	c.B = appendDataURL(c.B, mimeOf(m), m.Data)
}

// appendDataURL appends a data URL as a JSON string.
func appendDataURL(dst []byte, kind, data string) []byte {
	if strings.IndexFunc(data, needsEscape) >= 0 { // no base64
		return wire.AppendString(dst, "data:"+kind+";base64,"+data)
	}
	dst = wire.AppendString(dst, "data:"+kind+";base64,")
	return append(append(dst[:len(dst)-1], data...), '"')
}

func needsEscape(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }

// mimeOf returns a medium's type, or a likely one if nobody told.
func mimeOf(m *llm.Media) string {
	switch {
	case m.MIME != "":
		return m.MIME
	case m.Kind == llm.Image:
		return "image/png"
	case m.Kind == llm.Video:
		return "video/mp4"
	default:
		return "application/pdf"
	}
}

func (c *contentEncoder) audio(m *llm.Media) {
	format := audioFormat(m.MIME)
	if m.Data == "" || format == "" && m.MIME != "" && !c.t.Compatible {
		c.refuse(described(m))
		return
	}
	if format == "" { // compatible upstreams may know more
		format = strings.TrimPrefix(m.MIME, "audio/")
	}
	c.begin()
	c.Open('{')
	c.raw(`"type":"input_audio","input_audio":{`)
	c.Text("data", m.Data)
	c.optional("format", format)
	c.raw("}}")
}

func (c *contentEncoder) file(m *llm.Media) {
	id := m.FileID
	// Uploads for OpenAI's two formats are the same; another upstream has only its own.
	if m.Origin != llm.Chat && (c.t.Compatible || m.Origin != llm.Responses) {
		id = ""
	}
	if m.Data == "" && id == "" {
		c.refuse(described(m))
		return
	}
	c.begin()
	c.Open('{')
	c.raw(`"type":"file","file":{`)
	c.optional("file_id", id)
	name := m.Name
	if m.Data != "" {
		c.Name("file_data")
		c.location(m)
		if name == "" { // is needed with data
			name = fileName(m.MIME)
		}
	}
	c.optional("filename", name)
	c.raw("}}")
}

// fileName names a file that came without a name. OpenAI's models read the type from it.
func fileName(kind string) string {
	switch kind {
	case "", "application/pdf":
		return "document.pdf"
	case "text/plain":
		return "document.txt"
	case "text/markdown":
		return "document.md"
	case "text/csv":
		return "document.csv"
	default:
		return "document"
	}
}

// described names a medium in an error.
func described(m *llm.Media) string {
	kind := "a file"
	switch m.Kind {
	case llm.Image:
		kind = "an image"
	case llm.Audio:
		kind = "a sound"
	case llm.Video:
		kind = "a film"
	case llm.File:
	}
	switch {
	case m.FileID != "":
		return kind + " given by its file id"
	case m.Data == "" && m.URL != "":
		return kind + " given by its URL"
	case m.MIME != "":
		return kind + " of the type " + m.MIME
	default:
		return kind
	}
}

// audioFormat returns chat's short name of a type of sound; empty = it has none.
func audioFormat(mime string) string {
	mime, _, _ = strings.Cut(mime, ";")
	switch mime {
	case "audio/mpeg", "audio/mp3":
		return "mp3"
	case "audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave":
		return "wav"
	default:
		return ""
	}
}
