package main

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// A dialect is how a candidate speaks over its WebSocket.
type dialect interface {
	// hello is what the client says first; empty: it is connected at once.
	hello() string
	// post says a message. The number comes back in the acknowledgement.
	post(number int, roomID, id, body string) []byte
	// parts cuts a frame into pieces of which each means one thing.
	parts(frame []byte) [][]byte
	// kind tells what a part is, without reading all of it; the number is that of an acknowledgement.
	kind(part []byte) (kind, int)
	// news is the JSON inside a part of kind news.
	news(part []byte) []byte
	// pong answers a ping.
	pong() []byte
}

type kind int

const (
	other kind = iota
	connected
	ping
	acknowledged
	refused
	news
)

// message is what everybody must be told of a message. Further fields are not looked at.
type message struct {
	RoomID string `json:"roomId"`
	Seq    int    `json:"seq"`
	ID     string `json:"id"`
	Body   string `json:"body"`
}

// announcement is one message, or several of a room.
type announcement struct {
	message
	Messages []message `json:"messages"`
}

func readNews(text []byte) ([]message, error) {
	var read announcement
	if err := json.Unmarshal(text, &read); err != nil {
		return nil, err
	}
	if read.Messages == nil {
		return []message{read.message}, nil
	}
	for i := range read.Messages {
		read.Messages[i].RoomID = read.RoomID
	}
	return read.Messages, nil
}

func encode(value any) []byte {
	text, _ := json.Marshal(value)
	return text
}

// leadingNumber returns the digits that a text begins with, and what follows them.
func leadingNumber(text []byte) (int, []byte) {
	end := 0
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	number, _ := strconv.Atoi(string(text[:end]))
	return number, text[end:]
}

var dialects = map[string]dialect{"socket.io": socketIO{}, "ws": plain{}, "centrifuge": centrifuge{}}

// socketIO is Engine.IO 4 and the default parser, with one event for news: messages:posted, or message.
type socketIO struct{}

func (socketIO) hello() string { return "40" }
func (socketIO) pong() []byte  { return []byte("3") }
func (socketIO) post(number int, roomID, id, body string) []byte {
	event := encode([]any{"message:post", map[string]string{"roomId": roomID, "id": id, "body": body}})
	return append([]byte("42"+strconv.Itoa(number)), event...)
}
func (socketIO) parts(frame []byte) [][]byte { return [][]byte{frame} }
func (socketIO) kind(part []byte) (kind, int) {
	switch {
	case bytes.HasPrefix(part, []byte(`42["messages:posted",`)), bytes.HasPrefix(part, []byte(`42["message",`)):
		return news, 0
	case bytes.HasPrefix(part, []byte("43")):
		number, rest := leadingNumber(part[2:])
		if bytes.HasPrefix(rest, []byte(`[{"error"`)) {
			return refused, number
		}
		return acknowledged, number
	case bytes.Equal(part, []byte("2")):
		return ping, 0
	case bytes.HasPrefix(part, []byte("40")):
		return connected, 0
	}
	return other, 0
}
func (socketIO) news(part []byte) []byte {
	return part[bytes.IndexByte(part, ',')+1 : len(part)-1]
}

// plain is JSON in frames: {n, roomId, id, body} up; {"ack":n} and {roomId, seq?, id, body} down.
type plain struct{}

func (plain) hello() string { return "" }
func (plain) pong() []byte  { return nil }
func (plain) post(number int, roomID, id, body string) []byte {
	return encode(map[string]any{"n": number, "roomId": roomID, "id": id, "body": body})
}
func (plain) parts(frame []byte) [][]byte { return [][]byte{frame} }
func (plain) kind(part []byte) (kind, int) {
	if rest, isAck := bytes.CutPrefix(part, []byte(`{"ack":`)); isAck {
		number, _ := leadingNumber(rest)
		return acknowledged, number
	}
	return news, 0
}
func (plain) news(part []byte) []byte { return part }

// centrifuge is its JSON protocol: commands and replies, one a line.
type centrifuge struct{}

// Acknowledgements are replies as well, and the connecting one is number 1.
const firstPost = 2

func (centrifuge) hello() string { return `{"id":1,"connect":{}}` }
func (centrifuge) pong() []byte  { return []byte("{}") }
func (centrifuge) post(number int, roomID, id, body string) []byte {
	data := map[string]string{"roomId": roomID, "id": id, "body": body}
	return encode(map[string]any{"id": number + firstPost, "publish": map[string]any{"channel": roomID, "data": data}})
}
func (centrifuge) parts(frame []byte) [][]byte {
	return bytes.Split(bytes.TrimRight(frame, "\n"), []byte("\n"))
}
func (centrifuge) kind(part []byte) (kind, int) {
	if rest, isReply := bytes.CutPrefix(part, []byte(`{"id":`)); isReply {
		number, rest := leadingNumber(rest)
		switch {
		case number < firstPost:
			return connected, 0
		case bytes.HasPrefix(rest, []byte(`,"error"`)):
			return refused, number - firstPost
		}
		return acknowledged, number - firstPost
	}
	switch {
	case bytes.Equal(part, []byte("{}")):
		return ping, 0
	case bytes.Contains(part, []byte(`"pub":`)):
		return news, 0
	}
	return other, 0
}
func (centrifuge) news(part []byte) []byte {
	var pushed struct {
		Push struct {
			Pub struct {
				Data json.RawMessage `json:"data"`
			} `json:"pub"`
		} `json:"push"`
	}
	json.Unmarshal(part, &pushed)
	return pushed.Push.Pub.Data
}
