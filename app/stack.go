package app

import "errors"

// A stack closes what was opened, in reverse, and keeps every error.
type stack []func() error

func (s *stack) push(f func() error) { *s = append(*s, f) }

func (s *stack) close() error {
	var errs []error
	for i := len(*s) - 1; i >= 0; i-- {
		errs = append(errs, (*s)[i]())
	}
	*s = nil
	return errors.Join(errs...)
}
