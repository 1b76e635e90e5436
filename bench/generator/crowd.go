package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type person struct {
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Rooms   []string          `json:"rooms"`
}

// client is one connection. Only its own reader touches what a run notes of it.
type client struct {
	person
	index int
	// Indices of the rooms it is in.
	rooms  []int
	socket atomic.Pointer[webSocket]
	// Highest seq heard of in each of its rooms.
	heads []int
	// Has it lost its server in a storm?
	isUprooted bool
}

type crowd struct {
	dialect dialect
	groups  map[string][]int
	clients []*client
	rooms   []string
	roomOf  map[string]int
	// Of this crowd, so that ids of two crowds differ.
	nonce   string
	current atomic.Pointer[running]
	// Numbers of posts, over all runs of the crowd.
	posts int
	// Frames of every kind, and connections that ended though nobody asked for it.
	frames, broken atomic.Int64
	closed         atomic.Bool
	seed           maphash.Seed
}

type connection struct {
	Connected int     `json:"connected"`
	Seconds   float64 `json:"seconds"`
	// Before anybody was there, and with all of them.
	Before map[string]usage `json:"before"`
	After  map[string]usage `json:"after"`
}

const dialsAtOnce = 50

// connect opens a connection for each person, and waits until what their arrival causes has died down.
func connect(dialect dialect, people []person, groups map[string][]int) (*crowd, *connection, error) {
	nonce := make([]byte, 4)
	rand.Read(nonce)
	c := &crowd{dialect: dialect, groups: groups, roomOf: map[string]int{}, nonce: hex.EncodeToString(nonce), seed: maphash.MakeSeed()}
	for index, person := range people {
		client := &client{person: person, index: index, heads: make([]int, len(person.Rooms))}
		for _, id := range person.Rooms {
			room, isKnown := c.roomOf[id]
			if !isKnown {
				room = len(c.rooms)
				c.roomOf[id] = room
				c.rooms = append(c.rooms, id)
			}
			client.rooms = append(client.rooms, room)
		}
		c.clients = append(c.clients, client)
	}
	before, start := measure(groups), time.Now()
	places := make(chan struct{}, dialsAtOnce)
	failures := make(chan error, len(people))
	var dialling sync.WaitGroup
	for _, each := range c.clients {
		dialling.Add(1)
		places <- struct{}{}
		go func() {
			defer dialling.Done()
			defer func() { <-places }()
			socket, err := c.open(each)
			if err != nil {
				failures <- err
				return
			}
			go c.listen(each, socket)
		}()
	}
	dialling.Wait()
	if len(failures) > 0 {
		c.close()
		return nil, nil, fmt.Errorf("%d of %d people could not connect: %w", len(failures), len(people), <-failures)
	}
	seconds := time.Since(start).Seconds()
	c.settle(30 * time.Second)
	return c, &connection{len(people), seconds, before, measure(c.groups)}, nil
}

// rest measures what everybody costs who does nothing for so long.
func (c *crowd) rest(seconds float64) (any, error) {
	if c == nil {
		return nil, fmt.Errorf("nobody is connected")
	}
	before := c.read(&running{})
	time.Sleep(time.Duration(seconds * float64(time.Second)))
	return between(before, c.read(&running{})), nil
}

// settle waits until hardly anything is heard for half a second, or for so long.
func (c *crowd) settle(atMost time.Duration) {
	for end := time.Now().Add(atMost); time.Now().Before(end); {
		before := c.frames.Load()
		time.Sleep(500 * time.Millisecond)
		if c.frames.Load()-before <= int64(len(c.clients)/10) {
			return
		}
	}
}

func (c *crowd) close() {
	if c == nil {
		return
	}
	c.closed.Store(true)
	for _, each := range c.clients {
		if socket := each.socket.Load(); socket != nil {
			socket.Close()
		}
	}
}

// open connects a client and resolves once the server has let it in.
func (c *crowd) open(each *client) (*webSocket, error) {
	socket, err := dial(each.URL, each.Headers)
	if err != nil {
		return nil, err
	}
	if hello := c.dialect.hello(); hello != "" {
		socket.SetReadDeadline(time.Now().Add(patience))
		if err := socket.write([]byte(hello)); err != nil {
			socket.Close()
			return nil, err
		}
		for isIn := false; !isIn; {
			frame, err := socket.read()
			if err != nil {
				socket.Close()
				return nil, fmt.Errorf("while connecting: %w", err)
			}
			for _, part := range c.dialect.parts(frame) {
				kind, _ := c.dialect.kind(part)
				isIn = isIn || kind == connected
			}
			if strings.HasPrefix(string(frame), "44") {
				socket.Close()
				return nil, fmt.Errorf("the server refused the connection: %s", frame)
			}
		}
		socket.SetReadDeadline(time.Time{})
	}
	each.socket.Store(socket)
	return socket, nil
}

// listen reads until the connection ends.
func (c *crowd) listen(each *client, socket *webSocket) {
	for {
		frame, err := socket.read()
		if err != nil {
			socket.Close()
			if c.closed.Load() {
				return
			}
			if now := c.current.Load(); now != nil && now.storm != nil && now.storm.uproots(each) {
				now.storm.comeBack(c, now, each)
			} else {
				c.broken.Add(1)
			}
			return
		}
		at := time.Now()
		c.frames.Add(1)
		now := c.current.Load()
		hasNews := false
		for _, part := range c.dialect.parts(frame) {
			kind, number := c.dialect.kind(part)
			switch kind {
			case ping:
				socket.write(c.dialect.pong())
			case acknowledged, refused:
				if now != nil {
					now.acknowledge(number, kind == acknowledged, at)
				}
			case news:
				hasNews = true
				if now != nil {
					for _, arrival := range now.read(c, part) {
						now.arrive(each, arrival, at)
					}
				}
			}
		}
		if hasNews && now != nil {
			now.newsFrames.Add(1)
			now.newsBytes.Add(int64(len(frame)))
		}
	}
}

// arrival is a message as it stands in a frame, looked at once for all who get that frame.
type arrival struct {
	room, seq int
	// Its number in this run; negative: it is from before.
	number int
	fault  string
}

// read returns the messages of a part. The same bytes for another client cost a look into a table.
func (r *running) read(c *crowd, part []byte) []arrival {
	key := maphash.Bytes(c.seed, part)
	r.reading.RLock()
	found, isKnown := r.seen[key]
	r.reading.RUnlock()
	if isKnown {
		return found
	}
	messages, err := readNews(c.dialect.news(part))
	if err != nil {
		r.blame("unreadable news")
	}
	for _, message := range messages {
		found = append(found, r.inspect(c, message))
	}
	r.reading.Lock()
	defer r.reading.Unlock()
	r.seen[key] = found
	return found
}

// place is where a client keeps what it knows of a room; negative: it is not in it.
func (each *client) place(room int) int { return slices.Index(each.rooms, room) }
