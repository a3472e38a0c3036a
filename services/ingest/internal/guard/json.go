package guard

// scanJSON bounds depth and number of values of a JSON text. Whether it is JSON at all the parser finds out.
func scanJSON(b []byte) (*Document, error) {
	depth, values, end := 0, 0, len(b)
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if depth++; depth > maxDepth {
				return nil, tooDeep()
			}
			values++
		case ',':
			values++
		case '}', ']':
			if depth--; depth == 0 {
				end, i = i+1, len(b) // what follows the root is junk
			}
		}
		if values > maxValues {
			return nil, tooDense("values", maxValues)
		}
	}
	return &Document{Format: JSON, Data: b[:end], Cut: depth > 0}, nil
}
