package responses

import (
	"strings"

	"github.com/understudyhq/understudy/internal/llm"
	"github.com/understudyhq/understudy/internal/llm/wire"
)

// inputPart writes a text or a medium as the API takes it from anyone but the assistant.
func (e *encoder) inputPart(p llm.Part) error {
	switch p := p.(type) {
	case *llm.Text:
		e.inputText(p.Text)
	case *llm.Media:
		return e.media(p)
	}
	return nil
}

func (e *encoder) inputText(text string) {
	e.Open('{')
	e.Plain("type", "input_text")
	e.Text("text", text)
	e.Close('}')
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
	e.Open('{')
	e.Plain("type", "input_image")
	switch {
	case m.FileID != "":
		e.Text("file_id", m.FileID)
	case m.URL != "":
		e.Text("image_url", m.URL)
	default:
		e.dataURL("image_url", m, "image/png")
	}
	if m.Detail != "" {
		e.Text("detail", m.Detail)
	}
	e.Close('}')
}

// pictureItem writes an image that the assistant has made.
func pictureItem(w *wire.Writer, m *llm.Media) {
	w.Open('{')
	w.Plain("type", "image_generation_call")
	w.Plain("id", llm.NewID("ig_", m.Data))
	w.Plain("status", completed)
	w.Text("result", m.Data)
	w.Plain("output_format", pictureFormat(m.MIME))
	w.Close('}')
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
	e.Open('{')
	e.Plain("type", "input_file")
	if m.Name != "" {
		e.Text("filename", m.Name)
	}
	switch {
	case m.FileID != "":
		e.Text("file_id", m.FileID)
	case m.URL != "":
		e.Text("file_url", m.URL)
	default:
		if m.Name == "" { // the vendor demands one, and tells the kind of file from it
			e.Plain("filename", "document"+extension(m.MIME))
		}
		e.dataURL("file_data", m, "application/pdf")
	}
	if m.Detail == "low" || m.Detail == "high" || m.Detail == "auto" {
		e.Text("detail", m.Detail)
	}
	e.Close('}')
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
		mime = wire.Sniff(m.Data, usual)
	}
	e.Text(name, "data:"+mime+";base64,"+m.Data)
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
	e.Open('{')
	e.Plain("type", "input_audio")
	e.Name("input_audio")
	e.Open('{')
	e.Text("data", m.Data)
	e.Plain("format", format)
	e.Close('}')
	e.Close('}')
	return nil
}
