// Package browser looks at the public pages in a real browser.
package browser
