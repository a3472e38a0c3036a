package taxonomy

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"tidings.internal/services/enrich/internal/words"
)

// Verdict is what a person said of a tag on an article.
type Verdict struct {
	Concept  string    `json:"concept"` // or the id of any other tag
	Article  string    `json:"article"`
	Accepted bool      `json:"accepted"`
	At       time.Time `json:"at"`
	// Title and Stems are the article's, so that what is learnt needs no article: those go after a while.
	Title string   `json:"title,omitempty"`
	Lang  string   `json:"lang,omitempty"`
	Stems []string `json:"stems,omitempty"`
	// Sum is what spoke for the concept when the verdict was given ([Matcher.Sum]), so that scores can follow verdicts.
	Sum float64 `json:"sum,omitempty"`
}

// maxStems is how many stems of an article are kept, those that stand first.
const maxStems = 120

// Stems gives the stems by which an article is recognised: each once, without function words and what the author's name
// and biography say.
func Stems(doc *words.Doc) []string {
	var list []string
	seen := map[string]bool{}
	for _, w := range slices.Concat(doc.Title, doc.Body) {
		if len(list) == maxStems {
			break
		}
		if !w.Stop && !w.Masked && !w.Digit && len(w.Stem) > 2 && !seen[w.Stem] {
			seen[w.Stem] = true
			list = append(list, w.Stem)
		}
	}
	return list
}

const (
	// enough is how many verdicts of one kind a concept needs before something is learnt of them.
	enough = 10
	// background is how many articles are thought to stand beside the verdicts in which only everyday words are: without
	// them a concept that was only ever accepted would be found everywhere.
	background = 20
	// threshold is the mean weight of a stem at which nothing speaks for or against the concept, and steep how fast that
	// changes. Ten articles about one subject share stems worth 2 to 4 each with an eleventh, among some sixty; an
	// article about another shares a few.
	threshold, steep = 0.22, 12.0
	// telling is the weight of a stem that says something, and leastTelling how many of those an article must have: a few
	// it shares with any.
	telling, leastTelling = 1.0, 5
	// byModel bounds what is added to, or taken from, a concept's score.
	byModel = 3.0
)

// model is what was learnt of the verdicts on one concept: the weight of each stem, as in naive Bayes against the
// complement (Rennie et al., Tackling the poor assumptions of naive Bayes text classifiers, 2003).
type model map[string]float64

// learn makes the models of the concepts that have enough verdicts.
func learn(verdicts []Verdict) map[string]model {
	accepted, rejected := map[string]int{}, map[string]int{}
	for _, v := range verdicts {
		switch {
		case len(v.Stems) == 0:
		case v.Accepted:
			accepted[v.Concept]++
		default:
			rejected[v.Concept]++
		}
	}
	models := map[string]model{}
	for _, concept := range slices.Sorted(maps.Keys(accepted)) {
		if accepted[concept] >= enough {
			models[concept] = modelOf(concept, verdicts, true)
		}
	}
	for _, concept := range slices.Sorted(maps.Keys(rejected)) {
		if models[concept] == nil && rejected[concept] >= enough {
			models[concept] = modelOf(concept, verdicts, false)
		}
	}
	return models
}

// modelOf weighs each stem by how much likelier it is in articles of the concept than elsewhere. Without enough that were
// accepted, it is how much likelier it is in the rejected ones, with the sign turned.
func modelOf(concept string, verdicts []Verdict, accepted bool) model {
	in, out := map[string]float64{}, map[string]float64{}
	var inside, outside float64 = 0, background
	elsewhere := map[string]bool{} // an article may have verdicts on several concepts, and counts once
	mine := map[string]bool{}
	for _, v := range verdicts {
		if v.Concept == concept && v.Accepted == accepted {
			mine[v.Article] = true
		}
	}
	for _, v := range verdicts {
		switch {
		case len(v.Stems) == 0:
		case v.Concept == concept && v.Accepted == accepted:
			inside++
			for _, s := range v.Stems {
				in[s]++
			}
		case !mine[v.Article] && !elsewhere[v.Article]:
			elsewhere[v.Article] = true
			outside++
			for _, s := range v.Stems {
				out[s]++
			}
		}
		for s := range words.EverydayStems(v.Lang) {
			out[s] = max(out[s], background/2)
		}
	}
	sign := 1.0
	if !accepted {
		sign = -1
	}
	m := model{}
	for s, n := range in {
		m[s] = sign * math.Log((n+0.5)/(inside+1)*(outside+1)/(out[s]+0.5))
	}
	for s, n := range out {
		if _, both := m[s]; !both {
			m[s] = sign * min(0, math.Log(0.5/(inside+1)*(outside+1)/(n+0.5)))
		}
	}
	return m
}

// judge gives what the model adds to a concept's score for the stems of an article, and the stems that say most of it.
func (m model) judge(stems []string) (score float64, because []string) {
	if len(stems) == 0 {
		return 0, nil
	}
	sum := 0.0
	var known []string
	for _, s := range stems {
		w := m[s]
		sum += w
		if math.Abs(w) >= telling {
			known = append(known, s)
		}
	}
	if len(known) < leastTelling {
		return 0, nil
	}
	mean := sum / float64(len(stems))
	switch {
	case mean > threshold:
		score = min(byModel, (mean-threshold)*steep)
	case mean < -threshold:
		score = max(-byModel, (mean+threshold)*steep)
	default:
		return 0, nil
	}
	slices.SortFunc(known, func(a, b string) int {
		return cmp.Or(cmp.Compare(math.Abs(m[b]), math.Abs(m[a])), strings.Compare(a, b))
	})
	return score, known[:min(3, len(known))]
}
