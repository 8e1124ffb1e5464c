package api

import (
	"bytes"
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// A ui serves the built web app from memory. Files below assets/ carry a hash of their
// content in their name and may be kept for ever; /docs is docs.html, the API explorer; every
// other path belongs to the page's own router and is answered with index.html.
type ui struct {
	files map[string]asset
}

// An asset is a file of the web app.
type asset struct {
	kind   string // Content-Type
	plain  []byte
	packed func() []byte // gzip, made when first asked for; nil where it is not much smaller
}

// newUI reads the files of assets once; there are few and they are small.
func newUI(assets fs.FS) (*ui, error) {
	u := &ui{files: map[string]asset{}}
	if assets == nil {
		return u, nil
	}
	err := fs.WalkDir(assets, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		b, err := fs.ReadFile(assets, name)
		if err != nil {
			return err
		}
		u.files[name] = newAsset(name, b)
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return u, nil
}

func newAsset(name string, b []byte) asset {
	a := asset{kind: mime.TypeByExtension(path.Ext(name)), plain: b}
	if a.kind == "" {
		a.kind = http.DetectContentType(b)
	}
	a.packed = sync.OnceValue(func() []byte {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, err := z.Write(b)
		if errors.Join(err, z.Close()) != nil || packed.Len() >= len(b)*9/10 {
			return nil
		}
		return packed.Bytes()
	})
	return a
}

// ServeHTTP answers GET and HEAD.
func (u *ui) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	a, ok := u.files[name]
	header := w.Header()
	switch {
	case strings.HasPrefix(name, "assets/") && ok:
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	case strings.HasPrefix(name, "assets/"):
		// Never the page in place of a script: an old page must see that its files are gone.
		http.Error(w, "not found", http.StatusNotFound)
		return
	default:
		header.Set("Cache-Control", "no-cache")
		if !ok {
			a, ok = u.files[name+".html"]
		}
		if !ok {
			a, ok = u.files["index.html"]
		}
	}
	if !ok {
		http.Error(w, "The web app is not part of this build. The API is below /api/, its description at /openapi.yaml.", http.StatusNotFound)
		return
	}
	header.Set("Content-Type", a.kind)
	header["Content-Security-Policy"] = pagePolicy
	header.Set("X-Frame-Options", "SAMEORIGIN")
	body := a.plain
	if packed := a.packed(); packed != nil {
		header.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			header.Set("Content-Encoding", "gzip")
			body = packed
		}
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that is gone does not miss it
	}
}
