package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, written as 512MB or 10GB. A unit is 1024 of the one below, as in the configuration of
// NATS; KiB, MiB and GiB are read as the same.
type Size int64

// Units of a size.
const (
	KB Size = 1 << (10 * (iota + 1))
	MB
	GB
	TB
)

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	number := strings.TrimRight(string(text), "KMGTBikb ")
	unit := strings.ToUpper(strings.TrimSpace(strings.TrimPrefix(string(text), number)))
	factor, ok := map[string]Size{"B": 1, "": 1, "KB": KB, "KIB": KB, "K": KB, "MB": MB, "MIB": MB, "M": MB,
		"GB": GB, "GIB": GB, "G": GB, "TB": TB, "TIB": TB, "T": TB}[unit]
	n, err := strconv.ParseInt(digits(number), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) || err == nil && ok && n > math.MaxInt64/int64(factor):
		return fmt.Errorf("%s is too large a size", quote(string(text)))
	case err != nil || !ok || n < 0:
		return fmt.Errorf("%s is not a size such as 512MB or 10GB", quote(string(text)))
	}
	*s = Size(n) * factor
	return nil
}

// MarshalText writes a size in the largest unit that has no rest.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String gives the size as it is written in the file.
func (s Size) String() string {
	for _, u := range []struct {
		size Size
		name string
	}{{TB, "TB"}, {GB, "GB"}, {MB, "MB"}, {KB, "KB"}} {
		if s != 0 && s%u.size == 0 {
			return fmt.Sprintf("%d%s", s/u.size, u.name)
		}
	}
	return fmt.Sprintf("%dB", int64(s))
}
