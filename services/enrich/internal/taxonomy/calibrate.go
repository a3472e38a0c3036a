package taxonomy

import (
	"math"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/pipeline"
)

const (
	// refitted is how many verdicts there must be, and ofEach how many of them of each kind, before scores follow them.
	refitted, ofEach = 50, 10
	// leastSlope bounds what verdicts can do: below it whatever speaks for a concept would hardly count.
	leastSlope = 0.5
	// newton is how many steps the fit makes at most. It ends after some ten.
	newton = 100
)

// calibration turns what speaks for a concept into a probability.
type calibration struct{ slope, offset float64 }

func (c calibration) score(sum float64) float64 {
	return round(1 / (1 + math.Exp(-(c.slope*sum + c.offset))))
}

// point is a verdict with what spoke for its concept.
type point struct {
	sum   float64
	wants float64 // the probability it speaks for
}

// calibrate fits slope and offset to verdicts, those that ship where there are too few: Platt scaling, by Newton's method with
// the targets of Lin, Lin and Weng (A note on Platt's probabilistic outputs for support vector machines, 2007). Verdicts on
// concepts for which nothing spoke say nothing of how much must.
func calibrate(verdicts []Verdict) calibration {
	shipped := calibration{slope, offset}
	yes, no := 0, 0
	for _, v := range verdicts {
		switch {
		case v.Sum <= 0:
		case v.Accepted:
			yes++
		default:
			no++
		}
	}
	if yes+no < refitted || yes < ofEach || no < ofEach {
		return shipped
	}
	var points []point
	for _, v := range verdicts {
		switch {
		case v.Sum <= 0:
		case v.Accepted:
			points = append(points, point{v.Sum, float64(yes+1) / float64(yes+2)})
		default:
			points = append(points, point{v.Sum, 1 / float64(no+2)})
		}
	}
	if c := shipped.fit(points); c.slope >= leastSlope && !math.IsInf(c.offset, 0) && !math.IsNaN(c.offset) {
		return c
	}
	return shipped
}

// fit goes down the log loss from here. A step that does not make it smaller is halved.
func (c calibration) fit(points []point) calibration {
	loss := c.loss(points)
	for range newton {
		var g1, g2, h11, h12, h22 float64
		for _, p := range points {
			is := 1 / (1 + math.Exp(-(c.slope*p.sum + c.offset)))
			d, w := is-p.wants, is*(1-is)
			g1, g2 = g1+d*p.sum, g2+d
			h11, h12, h22 = h11+w*p.sum*p.sum, h12+w*p.sum, h22+w
		}
		h11, h22 = h11+1e-9, h22+1e-9 // never singular
		det := h11*h22 - h12*h12
		if math.Abs(g1) < 1e-6 && math.Abs(g2) < 1e-6 || det <= 0 {
			break
		}
		step := calibration{(g1*h22 - g2*h12) / det, (g2*h11 - g1*h12) / det}
		better := false
		for size := 1.0; size > 1e-6 && !better; size /= 2 {
			next := calibration{c.slope - size*step.slope, c.offset - size*step.offset}
			if l := next.loss(points); l < loss {
				c, loss, better = next, l, true
			}
		}
		if !better {
			break
		}
	}
	return c
}

func (c calibration) loss(points []point) float64 {
	sum := 0.0
	for _, p := range points {
		z := c.slope*p.sum + c.offset
		// log(1+exp(z)) - wants*z, without an overflow
		sum += max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) - p.wants*z
	}
	return sum
}

// Sum is what speaks for a concept in an article before it is turned into a score, 0 for nothing.
func (m *Matcher) Sum(d *pipeline.Draft, categories []article.Category, concept string) float64 {
	f := m.look(d, categories)
	return m.sums(f)[concept]
}
