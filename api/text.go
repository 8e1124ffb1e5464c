package api

import (
	"io"
	"net/http"
)

// A textAnswer is a plain text. The generated one leaves the character set open.
type textAnswer string

func (a textAnswer) write(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_, err := io.WriteString(w, string(a))
	return err
}

// VisitGetCustomerTitleResponse implements GetCustomerTitleResponseObject.
func (a textAnswer) VisitGetCustomerTitleResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitGetActivationLinkResponse implements GetActivationLinkResponseObject.
func (a textAnswer) VisitGetActivationLinkResponse(w http.ResponseWriter) error { return a.write(w) }
