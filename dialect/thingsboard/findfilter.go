package thingsboard

import "github.com/tidewire/tidewire/model"

// wireRef is an entity as filters name it: by id, or by an alias of who asks.
type wireRef struct {
	Type string `json:"entityType"`
	ID   string `json:"id"`
}

// wireFilter has the members of every kind of filter (contract 10.1).
type wireFilter struct {
	Type string `json:"type"`

	Single     *wireRef `json:"singleEntity"`
	EntityType string   `json:"entityType"`
	List       []string `json:"entityList"`
	Name       string   `json:"entityNameFilter"`

	DeviceTypes []string `json:"deviceTypes"`
	DeviceType  string   `json:"deviceType"`
	DeviceName  string   `json:"deviceNameFilter"`
	AssetTypes  []string `json:"assetTypes"`
	AssetType   string   `json:"assetType"`
	AssetName   string   `json:"assetNameFilter"`
	ViewTypes   []string `json:"entityViewTypes"`
	ViewType    string   `json:"entityViewType"`
	ViewName    string   `json:"entityViewNameFilter"`

	Root          *wireRef  `json:"rootEntity"`
	MultiRoot     bool      `json:"multiRoot"`
	RootsType     string    `json:"multiRootEntitiesType"`
	Roots         []string  `json:"multiRootEntityIds"`
	Direction     string    `json:"direction"`
	MaxLevel      int       `json:"maxLevel"`
	LastLevelOnly bool      `json:"fetchLastLevelOnly"`
	RelationType  string    `json:"relationType"`
	Filters       []wireHop `json:"filters"`
}

type wireHop struct {
	RelationType string   `json:"relationType"`
	EntityTypes  []string `json:"entityTypes"`
}

// maxFilterEntities bounds what a filter may list.
const maxFilterEntities = 10_000

func (w *wireFilter) parse(who model.Principal) (f model.EntityFilter, err error) {
	switch w.Type {
	case "singleEntity":
		f.Kind = model.FilterEntities
		if w.Single == nil {
			return f, model.Invalidf("entityFilter.singleEntity is missing")
		}
		f.Refs, err = appendRef(nil, w.Single.Type, w.Single.ID, who)
	case "entityList":
		f.Kind = model.FilterEntities
		if len(w.List) > maxFilterEntities {
			return f, model.Invalidf("%d entries of entityFilter.entityList exceed the limit of %d", len(w.List), maxFilterEntities)
		}
		for _, id := range w.List {
			if f.Refs, err = appendRef(f.Refs, w.EntityType, id, who); err != nil {
				return f, err
			}
		}
	case "entityName", "entityType":
		f.Kind = model.FilterType
		if w.Type == "entityName" {
			f.Name = w.Name
		}
		if w.EntityType == "" {
			return f, model.Invalidf("entityFilter.entityType is missing")
		}
		f.Type, err = entityTypeOf(w.EntityType, "entityFilter.entityType")
	case "deviceType":
		f = byProfile(model.EntityDevice, w.DeviceTypes, w.DeviceType, w.DeviceName)
	case "assetType":
		f = byProfile(model.EntityAsset, w.AssetTypes, w.AssetType, w.AssetName)
	case "entityViewType":
		f = byProfile(model.EntityEntityView, w.ViewTypes, w.ViewType, w.ViewName)
	case "edgeType", "edgeSearchQuery", "apiUsageState":
		f.Kind = model.FilterNothing // this server has neither
	case "relationsQuery":
		f.Kind = model.FilterRelations
		f.Relations, err = w.relations(who)
	case "deviceSearchQuery":
		f, err = w.search(who, model.EntityDevice, w.DeviceTypes)
	case "assetSearchQuery":
		f, err = w.search(who, model.EntityAsset, w.AssetTypes)
	case "entityViewSearchQuery":
		f, err = w.search(who, model.EntityEntityView, w.ViewTypes)
	case "":
		err = model.Invalidf("entityFilter.type is missing")
	default:
		err = model.Invalidf("entityFilter.type %.32q is unknown", w.Type)
	}
	return f, err
}

