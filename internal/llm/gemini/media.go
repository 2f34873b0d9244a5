package gemini

import (
	"encoding/base64"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/understudyhq/understudy/internal/llm"
)

// filesHost serves what was uploaded to the Gemini API.
const filesHost = "https://generativelanguage.googleapis.com/"

// appendMediaOf appends the media that a part holds, if there is anything in it.
func appendMediaOf(parts []llm.Part, p *part) []llm.Part {
	switch {
	case p.InlineData != nil && p.InlineData.Data != "":
		return append(parts, p.InlineData.media())
	case p.FileData != nil && p.FileData.FileURI != "":
		return append(parts, p.FileData.media())
	default:
		return parts
	}
}

// media returns plain text as such: other vendors take no data of that type.
func (b *blob) media() *llm.Media {
	m := &llm.Media{Kind: kindOf(b.MIMEType), MIME: b.MIMEType, Name: b.DisplayName}
	m.Data = standardBase64(string(b.Data))
	if mediaType(b.MIMEType) != "text/plain" {
		return m
	}
	said, err := base64.StdEncoding.DecodeString(m.Data)
	if err == nil && len(said) > 0 && utf8.Valid(said) {
		m.Data, m.Text = "", string(said)
	}
	return m
}

func (f *fileData) media() *llm.Media {
	if mimeType, data, ok := dataURL(f.FileURI); ok {
		b := blob{MIMEType: mimeType, Data: words(data), DisplayName: f.DisplayName}
		return b.media()
	}
	m := &llm.Media{Kind: kindOf(f.MIMEType), MIME: f.MIMEType, Name: f.DisplayName}
	if strings.HasPrefix(f.FileURI, filesHost) || !strings.Contains(f.FileURI, "://") {
		m.FileID, m.Origin = f.FileURI, llm.Gemini
		return m
	}
	m.URL = f.FileURI
	return m
}

// dataURL takes an address with base64 data in it apart.
func dataURL(address string) (mimeType, data string, ok bool) {
	rest, ok := strings.CutPrefix(address, "data:")
	if !ok {
		return "", "", false
	}
	head, data, ok := strings.Cut(rest, ",")
	mimeType, encoded := strings.CutSuffix(head, ";base64")
	return mimeType, data, ok && encoded && data != ""
}

func mediaType(mimeType string) string {
	before, _, _ := strings.Cut(mimeType, ";")
	return strings.ToLower(strings.TrimSpace(before))
}

func kindOf(mimeType string) llm.MediaKind {
	top, _, _ := strings.Cut(mediaType(mimeType), "/")
	switch top {
	case "image":
		return llm.Image
	case "audio":
		return llm.Audio
	case "video":
		return llm.Video
	default:
		return llm.File
	}
}

// appendMedia appends the member of a part that holds m. Google fetches files from public
// and signed URLs itself (ai.google.dev/gemini-api/docs/file-input-methods).
func (w *writer) appendMedia(m *llm.Media) error {
	switch {
	case m.Data != "":
		w.inline(mimeOf(m), m.Data)
	case m.Text != "":
		w.inline("text/plain", base64.StdEncoding.EncodeToString([]byte(m.Text)))
	case m.FileID != "" && m.Origin == llm.Gemini:
		w.file(m.MIME, m.FileID)
	case m.FileID != "":
		return unsupported(article(m.Kind) + " given by its file id")
	case fetched(m.URL):
		w.file(mimeOf(m), m.URL)
	default:
		return unsupported(article(m.Kind) + " given by an address that is not http, https or gs")
	}
	return nil
}

func (w *writer) inline(mimeType, data string) {
	w.member(`"inlineData":`)
	w.raw("{")
	w.str(`"mimeType":`, mimeType)
	w.str(`"data":`, data)
	w.raw("}")
}

func (w *writer) file(mimeType, uri string) {
	w.member(`"fileData":`)
	w.raw("{")
	if mimeType != "" {
		w.str(`"mimeType":`, mimeType)
	}
	w.str(`"fileUri":`, uri)
	w.raw("}")
}

func fetched(address string) bool {
	scheme, _, _ := strings.Cut(address, "://")
	switch strings.ToLower(scheme) {
	case "http", "https", "gs":
		return len(scheme) < len(address)
	default:
		return false
	}
}

// mimeOf returns the type of a media, which Google wants to be told: by the first bytes or
// by the address if need be; empty = unknown.
func mimeOf(m *llm.Media) string {
	if m.MIME != "" {
		return m.MIME
	}
	if m.Data == "" {
		u, err := url.Parse(m.URL)
		if err != nil {
			return ""
		}
		return mediaType(mime.TypeByExtension(path.Ext(u.Path)))
	}
	const sniffed = 684 // 512 bytes, encoded
	head := standardBase64(m.Data[:min(len(m.Data), sniffed)])
	b, _ := base64.StdEncoding.DecodeString(head) // what is decodable will do
	return mediaType(http.DetectContentType(b))
}

func article(k llm.MediaKind) string {
	switch k {
	case llm.Image:
		return "an image"
	case llm.Audio:
		return "a sound"
	case llm.Video:
		return "a video"
	default:
		return "a file"
	}
}

func unsupported(what string) error {
	return &llm.UnsupportedError{Format: llm.Gemini, What: what}
}
