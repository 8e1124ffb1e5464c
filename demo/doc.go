// Package demo holds what `tidewire serve --demo` shows, all of it real: the figures of
// the machine it runs on, once a second, and weather records of NOAA. Both enter through
// the same door as any device's telemetry.
package demo
