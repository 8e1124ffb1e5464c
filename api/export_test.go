package api

// TypedParameters lets tests hold the list against the document.
var TypedParameters = typed
