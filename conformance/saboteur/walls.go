package saboteur

// Wrong about what keeps sandboxes apart.
func walls() []Saboteur { return nil }
