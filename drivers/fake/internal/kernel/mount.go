package kernel

// A Tree is a directory with all below it, which can be mounted by one FS after
// another. One FS at a time may use it.
type Tree struct{ dir *inode }

// Tree returns the directory at name.
func (f *FS) Tree(name string) (*Tree, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, err := f.find(Root, name, true)
	if err != nil {
		return nil, err
	}
	if !at.node.mode.IsDir() {
		return nil, ENOTDIR
	}
	return &Tree{at.node}, nil
}

// Mount puts a tree in the place of the directory at name.
func (f *FS) Mount(name string, t *Tree) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, err := f.find(Root, name, true)
	if err != nil {
		return err
	}
	at.dir.entries[at.name] = t.dir
	t.dir.parent = at.dir
	f.last = max(f.last, t.dir.highest()) // so that numbers stay unique
	return nil
}

// highest returns the largest number of an inode in a tree.
func (n *inode) highest() uint64 {
	top := n.number
	for _, e := range n.entries {
		top = max(top, e.highest())
	}
	return top
}
