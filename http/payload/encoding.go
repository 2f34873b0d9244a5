package payload

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// maxZstdWindow bounds the memory that a zstd frame may ask for. RFC 8878 recommends that
// decoders accept this much.
const maxZstdWindow = 8 << 20

// ErrUnknownEncoding means that a body has a content coding which the gateway cannot undo.
var ErrUnknownEncoding = errors.New("unknown content encoding")

// IsEncoded reports whether h says that the body is compressed.
func IsEncoded(h http.Header) bool {
	for _, value := range h["Content-Encoding"] {
		for coding := range strings.SplitSeq(value, ",") {
			if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
				return true
			}
		}
	}
	return false
}

// maxCodings bounds the decoders of one body: each takes memory before it has read a byte.
const maxCodings = 4

// Decode undoes the content codings named in h: gzip, deflate, br and zstd, also several.
// How much may come out is for the reader to bound. done frees the decoders, not body.
func Decode(body io.Reader, h http.Header) (r io.Reader, done func(), err error) {
	codings := strings.Split(strings.ToLower(strings.Join(h["Content-Encoding"], ",")), ",")
	if len(codings) > maxCodings {
		return nil, nil, fmt.Errorf("%w: %d codings", ErrUnknownEncoding, len(codings))
	}
	r = body
	closers := make([]func(), 0, 1)
	done = func() {
		for _, c := range closers {
			c()
		}
	}
	for i := len(codings) - 1; i >= 0; i-- { // the last one was applied last
		switch coding := strings.TrimSpace(codings[i]); coding {
		case "", "identity":
		case "gzip", "x-gzip":
			r, err = gzip.NewReader(r)
		case "deflate":
			r, err = inflate(r)
		case "br":
			r = brotli.NewReader(r)
		case "zstd":
			var d *zstd.Decoder
			d, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
				zstd.WithDecoderMaxWindow(maxZstdWindow))
			if err == nil {
				closers = append(closers, d.Close)
				r = d
			}
		default:
			err = fmt.Errorf("%w %q", ErrUnknownEncoding, coding)
		}
		if err != nil {
			done()
			return nil, nil, err
		}
	}
	return r, done, nil
}

// inflate reads what is called deflate: zlib by the standard, but some send it bare.
func inflate(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	head, err := b.Peek(2)
	if err != nil {
		return nil, fmt.Errorf("read deflate header: %w", err)
	}
	if isZlib := head[0]&0x0f == 8 && (uint(head[0])<<8|uint(head[1]))%31 == 0; isZlib {
		return zlib.NewReader(b)
	}
	return flate.NewReader(b), nil
}
