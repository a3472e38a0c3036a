package demo

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// maxCall is the largest body that the sink takes.
const maxCall = 1 << 20

// Call is a line of the sink's log.
type Call struct {
	Time  time.Time       `json:"time"`
	ID    string          `json:"webhook_id"`
	Valid bool            `json:"signature_valid"`
	Event json.RawMessage `json:"event"`
}

// sink takes webhooks and appends each to a file, one JSON object a line, before it answers.
type sink struct {
	key []byte
	now func() time.Time

	mu   sync.Mutex
	file *os.File
}

// ServeHTTP keeps the call and accepts it. A call whose signature is wrong is kept too, and refused.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCall))
	if err != nil || !json.Valid(body) {
		http.Error(w, "the body is no JSON of at most 1 MB", http.StatusBadRequest)
		return
	}
	c := Call{Time: s.now().UTC(), ID: r.Header.Get("Webhook-Id"), Event: body}
	c.Valid = s.signed(c.ID, r.Header.Get("Webhook-Timestamp"), r.Header.Get("Webhook-Signature"), body)
	if err := s.keep(c); err != nil {
		http.Error(w, "the call could not be kept", http.StatusInternalServerError)
		return
	}
	if !c.Valid {
		http.Error(w, "the signature is wrong", http.StatusUnauthorized)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *sink) keep(c Call) error {
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err = s.file.Write(append(line, '\n'))
	return err
}

// signed checks the signatures of Standard Webhooks: "v1," and the base64 of the HMAC-SHA256 of id, timestamp and body
// with dots between; several are parted by spaces.
func (s *sink) signed(id, at, header string, body []byte) bool {
	mac := hmac.New(sha256.New, s.key)
	_, _ = fmt.Fprintf(mac, "%s.%s.", id, at) // a hash takes every write
	_, _ = mac.Write(body)
	want := mac.Sum(nil)
	for one := range strings.FieldsSeq(header) {
		text, ok := strings.CutPrefix(one, "v1,")
		got, err := base64.StdEncoding.DecodeString(text)
		if ok && err == nil && hmac.Equal(want, got) {
			return true
		}
	}
	return false
}
