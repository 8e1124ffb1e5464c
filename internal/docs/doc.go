// Package docs holds the tests of what is written for people: the README and the pages of
// docs say what is there.
package docs
