package sse

// Append appends one event to dst. An empty name is left out; a name must not hold a line
// end. Data of several lines, ended by LF, CRLF or CR, becomes several data lines, so
// readers see each of those ends as LF.
func Append(dst []byte, name string, data []byte) []byte {
	if name != "" {
		dst = append(dst, "event: "...)
		dst = append(dst, name...)
		dst = append(dst, '\n')
	}
	lines := splitLines(data)
	for line, ok := lines.next(); ok; line, ok = lines.next() {
		dst = appendData(dst, line)
	}
	dst = appendData(dst, lines.rest())
	return append(dst, '\n')
}

func appendData(dst, line []byte) []byte {
	dst = append(dst, "data: "...)
	dst = append(dst, line...)
	return append(dst, '\n')
}
