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
)

// Every alert is about metrics that exist, with labels that they have, and the manual says what to do about it.
func TestAlertsNameWhatThereIs(t *testing.T) {
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
		used := metricForm.FindAllString(exprs[i][1], -1)
		if len(used) == 0 {
			t.Errorf("%s looks at no metric", a[1])
		}
		labels := ""
		for _, name := range used {
			if _, ok := metrics[name]; !ok {
				name = strings.TrimSuffix(name, "_bucket")
			}
			if _, ok := metrics[name]; !ok {
				t.Errorf("%s looks at %s, which no service has", a[1], name)
			}
			labels += " " + strings.ReplaceAll(metrics[name], ",", " ") + " "
		}
		for _, group := range regexp.MustCompile(`(?:by|ignoring) \(([^)]*)\)|\{([a-z]+)[=!]`).FindAllStringSubmatch(exprs[i][1], -1) {
			for label := range strings.SplitSeq(group[1]+group[2], ",") {
				if label = strings.TrimSpace(label); label != "le" && label != "job" && label != "instance" && !strings.Contains(labels, " "+label+" ") {
					t.Errorf("%s looks at the label %s, which its metrics do not have", a[1], label)
				}
			}
		}
	}
}
