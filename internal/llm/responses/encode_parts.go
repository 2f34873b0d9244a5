package responses

import (
	"strings"

	"github.com/understudyhq/understudy/internal/llm"
)

// inputPart writes a text or a medium as the API takes it from anyone but the assistant.
func (e *encoder) inputPart(p llm.Part) error {
	switch p := p.(type) {
	case *llm.Text:
		e.inputText(p.Text)
		return nil
	case *llm.Media:
		return e.media(p)
	default:
		return unsupported("the content of a tool's result that only another format knows")
	}
}

func (e *encoder) inputText(text string) {
	e.open('{')
	e.plain("type", "input_text")
	e.text("text", text)
	e.close('}')
}

func (e *encoder) media(m *llm.Media) error {
	if m.FileID != "" && m.Origin != llm.Responses && m.Origin != llm.Chat { // both are one vendor's
		return unsupported(article(m.Kind) + " given by another vendor's file id")
	}
	if strings.HasPrefix(m.URL, "gs:") {
		return unsupported(article(m.Kind) + " in Google's storage")
	}
	switch m.Kind {
	case llm.Image:
		e.image(m)
	case llm.File:
		e.file(m)
	case llm.Audio:
		return e.audio(m)
	default:
		return unsupported(article(m.Kind))
	}
	return nil
}

// article is a kind of media in a sentence.
func article(k llm.MediaKind) string {
	switch k {
	case llm.Image:
		return "an image"
	case llm.Audio:
		return "a sound"
	case llm.Video:
		return "a film"
	default:
		return "a document"
	}
}

func (e *encoder) image(m *llm.Media) {
	e.lost.addIf(m.Name != "", lostMediaName)
	e.open('{')
	e.plain("type", "input_image")
	switch {
	case m.FileID != "":
		e.text("file_id", m.FileID)
	case m.URL != "":
		e.text("image_url", m.URL)
	default:
		e.dataURL("image_url", m, "image/png")
	}
	if m.Detail != "" {
		e.text("detail", m.Detail)
	}
	e.close('}')
}

func (e *encoder) file(m *llm.Media) {
	if m.Text != "" {
		e.lost.add(lostMediaText)
		text := m.Text
		if m.Name != "" {
			text = m.Name + ":\n" + text
		}
		e.inputText(text)
		return
	}
	e.open('{')
	e.plain("type", "input_file")
	if m.Name != "" {
		e.text("filename", m.Name)
	}
	switch {
	case m.FileID != "":
		e.text("file_id", m.FileID)
	case m.URL != "":
		e.text("file_url", m.URL)
	default:
		if m.Name == "" { // the vendor demands one, and tells the kind of file from it
			e.plain("filename", "document"+extension(m.MIME))
		}
		e.dataURL("file_data", m, "application/pdf")
	}
	if m.Detail == "low" || m.Detail == "high" || m.Detail == "auto" {
		e.text("detail", m.Detail)
	}
	e.close('}')
}

// extension is the end of a file's name.
func extension(mime string) string {
	switch mime {
	case "text/plain":
		return ".txt"
	case "text/markdown":
		return ".md"
	case "text/csv":
		return ".csv"
	case "text/html":
		return ".html"
	case "application/json":
		return ".json"
	default:
		return ".pdf"
	}
}

// dataURL writes a medium's data; usual is the type of data whose own is neither told nor
// to be seen.
func (e *encoder) dataURL(name string, m *llm.Media, usual string) {
	mime := m.MIME
	if mime == "" {
		mime = sniff(m.Data, usual)
	}
	e.text(name, "data:"+mime+";base64,"+m.Data)
}

// sniff tells what the first bytes of data, in base64, are the beginning of.
func sniff(data, usual string) string {
	for _, known := range [...]struct{ begin, mime string }{
		{"iVBORw0K", "image/png"},
		{"/9j/", "image/jpeg"},
		{"R0lGOD", "image/gif"},
		{"UklGR", "image/webp"},
		{"JVBERi", "application/pdf"},
	} {
		if strings.HasPrefix(data, known.begin) {
			return known.mime
		}
	}
	return usual
}

func (e *encoder) audio(m *llm.Media) error {
	e.lost.addIf(m.Name != "", lostMediaName)
	var format string
	switch m.MIME {
	case "audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave":
		format = "wav"
	case "audio/mpeg", "audio/mp3":
		format = "mp3"
	}
	if m.Data == "" || format == "" {
		return unsupported("a sound that is not given as the data of a WAV or MP3")
	}
	e.open('{')
	e.plain("type", "input_audio")
	e.name("input_audio")
	e.open('{')
	e.text("data", m.Data)
	e.plain("format", format)
	e.close('}')
	e.close('}')
	return nil
}
