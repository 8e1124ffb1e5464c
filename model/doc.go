// Package model holds the nouns of Tidewire: the vocabulary in which a change travels from
// a device to the disk and on to a browser without being converted on the way.
//
//	tenant ─┬─ customer ── user
//	        └─ entity ── series (scope, key) ── point (ts ms, value)
//
// A dialect turns bytes into a [WriteSet], the change of one entity; the engine makes it
// durable and visible and reports it as a [Change] at a [Position]; queries answer with
// [Point] and [Bucket]. An [Error] carries a [Kind] that each door translates once.
//
// The package imports nothing of ours. Its types are plain data: they are not safe for
// concurrent use while one side writes them.
package model
