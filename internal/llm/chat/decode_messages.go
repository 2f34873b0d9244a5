package chat

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// conversation decodes messages one by one as they are read, so that no more than one of
// them is held in the words of the format.
type conversation struct {
	d   *requestDecoder
	err error // what is wrong with a message that is well-formed JSON
}

func (c *conversation) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	c.d.out.Messages, c.err = nil, nil
	if dec.PeekKind() != '[' { // null, or wrong
		return json.UnmarshalDecode(dec, &[]message{})
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	var m message
	for i := 0; dec.PeekKind() != ']'; i++ {
		m = message{Content: content{parts: m.Content.parts[:0]}, ToolCalls: m.ToolCalls[:0]}
		if err := json.UnmarshalDecode(dec, &m); err != nil {
			return err
		}
		if c.err = c.d.message(i, &m); c.err != nil {
			return c.err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// message decodes one. Results of tools that follow each other are one User message, as
// they are one turn.
func (d *requestDecoder) message(i int, m *message) error {
	d.unsaid("messages["+strconv.Itoa(i)+"].", m.Rest)
	isResult := m.Role == "tool" || m.Role == "function"
	next := llm.Message{Role: llm.Role(m.Role), Name: m.Name}
	var err error
	switch m.Role {
	case "system", "developer", "user":
		next.Parts, err = d.content(i, m, nil)
	case "assistant":
		next.Parts, err = d.assistant(i, m)
		if m.FunctionCall != nil {
			d.function = functionID(i, m.FunctionCall.Name)
		}
	case "tool", "function":
		if m.Role == "function" {
			m.ToolCallID = d.function
		}
		next.Role, next.Name = llm.User, ""
		next.Parts, err = d.result(i, m)
	default:
		err = &llm.DecodeError{Path: fmt.Sprintf("messages[%d].role", i), Reason: "an unknown role: " + quoted(m.Role)}
	}
	if err != nil {
		return err
	}
	if isResult && d.results {
		last := &d.out.Messages[len(d.out.Messages)-1]
		last.Parts = append(last.Parts, next.Parts...)
		return nil
	}
	d.results = isResult
	if !isResult {
		markLast(next.Parts, m.CacheControl)
	}
	d.out.Messages = append(d.out.Messages, next)
	return nil
}

// functionID is the id of a call in the old form, which has none.
func functionID(i int, name string) string { return llm.NewID("call_", strconv.Itoa(i), name) }

// content appends the parts of message i's content.
func (d *requestDecoder) content(i int, m *message, parts []llm.Part) ([]llm.Part, error) {
	c := &m.Content
	if c.text != "" {
		return append(parts, &llm.Text{Text: string(c.text)}), nil
	}
	if parts == nil && len(c.parts) > 0 {
		parts = make([]llm.Part, 0, len(c.parts))
	}
	for j := range c.parts {
		p, reason := d.part(&c.parts[j])
		if reason != "" {
			return nil, &llm.DecodeError{Path: fmt.Sprintf("messages[%d].content[%d]", i, j), Reason: reason}
		}
		if o, ok := p.(*llm.Opaque); ok && (m.Role == "user" || m.Role == "tool") {
			o.Needed = "a part of the type " + quoted(c.parts[j].Type)
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// part decodes one; reason says what is wrong with it, if something is.
func (d *requestDecoder) part(p *part) (result llm.Part, reason string) {
	var media *llm.Media
	switch p.Type {
	case "text":
		return &llm.Text{Text: string(p.Text), Cache: p.CacheControl.cache()}, ""
	case "refusal":
		return &llm.Refusal{Text: p.Refusal}, ""
	case "image_url":
		if p.ImageURL.URL == "" {
			return nil, "image_url.url is needed"
		}
		media = mediaOf(llm.Image, p.ImageURL.URL)
		media.Detail = p.ImageURL.Detail
	case "video_url":
		if p.VideoURL.URL == "" {
			return nil, "video_url.url is needed"
		}
		media = mediaOf(llm.Video, p.VideoURL.URL)
	case "input_audio":
		if p.InputAudio == nil || p.InputAudio.Data == "" {
			return nil, "input_audio.data is needed"
		}
		media = &llm.Media{Kind: llm.Audio, MIME: mimeOfAudio(p.InputAudio.Format), Data: p.InputAudio.Data}
	case "file":
		if media = fileOf(p); media == nil {
			return nil, "file.file_data or file.file_id is needed"
		}
	case "":
		return nil, "the type of a part is needed"
	default:
		return &llm.Opaque{Origin: llm.Chat, Raw: p.span.of(d.body)}, ""
	}
	media.Cache = p.CacheControl.cache()
	return media, ""
}

func fileOf(p *part) *llm.Media {
	f := p.File
	var media *llm.Media
	switch {
	case f == nil:
		return nil
	case f.FileID != "":
		media = &llm.Media{Kind: llm.File, FileID: f.FileID, Origin: llm.Chat}
	case f.FileData == "":
		return nil
	case strings.HasPrefix(f.FileData, "data:"), strings.HasPrefix(f.FileData, "http"):
		media = mediaOf(llm.File, f.FileData)
	default: // the bare data
		media = &llm.Media{Kind: llm.File, Data: f.FileData}
	}
	media.Name = f.Filename
	return media
}

// mimeOfAudio returns the type of what chat calls by a short name.
func mimeOfAudio(format string) string {
	switch format {
	case "":
		return ""
	case "mp3":
		return "audio/mpeg"
	default:
		return "audio/" + format
	}
}

// assistant decodes what a model has said: thoughts before words, words before calls, as it
// is in the format's own answers.
func (d *requestDecoder) assistant(i int, m *message) ([]llm.Part, error) {
	var parts []llm.Part
	thoughts := m.ReasoningContent
	if thoughts == "" {
		thoughts = m.Reasoning
	}
	if thoughts != "" {
		parts = append(parts, &llm.Thinking{Text: string(thoughts)})
	}
	parts, err := d.content(i, m, parts)
	if err != nil {
		return nil, err
	}
	if m.Refusal != "" {
		parts = append(parts, &llm.Refusal{Text: m.Refusal})
	}
	if m.Audio != nil && m.Audio.ID != "" {
		parts = append(parts, &llm.Media{Kind: llm.Audio, FileID: m.Audio.ID, Origin: llm.Chat})
	}
	for j := range m.ToolCalls {
		if parts, err = d.call(i, j, &m.ToolCalls[j], parts); err != nil {
			return nil, err
		}
	}
	if f := m.FunctionCall; f != nil {
		parts = append(parts, &llm.ToolCall{ID: functionID(i, f.Name), Name: f.Name, Arguments: string(f.Arguments)})
	}
	return parts, nil
}

func (d *requestDecoder) call(i, j int, in *toolCall, parts []llm.Part) ([]llm.Part, error) {
	call := &llm.ToolCall{ID: in.ID}
	switch {
	case in.Custom != nil:
		call.Name, call.Arguments = in.Custom.Name, wire.WrapInput(in.Custom.Input)
	case in.Function != nil:
		call.Name, call.Arguments = in.Function.Name, string(in.Function.Arguments)
	}
	if call.Name == "" {
		return nil, &llm.DecodeError{Path: fmt.Sprintf("messages[%d].tool_calls[%d]", i, j), Reason: "a call needs the name of a tool"}
	}
	if call.ID == "" {
		call.ID = llm.NewID("call_", strconv.Itoa(i), strconv.Itoa(j), call.Name)
	}
	if t := in.ExtraContent.thinking(llm.Gemini); t != nil {
		parts = append(parts, t)
	}
	return append(parts, call), nil
}

// thinking returns the signature that a call carries, if it does. An unmarked one in
// Google's member belongs to google.
func (x *extraContent) thinking(google llm.Format) *llm.Thinking {
	switch {
	case x.Understudy.Signature != "":
		signature, origin := llm.Unmark(x.Understudy.Signature, llm.Chat)
		return &llm.Thinking{Signature: signature, Origin: origin, Redacted: x.Understudy.Redacted}
	case x.Google.ThoughtSignature != "":
		return &llm.Thinking{Signature: x.Google.ThoughtSignature, Origin: google}
	default:
		return nil
	}
}

func (d *requestDecoder) result(i int, m *message) ([]llm.Part, error) {
	if m.ToolCallID == "" {
		return nil, &llm.DecodeError{Path: fmt.Sprintf("messages[%d].tool_call_id", i), Reason: "the call that this is the result of is needed"}
	}
	parts, err := d.content(i, m, nil)
	if err != nil {
		return nil, err
	}
	return []llm.Part{&llm.ToolResult{ID: m.ToolCallID, Name: m.Name, Content: parts, Cache: m.CacheControl.cache()}}, nil
}

// markLast puts a message's own marker on its last part that can have one and has none.
func markLast(parts []llm.Part, c *cacheControl) {
	if c == nil {
		return
	}
	for i := len(parts) - 1; i >= 0; i-- {
		var cache **llm.Cache
		switch p := parts[i].(type) {
		case *llm.Text:
			cache = &p.Cache
		case *llm.Media:
			cache = &p.Cache
		case *llm.ToolCall:
			cache = &p.Cache
		default:
			continue
		}
		if *cache == nil {
			*cache = c.cache()
		}
		return
	}
}
