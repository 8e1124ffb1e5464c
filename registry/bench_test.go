package registry

import (
	"fmt"
	"testing"

	"github.com/tidewire/tidewire/model"
)

// BenchmarkDeviceList pages through a tenant of 20,000 devices.
func BenchmarkDeviceList(b *testing.B) {
	f := open(b)
	check(b, f.write(b.Context(), func(tx *tx) error {
		for i := range 20_000 {
			d := &model.Device{Tenant: f.tenant, Name: fmt.Sprintf("device %06d", i*7919%20_000)}
			if err := f.insertDevice(tx, d); err != nil {
				return err
			}
		}
		return nil
	}))
	for name, l := range map[string]model.PageLink{"newest": {Size: 20}, "name": {Size: 20, Sort: "name"}, "search": {Size: 20, Search: "DEVICE 009"}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, err := f.Devices(b.Context(), f.tenant, model.DeviceFilter{}, l)
				check(b, err)
			}
		})
	}
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			f.reopen(b)
		}
	})
}
