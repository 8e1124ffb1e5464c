package auth

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/tidewire/tidewire/model"
)

// Params is the cost of a password hash.
type Params struct {
	MemoryKiB uint32
	Passes    uint32
}

// defaultParams is what OWASP's password storage cheat sheet asks of argon2id at least.
var defaultParams = Params{MemoryKiB: 19 << 10, Passes: 2}

// maxParams bounds what a stored hash may ask for, so that a tampered one cannot eat the
// machine.
var maxParams = Params{MemoryKiB: 1 << 20, Passes: 16}

const (
	saltBytes = 16
	hashBytes = 32
	lanes     = 1
)

// The bounds of a password: short ones are guessed, huge ones are work for nothing.
const (
	minPassword = 8    // characters
	maxPassword = 1024 // bytes
)

// HashPassword returns the argon2id hash of a password in the PHC string form, which names
// its own parameters.
func HashPassword(password string, p Params, random io.Reader) (string, error) {
	salt := make([]byte, saltBytes)
	if _, err := io.ReadFull(random, salt); err != nil {
		return "", fmt.Errorf("auth: read randomness for a salt: %w", err)
	}
	return formatHash(p, salt, argon2.IDKey([]byte(password), salt, p.Passes, p.MemoryKiB, lanes, hashBytes)), nil
}

func formatHash(p Params, salt, sum []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.MemoryKiB, p.Passes, lanes,
		b64.EncodeToString(salt), b64.EncodeToString(sum))
}

// CheckPassword reports whether encoded is the hash of password. The error is about a
// damaged hash, never about a wrong password.
func CheckPassword(encoded, password string) (bool, error) {
	p, salt, want, err := parseHash(encoded)
	if err != nil {
		return false, err
	}
	got := argon2.IDKey([]byte(password), salt, p.Passes, p.MemoryKiB, lanes, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

func parseHash(encoded string) (p Params, salt, sum []byte, err error) {
	bad := func(what string) (Params, []byte, []byte, error) {
		return Params{}, nil, nil, fmt.Errorf("auth: stored password hash: %s", what)
	}
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return bad("not argon2id of a known version")
	}
	var parallel int
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.MemoryKiB, &p.Passes, &parallel); n != 3 || err != nil || parallel != lanes {
		return bad("malformed parameters")
	}
	if p.MemoryKiB == 0 || p.Passes == 0 || p.MemoryKiB > maxParams.MemoryKiB || p.Passes > maxParams.Passes {
		return bad("parameters out of bounds")
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	sum, sumErr := base64.RawStdEncoding.DecodeString(parts[5])
	if saltErr != nil || sumErr != nil || len(salt) < 8 || len(sum) != hashBytes {
		return bad("malformed salt or sum")
	}
	return p, salt, sum, nil
}

// PasswordBounds returns how short and how long a password may be.
func PasswordBounds() (shortest, longest int) { return minPassword, maxPassword }

// checkNewPassword refuses passwords nobody should have.
func checkNewPassword(password string) error {
	if utf8.RuneCountInString(password) < minPassword {
		return model.Invalidf("Password must be at least %d characters long!", minPassword)
	}
	if len(password) > maxPassword {
		return model.Invalidf("Password must be at most %d bytes long!", maxPassword)
	}
	return nil
}

// A hasher bounds how many passwords are hashed at once: each takes its MemoryKiB, so a
// storm of logins waits instead of eating the memory.
type hasher struct {
	params Params
	random io.Reader
	slots  chan struct{}
	dummy  string // a hash nobody's password has, as costly as the others
}

func newHasher(p Params, random io.Reader, slots int) (*hasher, error) {
	// Random bytes in place of a hash: no password that is known leads to them, and a start
	// does not wait for one to be hashed.
	var noise [saltBytes + hashBytes]byte
	if _, err := io.ReadFull(random, noise[:]); err != nil {
		return nil, fmt.Errorf("auth: read randomness: %w", err)
	}
	dummy := formatHash(p, noise[:saltBytes], noise[saltBytes:])
	return &hasher{params: p, random: random, slots: make(chan struct{}, slots), dummy: dummy}, nil
}

// enter waits for a slot; leave gives it back.
func (h *hasher) enter(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &model.Error{Kind: model.Overload, Message: "Too many logins at once", Err: ctx.Err()}
	}
}

func (h *hasher) leave() { <-h.slots }

func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	return HashPassword(password, h.params, h.random)
}

// check compares a password with a hash, when its turn has come and admit agrees; an empty hash
// costs as much and never fits.
func (h *hasher) check(ctx context.Context, encoded, password string, admit func() error) (bool, error) {
	if len(password) > maxPassword {
		password = "" // nobody has it; do not hash what an attacker made long
	}
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer h.leave()
	if err := admit(); err != nil {
		return false, err
	}
	known := encoded != ""
	if !known {
		encoded = h.dummy
	}
	ok, err := CheckPassword(encoded, password)
	return ok && known, err
}
