package enginetest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"testing"
)

// ListedImage is an image as an engine lists it.
type ListedImage struct {
	ID     string `json:"Id"`
	Labels map[string]string
}

// Images lists the images on the tests' engine that have a label, KEY or KEY=VALUE.
func Images(t testing.TB, scheme, label string) []ListedImage {
	t.Helper()
	return images(t, scheme, fmt.Sprintf(`{"label":[%q]}`, label))
}

// Untagged lists the ids of images with a label, KEY=VALUE, that have no name and on which no other image is based.
func Untagged(t testing.TB, scheme, label string) []string {
	t.Helper()
	var ids []string
	for _, img := range images(t, scheme, fmt.Sprintf(`{"dangling":["true"],"label":[%q]}`, label)) {
		ids = append(ids, img.ID)
	}
	return ids
}

func images(t testing.TB, scheme, filter string) []ListedImage {
	t.Helper()
	var list []ListedImage
	decode(t, call(t, scheme, http.MethodGet, "/v1.40/images/json?filters="+url.QueryEscape(filter), nil, http.StatusOK), &list)
	return list
}

// History returns what the engine tells of how an image was made and is configured, as JSON.
func History(t testing.TB, scheme, ref string) string {
	t.Helper()
	path := "/v1.40/images/" + url.PathEscape(ref)
	return string(call(t, scheme, http.MethodGet, path+"/history", nil, http.StatusOK)) +
		string(call(t, scheme, http.MethodGet, path+"/json", nil, http.StatusOK))
}

// Save returns an image as the archive that "docker save" writes, with all its layers.
func Save(t testing.TB, scheme, ref string) []byte {
	t.Helper()
	return call(t, scheme, http.MethodGet, "/v1.40/images/"+url.PathEscape(ref)+"/get", nil, http.StatusOK)
}

// HostAddress returns an address at which containers with a network reach this host.
func HostAddress(t testing.TB) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		if ip, ok := addr.(*net.IPNet); ok && ip.IP.To4() != nil && ip.IP.IsGlobalUnicast() {
			return ip.IP.String()
		}
	}
	t.Skip("this host has no address beside loopback")
	return ""
}

// ImageID returns the content id of an image.
func ImageID(t testing.TB, scheme, ref string) string {
	t.Helper()
	var img ListedImage
	decode(t, call(t, scheme, http.MethodGet, "/v1.40/images/"+url.PathEscape(ref)+"/json", nil, http.StatusOK), &img)
	return img.ID
}

// HasImage reports whether there is an image of this name.
func HasImage(t testing.TB, scheme, ref string) bool {
	t.Helper()
	var img ListedImage
	answer := call(t, scheme, http.MethodGet, "/v1.40/images/"+url.PathEscape(ref)+"/json", nil, http.StatusOK, http.StatusNotFound)
	return json.Unmarshal(answer, &img) == nil && img.ID != ""
}

// BuildContainers lists the containers that Podman builds in, which it does not list otherwise. Docker has none.
func BuildContainers(t testing.TB, scheme string) []string {
	t.Helper()
	if scheme != "podman" {
		return nil
	}
	var list []struct {
		ID    string `json:"Id"`
		State string
	}
	decode(t, call(t, scheme, http.MethodGet, "/v4.0.0/libpod/containers/json?all=true&external=true", nil, http.StatusOK), &list)
	var ids []string
	for _, c := range list {
		if c.State == "storage" {
			ids = append(ids, c.ID)
		}
	}
	return ids
}
