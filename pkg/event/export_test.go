package event

// TypesOn lists the types that may stand on the subjects of a space.
func TypesOn(s Space) []string { return typesOf[s] }

// Forged lists the headers that a message must not have.
func Forged() []string { return forged }
