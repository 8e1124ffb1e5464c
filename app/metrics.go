package app

import (
	"net/http"
	"strconv"

	"github.com/VictoriaMetrics/metrics"
)

// metrics answers GET /metrics in Prometheus text: the figures of each part, the Go
// runtime's and the process's.
func (p *parts) metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		db, hub, in := p.db.Stats(), p.hub.Stats(), p.pipeline.Stats()
		for _, c := range []struct {
			name  string
			value uint64
		}{
			{"tidewire_ingest_sets_total", in.Sets},
			{"tidewire_ingest_points_total", in.Points},
			{"tidewire_ingest_bytes_total", in.Bytes},
			{"tidewire_ingest_refused_sets_total", in.Refused},
			{"tidewire_ingest_failed_sets_total", in.Failed},
			{"tidewire_store_syncs_total", uint64(db.Syncs)},
			{"tidewire_store_flushes_total", uint64(db.Flushes)},
			{"tidewire_store_background_failures_total", uint64(db.Failures)},
			{"tidewire_auth_throttled_logins_total", p.auth.Throttled()},
			{"tidewire_audit_dropped_entries_total", p.registry.AuditDropped()},
			{"tidewire_audit_skipped_refusals_total", p.server.SkippedRefusals()},
			{"tidewire_live_delivered_updates_total", uint64(hub.Delivered)},
			{"tidewire_live_queue_overflows_total", uint64(hub.Overflows)},
			{"tidewire_live_lost_subscriptions_total", uint64(hub.Lost)},
			{"tidewire_live_resumed_subscriptions_total", uint64(hub.Resumed)},
			{"tidewire_live_resume_log_readings_total", uint64(hub.Passes)},
		} {
			metrics.WriteCounterUint64(w, c.name, c.value)
		}
		for _, g := range []struct {
			name  string
			value int64
		}{
			{"tidewire_store_position", int64(db.Position)},
			{"tidewire_store_flushed_position", int64(db.Flushed)},
			{"tidewire_store_head_bytes", db.HeadBytes},
			{"tidewire_store_log_bytes", db.LogBytes},
			{"tidewire_store_log_kept_bytes", db.LogKept},
			{"tidewire_store_free_bytes", db.FreeBytes},
			{"tidewire_store_no_space", int64(boolean(db.NoSpace))},
			{"tidewire_store_above_ceiling", int64(boolean(db.AboveCeiling))},
			{"tidewire_store_losses", db.Losses},
			{"tidewire_store_series", db.Series},
			{"tidewire_store_catalog_bytes", db.CatalogBytes},
			{"tidewire_store_latest_columns_bytes", db.ColumnsBytes},
			{"tidewire_store_entities_in_memory", db.Entities},
			{"tidewire_store_disk_bytes", db.DiskBytes},
			{"tidewire_live_subscriptions", hub.Subscriptions},
			{"tidewire_live_topics", hub.Topics},
			{"tidewire_devices_in_memory", int64(in.Devices)},
		} {
			metrics.WriteGaugeUint64(w, g.name, uint64(max(g.value, 0)))
		}
		for limit, n := range db.Near {
			metrics.WriteCounterUint64(w, "tidewire_store_near_limit_total{limit="+strconv.Quote(limit)+"}", uint64(n))
		}
		for limit, n := range p.rates.Refused() {
			metrics.WriteCounterUint64(w, "tidewire_rate_limited_total{limit="+strconv.Quote(limit)+"}", n)
		}
		for _, c := range db.Consumers {
			label := "{consumer=" + strconv.Quote(c.Name) + "}"
			metrics.WriteGaugeUint64(w, "tidewire_store_consumer_lag_entries"+label, uint64(c.Lag))
			metrics.WriteGaugeUint64(w, "tidewire_store_consumer_lag_bytes"+label, uint64(c.LagBytes))
		}
		metrics.WriteProcessMetrics(w)
	})
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}
