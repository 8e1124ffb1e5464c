package model

// An AssetProfile groups assets of a kind; its name is an asset's type.
type AssetProfile struct {
	ID          ID
	Tenant      TenantID
	Created     int64 // ms
	Version     int64
	Name        string
	Description string
	Default     bool
	Dashboard   EntityID // what an asset of the profile opens; zero is none
	Queue       string
	Image       string
}

// An Asset is the record behind an entity of type ASSET: something that has telemetry and is
// no device, a building or a line of machines.
type Asset struct {
	ID        EntityID
	Tenant    TenantID
	Customer  CustomerID
	Created   int64 // ms
	Version   int64
	Name      string
	Label     string
	Profile   string // name of the profile, "type" on the wire
	ProfileID ID
	Info      []byte
}

// An AssetFilter narrows a list of assets.
type AssetFilter struct {
	Type     string // profile name
	Profile  ID
	Customer CustomerID
}
