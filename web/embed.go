// Package web holds the web app: a single page, built by Vite from the TypeScript beside
// this file into dist and embedded into the binary.
//
// dist is not committed, except for a placeholder that lets the package build without
// Node; [Assets] is then a file system without index.html, and who serves it says so.
//
// The page needs nothing from outside its origin. A content security policy of
// default-src 'self' with style-src 'self' 'unsafe-inline' (the component library writes
// style attributes) is enough; there are no inline scripts.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Assets returns the built page: index.html at the root, everything with a content hash in
// its name, and so cacheable for ever, below assets/. Any other path belongs to the page's
// own router and is answered with index.html.
func Assets() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the directory is named by the embed directive above
	}
	return sub
}
