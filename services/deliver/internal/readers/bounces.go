package readers

// Bounces reads what came back.
type Bounces interface{}

func (s *shift) readBounces() {}
