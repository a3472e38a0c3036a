package hosttest

import (
	"runtime"
	"testing"
)

// witness notes how a test was ended.
type witness struct {
	testing.TB
	how string
}

func (w *witness) Helper()      {}
func (w *witness) Fatal(...any) { w.how = "failed"; runtime.Goexit() }
func (w *witness) Skip(...any)  { w.how = "skipped"; runtime.Goexit() }

func TestWhatIsLackingFailsInCIOnly(t *testing.T) {
	for ci, want := range map[string]string{"true": "failed", "": "skipped", "1": "skipped"} {
		t.Setenv("CI", ci)
		w, done := &witness{TB: t}, make(chan struct{})
		go func() {
			defer close(done)
			Lacks(w, "a unicorn")
		}()
		<-done
		if w.how != want {
			t.Errorf("with CI=%q the test %s, want it %s", ci, w.how, want)
		}
	}
}
