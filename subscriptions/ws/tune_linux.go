package ws

import (
	"net"

	"golang.org/x/sys/unix"
)

// unsentBytes is how much the kernel may hold of what is not on its way yet. Left alone it
// takes megabytes for a slow reader, who is then shown the past before the newest.
const unsentBytes = 128 << 10

// tune makes the socket say sooner that it is full. It is a wish: what refuses it works as
// well.
func tune(nc net.Conn) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentBytes)
	})
}
