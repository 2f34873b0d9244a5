package sse

// extendStep is how much is moved at once. While memory is moved the whole program may have to
// wait for it: a garbage collection that begins waits until every goroutine can be stopped.
const extendStep = 256 << 10

// Extend appends piece to dst, as append does, for what may grow to many megabytes in small
// pieces: room is doubled, and what is there moves to it in steps.
func Extend(dst, piece []byte) []byte {
	if need := len(dst) + len(piece); need > cap(dst) && need > extendStep {
		larger := make([]byte, 0, max(need, 2*cap(dst)))
		for rest := dst; len(rest) > 0; {
			n := min(len(rest), extendStep)
			larger, rest = append(larger, rest[:n]...), rest[n:]
		}
		dst = larger
	}
	return append(dst, piece...)
}
