package strategy

// fillFirst picks the first ready position: the next one only while the first is not ready.
type fillFirst struct {
	ready  *Set
	memory Memory
}

func (f *fillFirst) SetReady(i int, ready bool) {
	if ready {
		f.ready.Add(i)
	} else {
		f.ready.Remove(i)
	}
}

func (f *fillFirst) Ready() int { return f.ready.Len() }

func (f *fillFirst) Has(i int) bool { return f.ready.Has(i) }

func (f *fillFirst) Pick(skip func(int) bool) (int, bool) {
	i, ok := f.ready.Next(0)
	for ok && skip != nil && skip(i) {
		i, ok = f.ready.Next(i + 1)
	}
	return i, ok
}

func (f *fillFirst) SetLoad(int, int, uint64) {}

func (f *fillFirst) Memory() Memory { return f.memory }
