package registry

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/tidewire/tidewire/model"
)

// A lookup is the keyed hash of a device credential: without the key it tells nothing, so
// the database can be searched by it and stolen with it.
type lookup [sha256.Size]byte

func (l lookup) String() string { return base64.StdEncoding.EncodeToString(l[:]) }

func parseLookup(s string) (l lookup, err error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || copy(l[:], b) != len(l) || len(b) != len(l) {
		return l, fmt.Errorf("malformed lookup %q", s)
	}
	return l, nil
}

// A sealer hashes and encrypts device credentials.
type sealer struct {
	macs   sync.Pool // *mac: setting the key up costs as much as the hash itself
	aead   cipher.AEAD
	random io.Reader
}

// A mac is one reusable hash with its buffers, so that hashing does not allocate.
type mac struct {
	h   hash.Hash
	in  []byte
	sum []byte
}

func newSealer(k *Keys, random io.Reader) (*sealer, error) {
	block, err := aes.NewCipher(k.Seal[:])
	if err != nil {
		return nil, fmt.Errorf("set up AES: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("set up GCM: %w", err)
	}
	key := k.Lookup // the pool's closure must not see a caller changing its Keys
	s := &sealer{aead: aead, random: random}
	s.macs.New = func() any {
		return &mac{h: hmac.New(sha256.New, key[:]), sum: make([]byte, 0, sha256.Size)}
	}
	return s, nil
}

// lookup hashes a credential as clients present it.
func (s *sealer) lookup(key string) (l lookup) {
	m := s.macs.Get().(*mac)
	m.h.Reset()
	m.in = append(m.in[:0], key...)
	m.h.Write(m.in)
	m.sum = m.h.Sum(m.sum[:0])
	copy(l[:], m.sum)
	clear(m.in)
	s.macs.Put(m)
	return l
}

// seal encrypts one field of a credential. The ciphertext is bound to the record and the
// field, so rows and columns cannot be exchanged.
func (s *sealer) seal(id model.ID, field, plain string) (string, error) {
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(plain)+s.aead.Overhead())
	if _, err := io.ReadFull(s.random, nonce); err != nil {
		return "", fmt.Errorf("read randomness for a nonce: %w", err)
	}
	out := s.aead.Seal(nonce, nonce, []byte(plain), sealedTo(id, field))
	return base64.StdEncoding.EncodeToString(out), nil
}

// open decrypts what seal made of the same record and field.
func (s *sealer) open(id model.ID, field, sealed string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(b) < s.aead.NonceSize() {
		return "", fmt.Errorf("malformed ciphertext of credentials %s", id)
	}
	n := s.aead.NonceSize()
	plain, err := s.aead.Open(nil, b[:n], b[n:], sealedTo(id, field))
	if err != nil {
		return "", fmt.Errorf("decrypt credentials %s: %w", id, err)
	}
	return string(plain), nil
}

func sealedTo(id model.ID, field string) []byte { return append(id.Append(nil), field...) }
