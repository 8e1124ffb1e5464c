package model

// A FindQuery asks for one page of the entities that pass a filter and conditions, with
// some of their fields and latest values (contract thingsboard 10).
type FindQuery struct {
	Filter     EntityFilter
	Conditions []Condition
	// AnyCondition asks that one condition holds instead of all.
	AnyCondition bool

	Fields []EntityKey // of kind EntityField
	Latest []EntityKey
	// Search narrows the answer to entities with a field or latest value that contains it,
	// whatever the case.
	Search string

	Sort       EntityKey // of kind 0: by creation, newest first
	Descending bool
	Size, Page int  // Page counts from 0
	Dynamic    bool // a live query is asked again from time to time
}

// A KeyKind says where the value of an EntityKey comes from.
type KeyKind uint8

// The kinds of keys.
const (
	EntityField KeyKind = iota + 1 // a property of the entity
	SeriesKey                      // the latest of a time series
	ClientKey                      // an attribute of one scope
	SharedKey
	ServerKey
	AttributeKey // the newest over the three scopes
	AlarmField
)

// An EntityKey names a value of an entity.
type EntityKey struct {
	Kind KeyKind
	Key  string
}

// A FilterKind says how an EntityFilter chooses.
type FilterKind uint8

// The kinds of filters.
const (
	FilterEntities  FilterKind = iota + 1 // those listed in Refs
	FilterType                            // all of Type, narrowed by Profiles and Name
	FilterRelations                       // what Relations reaches, narrowed by Profiles
	FilterNothing                         // none: a kind of entity this server never has
)

// An EntityFilter chooses entities.
type EntityFilter struct {
	Kind     FilterKind
	Refs     []EntityRef
	Type     EntityType
	Profiles []string // names of profiles ("deviceTypes"); none means any
	// Name is a pattern, whatever the case: '%' stands for any text, '_' for any character. A
	// pattern that neither begins nor ends with '%' is one of the beginning.
	Name      string
	Relations *RelationSearch
}

// A RelationSearch walks relations from its roots.
type RelationSearch struct {
	Roots []EntityRef
	// ToRoots walks against the direction of the relations.
	ToRoots  bool
	MaxLevel int // zero or less: as far as it goes
	// LastLevelOnly leaves out what is not at the end of its way.
	LastLevelOnly bool
	Filters       []RelationFilter // none: every relation
}

// A RelationFilter names relations to follow. Empty fields match everything.
type RelationFilter struct {
	Relation string
	Types    []EntityType
}

// A Condition is a predicate about a value. An entity without the value never meets it.
type Condition struct {
	Key EntityKey
	Is  Predicate
}

// A PredicateOp is what a Predicate does.
type PredicateOp uint8

// The operations. All and Any join Parts; the others compare with Value.
const (
	All PredicateOp = iota + 1
	Any
	Equal
	NotEqual
	Greater
	Less
	GreaterOrEqual
	LessOrEqual
	StartsWith
	EndsWith
	Contains
	NotContains
	In
	NotIn
)

// A Predicate holds or does not hold of a value.
type Predicate struct {
	Op    PredicateOp
	Parts []Predicate
	// Type is what is compared: TypeString, TypeFloat (every number) or TypeBool. A value of
	// another type never matches.
	Type       Type
	IgnoreCase bool
	Value      Operand
}

// An Operand is a constant, or the attribute of whoever asks.
type Operand struct {
	// Chosen by a user stands before everything, TypeNone where nothing was.
	Chosen Value
	// Source names whose server attribute Attribute to take: EntityTenant, EntityCustomer or
	// EntityUser; "" for none. Inherit asks the customer of a user and the tenant of a
	// customer where there is no such attribute.
	Source    EntityType
	Attribute string
	Inherit   bool
	// Default is what remains.
	Default Value
}

// An EntityData is an entity as a FindQuery shows it.
type EntityData struct {
	Entity *Entity
	// Fields and Latest are in the order of the query. TypeNone: there is none.
	Fields []Value
	Latest []Point
}
