package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/tidings/internal/ops"
)

func TestAddressesAreReadAsProgramsWriteThem(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"one a line":        "a@example.org\nb@example.org\n",
		"an export":         "list,address,state\nl,a@example.org,confirmed\nl,b@example.org,pending\n",
		"a spreadsheet":     "\uFEFFlist;address;tags\r\nl;a@example.org;crm, erp\r\nl;b@example.org;\r\n",
		"tabs":              "address\tlanguage\na@example.org\tde\nb@example.org\ten\n",
		"a mail program":    "Name,E-Mail\nA,a@example.org\nB,b@example.org\n",
		"capitals":          "Address,Language\na@example.org,de\nb@example.org,de\n",
		"no names":          "a@example.org,A\nb@example.org,B\n",
		"a mark, no names":  "\uFEFFa@example.org\nb@example.org\n",
		"lines of comments": "# from the fair\naddress\na@example.org\n# and\nb@example.org",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			people, err := readPeople(strings.NewReader(text), ops.NewSubscriber{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range people {
				got = append(got, string(p.Address))
			}
			if diff := cmp.Diff([]string{"a@example.org", "b@example.org"}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if people, err := readPeople(strings.NewReader(""), ops.NewSubscriber{}); err != nil || people != nil {
		t.Errorf("nothing gives %v, %v", people, err)
	}
	if _, err := readPeople(strings.NewReader("\nname,phone\nA,1\n"), ops.NewSubscriber{}); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("columns without an address: %v", err)
	}
}

// What anybody may write into a form is no formula in the spreadsheet of an operator, and comes back as it was.
func TestAnExportIsNoProgramAndIsReadAgain(t *testing.T) {
	t.Parallel()
	want := []string{"=1+1@example.org", "+a@example.org", "-b@example.org", "'c@example.org", "d@example.org"}
	var list []ops.SubscriberStatus
	for _, a := range want {
		list = append(list, ops.SubscriberStatus{Address: a, Proof: &ops.SubscriberProof{}, Wishes: event.Wishes{Period: event.Daily, Hour: 7, Tags: []string{"crm", "erp"}}})
	}
	var out bytes.Buffer
	if err := writePeople(&out, list); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		for cell := range strings.SplitSeq(line, ",") {
			if cell != "" && strings.Contains("=+-@", cell[:1]) {
				t.Errorf("the cell %q is computed", cell)
			}
		}
	}
	people, err := readPeople(&out, ops.NewSubscriber{})
	if err != nil || len(people) != len(want) {
		t.Fatalf("%d people, %v", len(people), err)
	}
	for i, p := range people {
		if string(p.Address) != want[i] || p.wrong != nil || p.Wishes.Hour != 7 || len(p.Wishes.Tags) != 2 {
			t.Errorf("%s is %+v", want[i], p)
		}
	}
}
