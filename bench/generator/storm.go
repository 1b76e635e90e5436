package main

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// storm is what a command asks for on top of a run: a replica is killed, and its people come back to another.
type storm struct {
	Victim int `json:"victim"`
	// Origins of the WebSockets of the replica that dies and of the one that stays.
	From string `json:"from"`
	Into string `json:"into"`
	// When it is killed, in seconds after the start.
	KillAfter float64 `json:"killAfter"`
}

// As socket.io-client does it: the delay doubles from the first to the last, and each time half of it is left to chance.
const (
	firstDelay = time.Second
	lastDelay  = 5 * time.Second
)

type storming struct {
	storm
	killedAt time.Time
	away     sync.WaitGroup
	back     histogram
	// HTTP requests of those who came back, how many of them failed and were made again, and posts that were refused.
	requests, failed, refused atomic.Int64
}

type stormResult struct {
	*result
	// From the kill until a client is connected again and has every message there is, in ms.
	Back     summary `json:"back"`
	Returned int     `json:"returned"`
	Requests int     `json:"requests"`
	Failed   int     `json:"failed"`
	Refused  int     `json:"refused"`
}

func (c *crowd) storm(asked run, how storm) (*stormResult, error) {
	if c == nil {
		return nil, fmt.Errorf("nobody is connected")
	}
	r := c.begin(asked)
	state := &storming{storm: how}
	r.storm = state
	for _, each := range c.clients {
		if strings.HasPrefix(each.URL, how.From) {
			state.away.Add(1)
		}
	}
	before, stop, sent := c.read(r), make(chan struct{}), make(chan struct{})
	go func() { c.send(r, stop); close(sent) }()
	time.Sleep(time.Duration(how.KillAfter * float64(time.Second)))
	// What it has used until then is gone from /proc afterwards.
	victim := measure(map[string][]int{"victim": {how.Victim}})["victim"].CPU
	state.killedAt = time.Now()
	if err := syscall.Kill(how.Victim, syscall.SIGKILL); err != nil {
		return nil, err
	}
	returned := make(chan struct{})
	go func() { state.away.Wait(); close(returned) }()
	select {
	case <-returned:
		time.Sleep(time.Second)
		close(stop)
	case <-sent:
		r.blame("people who did not come back in time")
	}
	<-sent
	after := c.read(r)
	server := after.use["server"]
	server.CPU += victim
	after.use["server"] = server
	answer := c.finish(r, before, after)
	back := state.back.summary()
	return &stormResult{answer, back, back.Count, int(state.requests.Load()), int(state.failed.Load()), int(state.refused.Load())}, nil
}

// uproots tells whether this is the first end of a connection to the replica that was killed.
func (s *storming) uproots(each *client) bool {
	isFirst := !each.isUprooted && strings.HasPrefix(each.URL, s.From)
	each.isUprooted = each.isUprooted || isFirst
	return isFirst
}

// comeBack connects to the other replica, and asks for what was missed meanwhile, as an ordinary client does.
func (s *storming) comeBack(c *crowd, r *running, each *client) {
	defer s.away.Done()
	each.URL = strings.Replace(each.URL, s.From, s.Into, 1)
	heads := slices.Clone(each.heads)
	var isIn bool
	for delay := firstDelay; c.current.Load() == r; delay = min(2*delay, lastDelay) {
		time.Sleep(time.Duration(float64(delay) * (0.5 + rand.Float64())))
		if !isIn {
			socket, err := c.open(each)
			if err != nil {
				continue
			}
			isIn = true
			go c.listen(each, socket)
		}
		if err := s.catchUp(c, r, each, heads); err != nil {
			s.failed.Add(1)
			continue
		}
		s.back.add(time.Since(s.killedAt))
		return
	}
}

func (s *storming) catchUp(c *crowd, r *running, each *client, heads []int) error {
	var answer struct {
		Rooms []struct {
			ID   string `json:"id"`
			Head int    `json:"head"`
		} `json:"rooms"`
	}
	s.requests.Add(1)
	if err := get(r.History+"/api/rooms", each, &answer); err != nil {
		return err
	}
	for _, room := range answer.Rooms {
		index, isKnown := c.roomOf[room.ID]
		if !isKnown || each.place(index) < 0 {
			continue
		}
		for place := each.place(index); heads[place] < room.Head; {
			s.requests.Add(1)
			page, err := readHistory(r.History, each, room.ID, heads[place])
			if err != nil {
				return err
			}
			if len(page) == 0 {
				return fmt.Errorf("history ends before the head of the room")
			}
			for _, message := range page {
				message.RoomID = room.ID
				heads[place] = message.Seq
				if found := r.inspect(c, message); found.number >= 0 {
					r.notes[each.index].mark(found.number)
				}
			}
		}
	}
	return nil
}
