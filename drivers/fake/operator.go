package fake

// Lose makes one sandbox disappear as by an accident, for ever. One that is not there is none to lose.
func (d *Driver) Lose(id string) {
	d.mu.Lock()
	s := d.sandboxes[id]
	d.mu.Unlock()
	if s != nil {
		s.lose()
	}
}
