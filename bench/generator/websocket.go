package main

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const patience = 10 * time.Second

// webSocket is the client's end of a connection: whole text frames, no compression.
type webSocket struct {
	net.Conn
	reader  *bufio.Reader
	payload []byte
	writing sync.Mutex
}

func dial(address string, headers map[string]string) (*webSocket, error) {
	target, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	conn, err := net.DialTimeout("tcp", target.Host, patience)
	if err != nil {
		return nil, err
	}
	key := make([]byte, 16)
	rand.Read(key)
	request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n",
		target.RequestURI(), target.Host, base64.StdEncoding.EncodeToString(key))
	for name, value := range headers {
		request += name + ": " + value + "\r\n"
	}
	conn.SetDeadline(time.Now().Add(patience))
	socket := &webSocket{Conn: conn, reader: bufio.NewReaderSize(conn, 4096)}
	if _, err = io.WriteString(conn, request+"\r\n"); err == nil {
		var response *http.Response
		if response, err = http.ReadResponse(socket.reader, nil); err == nil && response.StatusCode != 101 {
			err = errors.New("the server answered the handshake with " + response.Status)
		}
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	return socket, nil
}

// read returns the text of the next frame. It is overwritten by the next call.
func (s *webSocket) read() ([]byte, error) {
	for {
		var head [8]byte
		if _, err := io.ReadFull(s.reader, head[:2]); err != nil {
			return nil, err
		}
		code, size := head[0], uint64(head[1]&0x7f)
		extended := map[uint64]int{126: 2, 127: 8}[size]
		if extended > 0 {
			if _, err := io.ReadFull(s.reader, head[8-extended:]); err != nil {
				return nil, err
			}
			for i := range head[:8-extended] {
				head[i] = 0
			}
			size = binary.BigEndian.Uint64(head[:])
		}
		if size > uint64(cap(s.payload)) {
			s.payload = make([]byte, size)
		}
		s.payload = s.payload[:size]
		if _, err := io.ReadFull(s.reader, s.payload); err != nil {
			return nil, err
		}
		switch code {
		case 0x81:
			return s.payload, nil
		case 0x89:
			if err := s.send(0x8a, s.payload); err != nil {
				return nil, err
			}
		case 0x8a:
		case 0x88:
			return nil, io.EOF
		default:
			return nil, fmt.Errorf("a frame of an unknown kind: %#x", code)
		}
	}
}

func (s *webSocket) write(text []byte) error { return s.send(0x81, text) }

// send masks with zeros: servers unmask all the same, and the generator saves the work.
func (s *webSocket) send(code byte, payload []byte) error {
	frame := make([]byte, 0, len(payload)+14)
	switch size := len(payload); {
	case size < 126:
		frame = append(frame, code, 0x80|byte(size))
	case size < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, code, 0x80|126), uint16(size))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, code, 0x80|127), uint64(size))
	}
	frame = append(append(frame, 0, 0, 0, 0), payload...)
	s.writing.Lock()
	defer s.writing.Unlock()
	_, err := s.Conn.Write(frame)
	return err
}
