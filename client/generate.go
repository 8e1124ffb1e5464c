package client

//go:generate go -C .. tool -modfile=tools/go.mod oapi-codegen -config client/oapi-codegen.yaml openapi.yaml
