//go:build !race

package translate_test

// maxMemory is how much of the heap a request may take, by its size.
const maxMemory = 3.0

// bodyLimit is how many MB the longest string of the tests has.
const bodyLimit = 100
