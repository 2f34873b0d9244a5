package wire

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// DataURL takes a data URL apart; ok is false if s is none. data is base64, whatever it was
// in the URL. The results share memory with s.
func DataURL(s string) (mime, data string, ok bool) {
	rest, ok := strings.CutPrefix(s, "data:")
	if !ok {
		return "", "", false
	}
	head, data, ok := strings.Cut(rest, ",")
	if !ok || data == "" {
		return "", "", false
	}
	mime, _, _ = strings.Cut(head, ";")
	if strings.HasSuffix(head, ";base64") {
		return mime, data, true
	}
	plain, err := url.PathUnescape(data)
	if err != nil {
		return "", "", false
	}
	return mime, base64.StdEncoding.EncodeToString([]byte(plain)), true
}

// Sniff tells the type of data, in base64, from its first bytes; usual if they tell nothing.
func Sniff(data, usual string) string {
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
