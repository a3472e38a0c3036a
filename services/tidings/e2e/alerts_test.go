package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	alertForm  = regexp.MustCompile(`(?m)^ +- alert: (\w+)$`)
	exprForm   = regexp.MustCompile(`(?m)^ +expr: (.+)$`)
	metricForm = regexp.MustCompile(`\btidings_[a-z_]+`)
	groupForm  = regexp.MustCompile(`(?:by|ignoring) \(([^)]*)\)|\{([a-z]+)[=!]`)
)

// Every alert and every panel is about metrics that exist, with labels that they have, and the manual says what to do about an alert.
func TestAlertsAndDashboardsNameWhatThereIs(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(root(t), "deploy", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	rules, manual := read("prometheus/tidings.rules.yaml"), read("README.md")
	metrics := map[string]string{} // with their labels
	for _, row := range regexp.MustCompile("(?m)^\\| `(tidings_[a-z_]+)` \\| \\w+ \\| ([^|]*)\\|").FindAllStringSubmatch(manual, -1) {
		metrics[row[1]] = row[2]
	}
	alerts, exprs := alertForm.FindAllStringSubmatch(rules, -1), exprForm.FindAllStringSubmatch(rules, -1)
	if len(alerts) < 10 || len(alerts) != len(exprs) || len(metrics) < 30 {
		t.Fatalf("%d alerts with %d expressions, %d metrics; does the test still read them?", len(alerts), len(exprs), len(metrics))
	}
	for i, a := range alerts {
		if n := strings.Count(manual, "| `"+a[1]+"` |"); n != 1 {
			t.Errorf("the manual says %d times what to do about %s", n, a[1])
		}
		known(t, metrics, a[1], exprs[i][1])
	}
	for _, name := range []string{"pipeline", "sources-and-channels", "runtime"} {
		var board struct {
			UID    string `json:"uid"`
			Title  string `json:"title"`
			Panels []struct {
				Title   string `json:"title"`
				Targets []struct {
					Expr string `json:"expr"`
				} `json:"targets"`
			} `json:"panels"`
		}
		decode(t, []byte(read("grafana/"+name+".json")), &board)
		if board.UID == "" || len(board.Panels) < 8 {
			t.Errorf("dashboard %s has %d panels", name, len(board.Panels))
		}
		for _, p := range board.Panels {
			for _, target := range p.Targets {
				known(t, metrics, board.Title+": "+p.Title, target.Expr)
			}
		}
	}
}

// known checks that an expression looks at metrics and labels that there are.
func known(t *testing.T, metrics map[string]string, where, expr string) {
	t.Helper()
	used := metricForm.FindAllString(expr, -1)
	if len(used) == 0 && !strings.Contains(expr, "process_") && !strings.Contains(expr, "go_") {
		t.Errorf("%s looks at no metric", where)
	}
	var labels strings.Builder
	for _, name := range used {
		if _, ok := metrics[name]; !ok {
			name = strings.TrimSuffix(name, "_bucket")
		}
		if _, ok := metrics[name]; !ok {
			t.Errorf("%s looks at %s, which no service has", where, name)
		}
		labels.WriteString(" " + strings.ReplaceAll(metrics[name], ",", " ") + " ")
	}
	for _, group := range groupForm.FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(group[1]+group[2], ",") {
			if label = strings.TrimSpace(label); label != "le" && label != "job" && label != "instance" && !strings.Contains(labels.String(), " "+label+" ") {
				t.Errorf("%s looks at the label %s, which its metrics do not have", where, label)
			}
		}
	}
}
