package api

//go:generate go -C .. tool -modfile=tools/go.mod oapi-codegen -config api/oapi-codegen.yaml openapi.yaml
