package llm

// CheckNeeded returns an *UnsupportedError if r holds an Opaque part of another format that
// the answer depends on, so that r cannot be encoded for f; else nil. Codecs call it before
// they encode.
func (r *Request) CheckNeeded(f Format) error {
	for i := range r.Messages {
		if o := needed(r.Messages[i].Parts, f); o != nil {
			return &UnsupportedError{Format: f, What: o.Needed}
		}
	}
	return nil
}

func needed(parts []Part, f Format) *Opaque {
	for _, p := range parts {
		switch p := p.(type) {
		case *Opaque:
			if p.Needed != "" && p.Origin != f {
				return p
			}
		case *ToolResult:
			if o := needed(p.Content, f); o != nil {
				return o
			}
		}
	}
	return nil
}
