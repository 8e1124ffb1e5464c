package api_test

import (
	"encoding/csv"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/tidewire/tidewire/api"
)

func (w *world) audit(query, token string) api.PageAuditLog {
	w.t.Helper()
	var p api.PageAuditLog
	w.call("GET", "/api/audit/logs?pageSize=1000&page=0"+query, token, "").is(200).json(&p)
	return p
}

func TestAuditTellsWhoDidWhat(t *testing.T) {
	w := newWorld(t)
	device := post[api.Device](w, "/api/device", w.adminA, `{"name":"pump"}`)
	post[api.Device](w, "/api/device", w.adminA, `{"id":{"entityType":"DEVICE","id":"`+device.ID.ID.String()+`"},"name":"pump 2"}`)
	w.call("DELETE", "/api/device/"+device.ID.ID.String(), w.adminA, "", "User-Agent", "curl").is(200)
	w.call("GET", "/api/tenants"+list, w.adminA, "").is(403)
	w.call("DELETE", "/api/device/"+w.foreign.String(), w.adminA, "").is(404)
	w.call("POST", "/api/auth/login", "", `{"username":"one@example.org","password":"wrong"}`).is(401)
	w.call("POST", "/api/auth/login", "", `{"username":"one@example.org","password":"`+password+`"}`).is(200)
	w.call("GET", "/api/device/"+w.owned.String(), w.adminA, "").is(200)
	w.call("POST", "/api/plugins/telemetry/DEVICE/"+w.owned.String()+"/timeseries/ANY", w.adminA, `{"t":1}`).is(200)

	var got []string
	for _, e := range w.audit("", w.adminA).Data {
		got = append(got, strings.Join([]string{e.UserName, e.ActionType, string(e.ActionStatus), e.EntityName}, " "))
		if e.ActionData.ClientAddress == "" || e.CreatedTime == 0 || e.UserID == nil {
			t.Errorf("incomplete: %+v", e)
		}
	}
	want := []string{
		"one@example.org LOGIN SUCCESS ", "one@example.org LOGIN FAILURE ",
		"a@example.org DELETED FAILURE ", "a@example.org READ FAILURE ",
		"a@example.org DELETED SUCCESS pump 2", "a@example.org UPDATED SUCCESS pump 2", "a@example.org ADDED SUCCESS pump",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var of api.PageAuditLog
	w.call("GET", "/api/audit/logs/entity/DEVICE/"+device.ID.ID.String()+list, w.adminA, "").is(200).json(&of)
	if of.TotalElements != 3 || of.Data[0].ActionData.UserAgent != "curl" {
		t.Errorf("of the device: %+v", of)
	}
	w.call("GET", "/api/audit/logs/customer/"+w.one.String()+list, w.adminA, "").is(200).json(&of)
	if of.TotalElements != 1 {
		t.Errorf("of the customer: %+v", of)
	}
	if n := w.audit("&actionTypes=LOGIN,ADDED", w.adminA).TotalElements; n != 3 {
		t.Errorf("%d logins and additions, want 3", n)
	}
	for _, token := range []string{w.adminB, w.system} {
		if n := w.audit("", token).TotalElements; n != 0 {
			t.Errorf("a stranger sees %d entries of the tenant", n)
		}
	}
	w.call("GET", "/api/audit/logs", w.adminA, "").fails(400, 31, "Required request parameter 'pageSize' is not present")
}

// Whatever a client says, an export has one line an entry and no formula, and the server's own
// log one line a record.
func TestNobodyForgesALine(t *testing.T) {
	for _, handler := range []string{"text", "json"} {
		logged := new(strings.Builder)
		w := newWorld(t, func(d *api.Deps) {
			options := &slog.HandlerOptions{Level: slog.LevelDebug}
			if d.Log = slog.New(slog.NewTextHandler(logged, options)); handler == "json" {
				d.Log = slog.New(slog.NewJSONHandler(logged, options))
			}
		})
		evil := "=x\r\n{\"forged\":1}\n\x1b[31mtime=forged level=ERROR\u2028\u0085,\"q"
		text, err := json.Marshal(evil)
		check(t, err)
		w.call("POST", "/api/device", w.adminA, `{"name":`+string(text)+`}`, "User-Agent", evil, "X-Forwarded-For", evil)
		w.call("POST", "/api/auth/login", "", `{"username":"a@example.org","password":`+string(text)+`}`, "User-Agent", evil).is(401)
		w.call("POST", "/api/auth/login", "", `{"username":`+string(text)+`,"password":"x"}`, "User-Agent", evil).is(401)
		w.call("GET", "/api/device/%0Aforged%0D", w.adminA, "")

		for _, token := range []string{w.adminA, w.system} {
			n := int(w.audit("", token).TotalElements)
			if n == 0 {
				t.Fatal("nothing was noted")
			}
			lines := strings.Split(strings.TrimSuffix(w.call("GET", "/api/audit/logs", token, "", "Accept", "application/x-ndjson").is(200).Body.String(), "\n"), "\n")
			if len(lines) != n {
				t.Errorf("%d lines of %d entries", len(lines), n)
			}
			for _, line := range lines {
				var e api.AuditLog
				check(t, json.Unmarshal([]byte(line), &e))
			}
			table := w.call("GET", "/api/audit/logs", token, "", "Accept", "text/csv").is(200).Body.String()
			records, err := csv.NewReader(strings.NewReader(table)).ReadAll()
			check(t, err)
			if len(records) != n+1 || strings.Count(table, "\n") != n+1 {
				t.Errorf("%d records on %d lines of %d entries", len(records), strings.Count(table, "\n"), n)
			}
			for _, r := range records {
				for _, cell := range r {
					if strings.HasPrefix(cell, "=") || strings.ContainsAny(cell, "\r\n\x1b\u2028\u0085") {
						t.Errorf("cell %q", cell)
					}
				}
			}
		}
		for line := range strings.Lines(logged.String()) {
			if handler == "text" && !strings.HasPrefix(line, "time=2") || handler == "json" && !json.Valid([]byte(line)) {
				t.Errorf("forged: %q", line)
			}
		}
		if strings.ContainsAny(logged.String(), "\x1b\u2028\u0085") && handler == "text" {
			t.Error("the log has control characters")
		}
	}
}

// Who adds an operation that changes something says whether it leaves an entry: only what is
// listed does not.
func TestUnauditedOperationsAreReal(t *testing.T) {
	names := map[string]bool{}
	for _, item := range spec(t).Paths.Map() {
		for _, op := range item.Operations() {
			names[strings.ToLower(op.OperationID)] = true
		}
	}
	for _, name := range api.AuditTables() {
		if !names[strings.ToLower(name)] {
			t.Errorf("%s is no operation", name)
		}
	}
}
