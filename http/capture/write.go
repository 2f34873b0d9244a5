package capture

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// write writes the whole file: what is known of the request, then what came and what went.
func (e *Exchange) write(to io.Writer, report Report) error {
	w := bufio.NewWriter(to)
	hidden := e.secrets().writer(w)
	line := func(key, value string) { fmt.Fprintf(hidden, "%s: %s\n", key, oneLine(value)) }
	line("at", report.At.UTC().Format(time.RFC3339Nano))
	for _, fact := range report.Facts {
		line(fact.Key, fact.Value.String())
	}
	for i, try := range report.Tries {
		line("attempt "+strconv.Itoa(i+1), try)
	}
	r := e.request
	fmt.Fprintf(hidden, "\n=== request\n%s %s\n", r.Method, oneLine(maskedTarget(r.URL)))
	writeHeader(hidden, r.Header)
	if err := e.writeRequest(hidden); err != nil {
		return err
	}
	fmt.Fprintf(hidden, "\n=== answer\n%d %s\n", report.Status, http.StatusText(report.Status))
	writeHeader(hidden, report.Header)
	body, held, whole := e.answered(report)
	if err := e.writeBody(hidden, body, held, whole); err != nil {
		return err
	}
	if err := hidden.Close(); err != nil {
		return err
	}
	return w.Flush()
}

func (e *Exchange) writeRequest(w io.Writer) error {
	if isMultipart(e.request.Header) {
		_, err := io.WriteString(w, "\n(multipart bodies are not captured)\n")
		return err
	}
	if e.body == nil {
		return nil
	}
	whole := int64(len(e.body.Bytes))
	held := min(whole, e.settings.MaxBodyBytes)
	return e.writeBody(w, bytes.NewReader(e.body.Bytes[:held]), held, whole)
}

// writeBody writes held bytes of a body that was whole bytes long.
func (e *Exchange) writeBody(w io.Writer, body io.Reader, held, whole int64) error {
	if whole == 0 {
		return nil
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	into := w
	if e.settings.MaskContents {
		m := newMasker(w)
		into = m
		defer m.end()
	}
	if _, err := io.Copy(into, body); err != nil {
		return err
	}
	if held == whole {
		_, err := io.WriteString(w, "\n")
		return err
	}
	_, err := fmt.Fprintf(w, "\n(%d of %d bytes)\n", held, whole)
	return err
}

func isMultipart(h http.Header) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(h.Get("Content-Type"))), "multipart/")
}

// writeHeader writes headers in the order of their names, secret ones masked.
func writeHeader(w io.Writer, h http.Header) {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range h[name] {
			if isSecretName(name) {
				value = mask
			}
			fmt.Fprintf(w, "%s: %s\n", oneLine(name), oneLine(value))
		}
	}
}

// oneLine returns text without what could be taken for the file's own lines.
func oneLine(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) < 0 {
		return text
	}
	return strconv.Quote(text)
}
