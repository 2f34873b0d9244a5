//go:build race

package translate_test

// maxMemory is how much of the heap a request may take, by its size. With the race detector,
// slices that grow are allocated twice.
const maxMemory = 6.0

// bodyLimit is how many MB the longest string of the tests has, which would take the detector
// half a minute otherwise.
const bodyLimit = 10
