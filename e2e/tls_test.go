package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// certificate makes a self-signed one for 127.0.0.1 and a client that trusts it.
func certificate(t *testing.T) (certFile, keyFile string, trusting *http.Client) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tidewire"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	save := func(name, kind string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pool := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	trusting = watched(t, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}})
	return save("cert.pem", "CERTIFICATE", der), save("key.pem", "PRIVATE KEY", secret), trusting
}

func TestHTTPSAndSocketsOverTLS(t *testing.T) {
	cert, key, trusting := certificate(t)
	s := launch(t, t.TempDir(), "--demo", "--tls-cert", cert, "--tls-key", key)
	url := s.await(`open\s+(https://\S+)`)[1]
	res, err := trusting.Get(url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("status %d", res.StatusCode)
	}
	conn, _, err := websocket.Dial(t.Context(), "wss"+strings.TrimPrefix(url, "https")+"/api/ws/plugins/telemetry?token=nobody", &websocket.DialOptions{HTTPClient: trusting})
	if err != nil {
		t.Fatal(err)
	}
	// A bad token in the URL closes with 1011 (contract thingsboard 11.2).
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusInternalError {
		t.Errorf("closed with %v", err)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
