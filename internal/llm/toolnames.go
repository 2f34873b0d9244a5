package llm

// ToolNamed returns the tool of a name that an upstream has used; nil = there is none. An
// upstream knows a tool by its name or, where that does not fit the upstream's format, by
// SafeID of it; limits are the lengths that SafeID was called with.
func (r *Request) ToolNamed(name string, limits ...int) *Tool {
	for i := range r.Tools {
		if r.Tools[i].Name == name {
			return &r.Tools[i]
		}
	}
	for _, limit := range limits {
		for i := range r.Tools {
			if t := &r.Tools[i]; len(name) <= limit && t.Name != "" && SafeID(t.Name, limit) == name {
				return t
			}
		}
	}
	return nil
}
