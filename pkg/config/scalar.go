package config

import (
	"encoding"
	"errors"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// scalar decodes a node into a value that is written as one word or text. place is where the problem is shown: the
// alias, when the node came by one.
func (c *decoder) scalar(place, n *yaml.Node, v reflect.Value, f field, at path) {
	if n.Kind != yaml.ScalarNode {
		c.problem(place, at, "wants %s, and here is %s", wanted(v.Type()), what(n))
		return
	}
	if n.ShortTag() == "!!null" {
		c.problem(place, at, "has no value; give it one, or remove the line to have the default")
		return
	}
	text := n.Value
	switch v.Type() {
	case secretType:
		if c.peek {
			return
		}
		if text == "" {
			c.problem(place, at, "is an empty secret")
			return
		}
		v.Set(reflect.ValueOf(NewSecret(text)))
		return
	case timeType:
		t, err := parseTime(text)
		if err != nil {
			c.problem(place, at, "%s is not %s", quote(text), wanted(v.Type()))
			return
		}
		v.Set(reflect.ValueOf(t))
		return
	case durationType:
		t, err := time.ParseDuration(text)
		switch {
		case err != nil:
			c.problem(place, at, "%s is not %s", quote(text), wanted(v.Type()))
		case t < 0:
			c.problem(place, at, "%s is negative", quote(text))
		default:
			v.SetInt(int64(t))
		}
		return
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		c.text(place, text, u, v.Type(), at)
		return
	}
	c.basic(place, n, v, f, at)
}

// text decodes by the type's own method. The sentences of the standard library's types name functions, so they are
// replaced; those of our types are written for operators.
func (c *decoder) text(place *yaml.Node, text string, u encoding.TextUnmarshaler, t reflect.Type, at path) {
	err := u.UnmarshalText([]byte(text))
	if err == nil {
		return
	}
	if strings.HasPrefix(t.PkgPath(), "tidings.internal/") {
		c.problem(place, at, "%s", err)
		return
	}
	c.problem(place, at, "%s is not %s", quote(text), wanted(t))
}

func (c *decoder) basic(place, n *yaml.Node, v reflect.Value, f field, at path) {
	text := n.Value
	var err error
	switch v.Kind() {
	case reflect.String:
		// A word such as no, 2024 or 22:00 is a text here, whatever YAML would make of it.
		if f.path {
			text = c.resolve(text)
		}
		v.SetString(text)
		return
	case reflect.Bool:
		b, ok := truth(text)
		if !ok {
			c.problem(place, at, "%s is neither true nor false", quote(text))
			return
		}
		v.SetBool(b)
		return
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var i int64
		if i, err = strconv.ParseInt(digits(text), 10, v.Type().Bits()); err == nil {
			v.SetInt(i)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var i uint64
		if i, err = strconv.ParseUint(digits(text), 10, v.Type().Bits()); err == nil {
			v.SetUint(i)
		}
	case reflect.Float32, reflect.Float64:
		var x float64
		if x, err = strconv.ParseFloat(text, v.Type().Bits()); err == nil && x-x != 0 {
			err = strconv.ErrSyntax // .inf and nan are numbers of YAML, and no setting
		}
		if err == nil {
			v.SetFloat(x)
		}
	default:
		panic("config: no setting can be of type " + v.Type().String())
	}
	switch {
	case errors.Is(err, strconv.ErrRange):
		c.problem(place, at, "%s is too large a number", quote(text))
	case err != nil:
		c.problem(place, at, "%s is not %s", quote(text), wanted(v.Type()))
	}
}

// digits lets a long number be grouped by underscores, as in 10_000.
func digits(s string) string {
	if strings.HasPrefix(s, "_") || strings.HasSuffix(s, "_") || strings.Contains(s, "__") {
		return s
	}
	return strings.ReplaceAll(s, "_", "")
}

func truth(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "true", "yes", "on":
		return true, true
	case "false", "no", "off":
		return false, true
	}
	return false, false
}

// parseTime reads RFC 3339, or a day, which begins at midnight UTC.
func parseTime(s string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, s)
}

// wanted says what a type is written like.
func wanted(t reflect.Type) string {
	switch t {
	case durationType:
		return "a duration such as 30s, 15m or 24h"
	case timeType:
		return "a date such as 2026-11-23 or 2026-11-23T08:00:00Z"
	case secretType:
		return "a text"
	case reflect.TypeFor[netip.Addr]():
		return "an address such as 10.0.0.5"
	case reflect.TypeFor[netip.AddrPort]():
		return "an address with a port such as 10.0.0.5:80"
	case reflect.TypeFor[netip.Prefix]():
		return "a network such as 10.0.0.0/8"
	case reflect.TypeFor[Size]():
		return "a size such as 512MB or 10GB"
	}
	if reflect.PointerTo(t).Implements(textType) {
		return "a value that can be read here"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number, 0 or more"
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return "a text"
}
