//go:build !linux

package bus

// thisProcess gives no name: here nothing tells for certain that a process of a name is over.
func thisProcess() string { return "" }

func ended(string) bool { return false }