// byProfile is a filter by profiles and a name. The old singular member counts where the
// list is not there.
func byProfile(t model.EntityType, profiles []string, profile, name string) model.EntityFilter {
	if len(profiles) == 0 && profile != "" {
		profiles = []string{profile}
	}
	return model.EntityFilter{Kind: model.FilterType, Type: t, Profiles: profiles, Name: name}
}

// search is a relations query for entities of one type.
func (w *wireFilter) search(who model.Principal, t model.EntityType, profiles []string) (f model.EntityFilter, err error) {
	f = model.EntityFilter{Kind: model.FilterRelations, Type: t, Profiles: profiles}
	hop := wireHop{RelationType: w.RelationType}
	w.Filters = []wireHop{hop}
	f.Relations, err = w.relations(who)
	return f, err
}

func (w *wireFilter) relations(who model.Principal) (*model.RelationSearch, error) {
	s := &model.RelationSearch{MaxLevel: w.MaxLevel, LastLevelOnly: w.LastLevelOnly}
	switch w.Direction {
	case "", "FROM":
	case "TO":
		s.ToRoots = true
	default:
		return nil, model.Invalidf("entityFilter.direction must be FROM or TO, is %.32q", w.Direction)
	}
	var err error
	if w.MultiRoot {
		if len(w.Roots) > maxFilterEntities {
			return nil, model.Invalidf("%d entries of entityFilter.multiRootEntityIds exceed the limit of %d", len(w.Roots), maxFilterEntities)
		}
		for _, id := range w.Roots {
			if s.Roots, err = appendRef(s.Roots, w.RootsType, id, who); err != nil {
				return nil, err
			}
		}
	} else {
		if w.Root == nil {
			return nil, model.Invalidf("entityFilter.rootEntity is missing")
		}
		if s.Roots, err = appendRef(nil, w.Root.Type, w.Root.ID, who); err != nil {
			return nil, err
		}
	}
	for _, hop := range w.Filters {
		f := model.RelationFilter{Relation: hop.RelationType}
		for _, name := range hop.EntityTypes {
			t, err := entityTypeOf(name, "entityFilter.filters.entityTypes")
			if err != nil {
				return nil, err
			}
			f.Types = append(f.Types, t)
		}
		s.Filters = append(s.Filters, f)
	}
	return s, nil
}

// appendRef adds an entity named by id, or by an alias of who asks. An alias that stands for
// nobody, the customer of a tenant's administrator, adds nothing.
func appendRef(refs []model.EntityRef, typ, id string, who model.Principal) ([]model.EntityRef, error) {
	customer := who.Customer != model.NoCustomer && who.Customer != (model.CustomerID{})
	asCustomer := model.EntityRef{Type: model.EntityCustomer, ID: model.EntityID(who.Customer)}
	asTenant := model.EntityRef{Type: model.EntityTenant, ID: model.EntityID(who.Tenant)}
	switch typ {
	case "CURRENT_CUSTOMER":
		if !customer {
			return refs, nil
		}
		return append(refs, asCustomer), nil
	case "CURRENT_TENANT":
		return append(refs, asTenant), nil
	case "CURRENT_USER":
		return append(refs, model.EntityRef{Type: model.EntityUser, ID: model.EntityID(who.User)}), nil
	case "CURRENT_USER_OWNER":
		if customer {
			return append(refs, asCustomer), nil
		}
		return append(refs, asTenant), nil
	case "":
		return refs, model.Invalidf("The type of an entity of entityFilter is missing")
	}
	t, err := entityTypeOf(typ, "The entity type of entityFilter")
	if err != nil {
		return refs, err
	}
	parsed, err := model.ParseID(id)
	if err != nil {
		return refs, err
	}
	return append(refs, model.EntityRef{Type: t, ID: model.EntityID(parsed)}), nil
}
