package responses

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// content is a text, or parts.
type content struct {
	text  wire.Span
	parts []part
	odd   bool // neither: only items of types that are not known have such
}

func (c *content) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case '[':
		c.parts = c.parts[:0]
		return wire.Elements(dec, func(i int) error {
			c.parts = append(c.parts, part{})
			return json.UnmarshalDecode(dec, &c.parts[i])
		})
	case '"', 'n':
		return c.text.UnmarshalJSONFrom(dec)
	default:
		c.odd = true
		return dec.SkipValue()
	}
}

// joined returns the texts of a summary or of reasoning as one.
func (d *decoder) joined(c *content) string {
	if len(c.parts) == 0 {
		return d.texts.At(c.text)
	}
	if len(c.parts) == 1 {
		return d.texts.At(c.parts[0].Text.Span)
	}
	texts := make([]string, 0, len(c.parts))
	for i := range c.parts {
		if text := d.texts.At(c.parts[i].Text.Span); text != "" {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, paragraphs)
}

// paragraphs parts the summaries of one reasoning item when they become one text.
const paragraphs = "\n\n"

// part is a piece of content of any type; which members count depends on it.
type part struct {
	Type     string        `json:"type"`
	Text     wire.TextSpan `json:"text"`
	Refusal  wire.TextSpan `json:"refusal"`
	ImageURL imageURL      `json:"image_url"`
	Detail   string        `json:"detail"`
	FileID   string        `json:"file_id"`
	FileData string        `json:"file_data"`
	FileURL  string        `json:"file_url"`
	Filename string        `json:"filename"`
	Audio    struct {
		Data   string `json:"data"`
		Format string `json:"format"`
	} `json:"input_audio"`
	Breakpoint *struct {
		TTL string `json:"ttl"`
	} `json:"prompt_cache_breakpoint"`

	from, to int64 // where it lies in the body
}

func (p *part) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain part
	p.from = dec.InputOffset()
	err := json.UnmarshalDecode(dec, (*plain)(p))
	p.to = dec.InputOffset()
	return err
}

// imageURL is a string, or an object with it, as in the chat format.
type imageURL string

func (u *imageURL) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '{' {
		return json.UnmarshalDecode(dec, (*string)(u))
	}
	var object struct {
		URL string `json:"url"`
	}
	err := json.UnmarshalDecode(dec, &object)
	*u = imageURL(object.URL)
	return err
}

// content makes the parts of a message or of what a tool brought.
func (d *decoder) content(c *content, path string, role llm.Role) ([]llm.Part, error) {
	if c.odd {
		return nil, &llm.DecodeError{Path: path, Reason: "neither a string nor an array"}
	}
	if text := d.texts.At(c.text); text != "" {
		return []llm.Part{&llm.Text{Text: text}}, nil
	}
	parts := make([]llm.Part, 0, len(c.parts))
	for i := range c.parts {
		p := &c.parts[i]
		made, err := d.part(p, at(path, i))
		if err != nil {
			return nil, err
		}
		if made == nil {
			made = &llm.Opaque{
				Origin: llm.Responses, Raw: d.rawPart(p, path, role),
				Needed: "content of the type " + llm.SafeID(p.Type, maxNameBytes),
			}
		}
		parts = append(parts, made)
	}
	return parts, nil
}

// rawPart is a part of a type that is not known: in a tool's output as it is, in a message
// as a message of its own, so that an Opaque of a message is always an item.
func (d *decoder) rawPart(p *part, path string, role llm.Role) []byte {
	raw := d.raw(p.from, p.to)
	if strings.HasSuffix(path, ".output") {
		return raw
	}
	whole := append([]byte(`{"type":"message","role":"`+string(role)+`","content":[`), raw...)
	return append(whole, "]}"...)
}

// part makes one part; nil = its type is not known.
func (d *decoder) part(p *part, path string) (llm.Part, error) {
	switch p.Type {
	case "input_text", "output_text", "text":
		return &llm.Text{Text: d.texts.At(p.Text.Span), Cache: p.cache()}, nil
	case "refusal":
		return &llm.Refusal{Text: d.texts.At(p.Refusal.Span)}, nil
	case "input_image":
		if p.ImageURL == "" && p.FileID == "" {
			return nil, &llm.DecodeError{Path: path, Reason: "an image without image_url and file_id"}
		}
		return p.image(), nil
	case "input_file":
		return p.file(path)
	case "input_audio":
		if p.Audio.Data == "" {
			return nil, &llm.DecodeError{Path: path + ".input_audio.data", Reason: "missing"}
		}
		m := &llm.Media{Kind: llm.Audio, Data: p.Audio.Data, Cache: p.cache()}
		switch p.Audio.Format {
		case "":
		case "mp3":
			m.MIME = "audio/mpeg"
		default:
			m.MIME = "audio/" + p.Audio.Format
		}
		return m, nil
	case "":
		return nil, &llm.DecodeError{Path: path + ".type", Reason: "missing"}
	default:
		return nil, nil
	}
}

// cache is the marker of a part. Anthropic's times are the canonical ones: a marker is kept
// at least as long as it was asked to.
func (p *part) cache() *llm.Cache {
	switch {
	case p.Breakpoint == nil:
		return nil
	case p.Breakpoint.TTL == "":
		return &llm.Cache{}
	default: // 30m, 12h
		return &llm.Cache{TTL: "1h"}
	}
}

func (p *part) image() *llm.Media {
	m := &llm.Media{Kind: llm.Image, Detail: p.Detail, Cache: p.cache()}
	if p.ImageURL == "" {
		m.FileID, m.Origin = p.FileID, llm.Responses
		return m
	}
	if mime, data, ok := wire.DataURL(string(p.ImageURL)); ok {
		m.MIME, m.Data = mime, data
	} else {
		m.URL = string(p.ImageURL)
	}
	return m
}

func (p *part) file(path string) (*llm.Media, error) {
	m := &llm.Media{Kind: llm.File, Name: p.Filename, Detail: p.Detail, Cache: p.cache()}
	switch {
	case p.FileData != "":
		var ok bool
		if m.MIME, m.Data, ok = wire.DataURL(p.FileData); !ok {
			m.Data = p.FileData
		}
	case p.FileURL != "":
		m.URL = p.FileURL
	case p.FileID != "":
		m.FileID, m.Origin = p.FileID, llm.Responses
	default:
		return nil, &llm.DecodeError{Path: path, Reason: "a file without file_data, file_url and file_id"}
	}
	return m, nil
}
