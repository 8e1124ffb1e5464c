//go:build !linux

package ws

import "net"

func tune(net.Conn) {}
