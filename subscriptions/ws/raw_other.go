//go:build !unix

package ws

import (
	"errors"
	"net"
	"syscall"
)

// rawConn returns nil: here every connection writes from a goroutine of its own.
func rawConn(net.Conn) syscall.RawConn { return nil }

func writeFD(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

func readable(uintptr) bool { return true }
