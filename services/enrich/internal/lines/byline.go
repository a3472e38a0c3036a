package lines

import (
	"time"

	"tidings.internal/services/enrich/internal/byline"
)

// byline takes a line of author, role and date. It is one only if something else than the shape of a name says so.
func (r *Result) byline(l *Line, now time.Time) bool {
	said := byline.Read(l.Text, now)
	switch {
	case said.Sure():
		l.Class, r.Authors = Byline, said.Authors
	case len(said.Authors) == 0 && (said.Date != nil || said.Changed) && said.Short:
		l.Class = Dateline
	default:
		return false
	}
	if said.Date != nil {
		r.Date = said.Date
	}
	for _, p := range said.Authors {
		r.Masked = append(r.Masked, p.Name)
		if p.Role != "" {
			r.Masked = append(r.Masked, p.Role)
		}
	}
	return true
}
