package demo

import (
	"bytes"
	"context"
	"embed"
	"fmt"

	"github.com/tidewire/tidewire/importer"
)

//go:embed data/*.csv
var files embed.FS

// A Source is one weather file with the settings it is imported with.
type Source struct {
	File         string // under data/
	Device       string // the device of all rows, or
	DeviceColumn string // the column that names it
	Zone         string
	About        string // what it is, shown as the device's label
}

// Sources are the weather files of the demonstration.
var Sources = []Source{
	{File: "seattle-weather.csv", Device: "Seattle daily weather", About: "NOAA, daily observations 2012-2015"},
	{File: "weather.csv", DeviceColumn: "location", About: "NOAA, daily observations 2012-2015"},
	{File: "seattle-weather-hourly-normals.csv", Device: "Seattle hourly normals", Zone: "-08:00",
		About: "NOAA, 30-year averages 1981-2010 of each hour, dated 2010: not measurements"},
}

// Import loads one weather file into sink.
func (s Source) Import(ctx context.Context, sink importer.Sink) (importer.Progress, error) {
	b, err := files.ReadFile("data/" + s.File)
	if err != nil {
		return importer.Progress{}, fmt.Errorf("open the weather file: %w", err)
	}
	zone, err := importer.ParseZone(s.Zone)
	if err != nil {
		return importer.Progress{}, err
	}
	rd, err := importer.NewReader(bytes.NewReader(b), importer.Options{Device: s.Device, DeviceColumn: s.DeviceColumn, Zone: zone})
	if err != nil {
		return importer.Progress{}, fmt.Errorf("read %s: %w", s.File, err)
	}
	return importer.Run(ctx, rd, sink, importer.Job{BatchRows: 5000})
}
