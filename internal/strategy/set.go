// Package strategy picks one of a model's ready candidates. It is pure: positions in,
// position out. What the positions stand for, and which are ready, is the caller's.
package strategy

import "math/bits"

// Set is a set of positions 0..n-1 whose next member is found in O(log n), with a base of
// 64, however few members there are. It backs "the next ready one" without a scan over
// those that rest.
type Set struct {
	levels [][]uint64 // levels[0] has a bit per position, levels[k+1] a bit per word of levels[k]
	size   int        // members
}

// NewSet returns an empty set over n positions.
func NewSet(n int) *Set {
	s := &Set{}
	for {
		n = (n + 63) / 64
		s.levels = append(s.levels, make([]uint64, max(n, 1)))
		if n <= 1 {
			return s
		}
	}
}

// Len returns the number of members.
func (s *Set) Len() int { return s.size }

// Has reports whether i is a member.
func (s *Set) Has(i int) bool { return s.levels[0][i/64]&(1<<(i%64)) != 0 }

// Add makes i a member.
func (s *Set) Add(i int) {
	if s.Has(i) {
		return
	}
	s.size++
	for _, level := range s.levels {
		level[i/64] |= 1 << (i % 64)
		i /= 64
	}
}

// Remove makes i no member.
func (s *Set) Remove(i int) {
	if !s.Has(i) {
		return
	}
	s.size--
	for _, level := range s.levels {
		level[i/64] &^= 1 << (i % 64)
		if level[i/64] != 0 {
			return
		}
		i /= 64
	}
}

// Next returns the first member at or after i, or false if there is none.
func (s *Set) Next(i int) (int, bool) {
	for k := range s.levels {
		level := s.levels[k]
		if i/64 < len(level) {
			if w := level[i/64] >> (i % 64); w != 0 {
				return s.lowest(k, i+bits.TrailingZeros64(w)), true
			}
		}
		i = i/64 + 1
	}
	return 0, false
}

// lowest returns the first member below bit i of level k, which is set.
func (s *Set) lowest(k, i int) int {
	for ; k > 0; k-- {
		i = i*64 + bits.TrailingZeros64(s.levels[k-1][i])
	}
	return i
}
