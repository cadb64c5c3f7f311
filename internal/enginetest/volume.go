package enginetest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"testing"
)

// Volumes lists the names of the volumes that a container uses, by where they are mounted.
func Volumes(t testing.TB, scheme, name string) map[string]string {
	t.Helper()
	var c struct {
		Mounts []struct{ Type, Name, Destination string }
	}
	decode(t, call(t, scheme, http.MethodGet, "/v1.40/containers/"+name+"/json", nil, http.StatusOK), &c)
	list := make(map[string]string)
	for _, m := range c.Mounts {
		if m.Type == "volume" {
			list[m.Destination] = m.Name
		}
	}
	return list
}

// HasVolume reports whether there is a volume of this name.
func HasVolume(t testing.TB, scheme, name string) bool {
	t.Helper()
	var v struct{ Name string }
	answer := call(t, scheme, http.MethodGet, "/v1.40/volumes/"+name, nil, http.StatusOK, http.StatusNotFound)
	return json.Unmarshal(answer, &v) == nil && v.Name == name
}

// CreateVolume makes a volume behind the driver's back.
func CreateVolume(t testing.TB, scheme, name string, labels map[string]string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"Name": name, "Labels": labels})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, "http://engine/v1.40/volumes/create", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client(t, scheme).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		t.Fatalf("making volume %s: %s", name, res.Status)
	}
}

// RemoveVolume removes a volume behind the driver's back, if it is there.
func RemoveVolume(t testing.TB, scheme, name string) {
	t.Helper()
	call(t, scheme, http.MethodDelete, "/v1.40/volumes/"+name, nil, http.StatusNoContent, http.StatusNotFound)
}
