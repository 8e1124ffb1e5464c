package model

// A Relation says that one entity has to do with another (contract thingsboard 3.4): a building
// Contains a device. Its ends, type and group are its identity.
type Relation struct {
	From, To EntityRef
	Type     string // Contains, Manages, Created or any word
	Group    string // COMMON unless it is a program's own
	Info     []byte
}

// CommonRelations is the group of the relations people make.
const CommonRelations = "COMMON"

// A RelationQuery narrows a list of relations of a tenant. Zero fields narrow nothing.
type RelationQuery struct {
	From, To EntityRef
	Type     string
	Group    string
}
