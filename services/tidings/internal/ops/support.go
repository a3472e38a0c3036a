package ops

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/run"
)

// Support gathers what a person who helps from afar asks for first, and hides what grants access: secrets are *** in
// the configuration already, and an address keeps neither its user nor its query nor the token of a private feed.
type Support struct {
	Config *config.Doc
	Data   string
	// Processes are the base URLs of admin ports.
	Processes []string
}

// Part is a file of a bundle, or why it is not in it.
type Part struct {
	Name    string `json:"name"`
	Missing string `json:"missing,omitempty"`
}

// lookedAt are the pages of an admin port that a bundle holds, and what their files are called.
var lookedAt = [][2]string{{"/version", "version.json"}, {"/readyz", "readyz.json"}, {"/healthz", "healthz.json"}, {"/metrics", "metrics.txt"}, {"/-/log", "log.txt"}}

// Write writes the bundle, a ZIP file for its owner's eyes, at a place where nothing is. What does not answer is missing:
// a bundle is made when something is broken. The error is only about the file.
func (s *Support) Write(ctx context.Context, file string) (parts []Part, err error) {
	if _, err := os.Lstat(file); err == nil {
		return nil, fault.Errorf(fault.Invalid, "write the support bundle: %s is there already; name another file", file)
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".support-*") // 0600
	if err != nil {
		return nil, fault.Errorf(fault.Refused, "write the support bundle: %w", err)
	}
	z := zip.NewWriter(f)
	put := func(name string, text []byte, err error) error {
		part := Part{Name: name}
		if err != nil {
			part.Missing = string(hide([]byte(err.Error())))
		}
		parts = append(parts, part)
		if err != nil {
			return nil
		}
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Now().UTC()})
		if err == nil {
			_, err = w.Write(hide(text))
		}
		return err
	}
	err = s.gather(ctx, put)
	err = errors.Join(err, ctx.Err(), missing(z, parts))
	err = errors.Join(err, z.Close(), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // half a bundle is of no use
		return nil, fault.Errorf(fault.Refused, "write the support bundle: %w", err)
	}
	return parts, nil
}

// gather puts every part in turn; what fails to be had is told to put.
func (s *Support) gather(ctx context.Context, put func(string, []byte, error) error) error {
	about, err := encode(struct {
		Time time.Time `json:"time"`
		run.Build
	}{time.Now().UTC(), run.BuildInfo()})
	err = put("about.json", about, err)
	for i, url := range s.Processes {
		for _, page := range lookedAt {
			text, looked := run.Look(ctx, url, page[0])
			err = errors.Join(err, put(fmt.Sprintf("process-%d/%s", i+1, page[1]), text, looked))
		}
	}
	status, dead, asked := s.ask(ctx, func(pages run.Pages) {
		for _, name := range slices.Sorted(maps.Keys(pages.Pages)) {
			file := oddForm.ReplaceAllString(pages.Service+"-"+pages.Process, "_") + "/" + oddForm.ReplaceAllString(name, "_")
			err = errors.Join(err, put(file, []byte(pages.Pages[name]), nil))
		}
	})
	err = errors.Join(err, put("status.json", status, asked), put("dead.json", dead, asked))
	var b bytes.Buffer
	for _, one := range Settings(s.Config, "") {
		fmt.Fprintf(&b, "%s = %q  # %s\n", one.Path, one.Value, one.Origin)
	}
	err = errors.Join(err, put("configuration.txt", b.Bytes(), nil))
	if problems := s.Config.Err(); problems != nil {
		err = errors.Join(err, put("problems.txt", []byte(problems.Error()+"\n"), nil))
	}
	return err
}

// letters is how many dead letters a bundle tells of, without their content.
const letters = 100

// ask asks the broker, and over it every process for what it shows of itself.
func (s *Support) ask(ctx context.Context, show func(run.Pages)) (status, dead []byte, err error) {
	o, err := Open(ctx, Options{Config: s.Config, Data: s.Data})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	if o.nats.URL != "" { // one process has shown everything on its admin port
		if err := o.pages(ctx, show); err != nil {
			return nil, nil, err
		}
	}
	st, err := o.Status(ctx)
	if err != nil {
		return nil, nil, err
	}
	list, err := o.Dead(ctx, "", "", time.Time{})
	if err != nil {
		return nil, nil, err
	}
	status, err = encode(st)
	dead, failed := encode(list[max(0, len(list)-letters):])
	return status, dead, errors.Join(err, failed)
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // an & of an address would hide from what hides
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// missing lists in the bundle what is not in it.
func missing(z *zip.Writer, parts []Part) error {
	var b strings.Builder
	for _, p := range parts {
		if p.Missing != "" {
			fmt.Fprintf(&b, "%s: %s\n", p.Name, p.Missing)
		}
	}
	if b.Len() == 0 {
		return nil
	}
	w, err := z.Create("missing.txt")
	if err == nil {
		_, err = io.WriteString(w, b.String())
	}
	return err
}

// Places of an address where something that grants access may stand.
var (
	userForm  = regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*://)[^\s"'<>/?#]+@`)
	queryForm = regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*://[^\s"'<>?#]*\?)[^\s"'<>#]+`)
	tokenForm = regexp.MustCompile(`(/t/)[^\s"'<>/]+(/feeds/)`)
)

// oddForm is what no part of a name in a bundle may hold: it comes from elsewhere.
var oddForm = regexp.MustCompile(`[^A-Za-z0-9.-]`)

func hide(text []byte) []byte {
	text = userForm.ReplaceAll(text, []byte("${1}***@"))
	text = queryForm.ReplaceAll(text, []byte("${1}***"))
	return tokenForm.ReplaceAll(text, []byte("${1}***${2}"))
}
