package main

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// run is what a command asks for.
type run struct {
	// Messages a second, over all senders, and for how long: first unmeasured, then measured.
	Rate    float64 `json:"rate"`
	Warmup  float64 `json:"warmup"`
	Seconds float64 `json:"seconds"`
	Bytes   int     `json:"bytes"`
	// So many of the people post, in turn, each to its rooms in turn; they are spread over so many of the first people.
	Senders      int `json:"senders"`
	SendersAmong int `json:"sendersAmong"`
	// Do messages carry a seq, without holes in each room? Else each sender's keep their order.
	HasSeq bool `json:"hasSeq"`
	// Where history is read, so that what was acknowledged is known to be stored; empty: nothing is stored.
	History string `json:"history"`
	// How long to wait for what has not come at the end.
	Grace float64 `json:"grace"`
}

type post struct {
	room, sender int
	// Which one of its sender's in its room.
	turn     int
	intended time.Time
	seq      atomic.Int64
	acked    atomic.Int32
}

const (
	ackedWell  = 1
	ackedBadly = 2
)

// running is a run under way.
type running struct {
	run
	posts []post
	// Number of the first post, and how many have been sent so far.
	first int
	sent  atomic.Int64
	// When latencies, bytes and CPU begin to count, and when they no longer do.
	from, to time.Time

	reading sync.RWMutex
	seen    map[uint64][]arrival
	perRoom []atomic.Int64

	notes []notes
	storm *storming
	// What each sender is yet to send. A server that reads slowly does not hold up the schedule.
	outgoing []chan []byte

	newsFrames, newsBytes, delivered atomic.Int64
	latencies, acks, lags            histogram

	blaming sync.Mutex
	faults  map[string]int
}

// notes are what a client has seen in a run.
type notes struct {
	// One bit for each post.
	seen []atomic.Uint64
	// Highest seq of each of its rooms; or turn of each sender in each of its rooms, plus one.
	last  []int
	count atomic.Int64
}

// mark says whether the message is new to the client.
func (n *notes) mark(number int) bool {
	bit := uint64(1) << (number % 64)
	isNew := n.seen[number/64].Or(bit)&bit == 0
	if isNew {
		n.count.Add(1)
	}
	return isNew
}

func (n *notes) has(number int) bool { return n.seen[number/64].Load()>>(number%64)&1 == 1 }

func (r *running) blame(fault string) {
	r.blaming.Lock()
	defer r.blaming.Unlock()
	r.faults[fault]++
}

// bodyOf is the text of a post: nobody else says the same.
func bodyOf(number, size int) string {
	text := strconv.Itoa(number)
	for len(text) < size {
		text += "/" + strconv.Itoa(number*2654435761+len(text))
	}
	return text[:size]
}

func (c *crowd) idOf(number int) string {
	return fmt.Sprintf("%s-0000-4000-8000-%012x", c.nonce, number)
}

// inspect holds a message against the post that it must be.
func (r *running) inspect(c *crowd, message message) arrival {
	room, isKnown := c.roomOf[message.RoomID]
	if !isKnown {
		room = -1
	}
	found := arrival{room: room, seq: message.Seq, number: -1}
	hex, isOurs := strings.CutPrefix(message.ID, c.nonce+"-0000-4000-8000-")
	number, err := strconv.ParseInt(hex, 16, 64)
	if !isOurs || err != nil || int(number) < r.first {
		return found
	}
	found.number = int(number) - r.first
	if found.number >= len(r.posts) {
		found.fault = "a message that nobody posted"
		return found
	}
	post := &r.posts[found.number]
	switch {
	case post.room != room:
		found.fault = "in the wrong room"
	case message.Body != bodyOf(int(number), r.Bytes):
		found.fault = "with another body"
	case r.HasSeq && message.Seq < 1:
		found.fault = "without seq"
	case message.Seq > 0 && !post.seq.CompareAndSwap(0, int64(message.Seq)) && post.seq.Load() != int64(message.Seq):
		found.fault = "under two numbers"
	}
	return found
}

// arrive checks one message at one client.
func (r *running) arrive(each *client, a arrival, at time.Time) {
	place := each.place(a.room)
	if a.fault != "" {
		r.blame(a.fault)
	}
	if place < 0 {
		r.blame("in the wrong room")
		return
	}
	each.heads[place] = max(each.heads[place], a.seq)
	if a.number < 0 || a.number >= len(r.posts) {
		return
	}
	own := &r.notes[each.index]
	if !own.mark(a.number) {
		// In a storm a client may find in history what it has heard already.
		if r.storm == nil {
			r.blame("twice")
		}
		return
	}
	post := &r.posts[a.number]
	if r.storm == nil {
		slot, order := place, a.seq
		if !r.HasSeq {
			slot, order = place*r.Senders+post.sender, post.turn+1
		}
		if order <= own.last[slot] {
			r.blame("out of order")
		}
		own.last[slot] = max(own.last[slot], order)
	}
	if at.After(r.from) && at.Before(r.to) {
		r.delivered.Add(1)
	}
	if !post.intended.Before(r.from) {
		r.latencies.add(at.Sub(post.intended))
	}
}

func (r *running) acknowledge(number int, isGood bool, at time.Time) {
	number -= r.first
	if number < 0 || number >= len(r.posts) {
		return
	}
	post := &r.posts[number]
	outcome := int32(ackedWell)
	if !isGood {
		outcome = ackedBadly
		if r.storm == nil {
			r.blame("refused")
		} else {
			r.storm.refused.Add(1)
		}
	}
	if !post.acked.CompareAndSwap(0, outcome) {
		r.blame("acknowledged twice")
		return
	}
	if !post.intended.Before(r.from) {
		r.acks.add(at.Sub(post.intended))
	}
}

// result of a run. Latencies are in ms from the intended moment; use is CPU within the measured time.
type result struct {
	// Why it must not count; empty: every client has got everything once, in order and unchanged.
	Faults           map[string]int `json:"faults"`
	Posted           int            `json:"posted"`
	Delivered        int            `json:"delivered"`
	MessagesPerFrame float64        `json:"messagesPerFrame"`
	BytesPerDelivery float64        `json:"bytesPerDelivery"`
	Latency          summary        `json:"latency"`
	Ack              summary        `json:"ack"`
	// How far the generator itself was behind its schedule.
	Lag summary `json:"lag"`
	spent
}

func (c *crowd) begin(asked run) *running {
	r := &running{run: asked, first: c.posts, seen: map[uint64][]arrival{}, faults: map[string]int{}}
	r.posts = make([]post, int(asked.Rate*(asked.Warmup+asked.Seconds)))
	r.perRoom = make([]atomic.Int64, len(c.rooms))
	r.notes = make([]notes, len(c.clients))
	for i, each := range c.clients {
		slots := len(each.rooms)
		if !asked.HasSeq {
			slots *= asked.Senders
		}
		r.notes[i].last = make([]int, slots)
		r.notes[i].seen = make([]atomic.Uint64, len(r.posts)/64+1)
	}
	for range asked.Senders {
		r.outgoing = append(r.outgoing, make(chan []byte, len(r.posts)/asked.Senders+1))
	}
	start := time.Now().Add(50 * time.Millisecond)
	turns := map[[2]int]int{}
	for i := range r.posts {
		sender := i % asked.Senders
		each := c.senderAt(r, sender)
		post := &r.posts[i]
		post.sender, post.room = sender, each.rooms[i/asked.Senders%len(each.rooms)]
		key := [2]int{post.sender, post.room}
		post.turn = turns[key]
		turns[key]++
		post.intended = start.Add(time.Duration(float64(i) / asked.Rate * float64(time.Second)))
	}
	r.from = start.Add(time.Duration(asked.Warmup * float64(time.Second)))
	r.to = r.from.Add(time.Duration(asked.Seconds * float64(time.Second)))
	c.posts += len(r.posts)
	c.current.Store(r)
	return r
}

func (c *crowd) senderAt(r *running, sender int) *client {
	return c.clients[sender*r.SendersAmong/r.Senders]
}

// send keeps to the schedule until its end, or until it is asked to stop.
func (c *crowd) send(r *running, stop <-chan struct{}) {
	for sender, texts := range r.outgoing {
		defer close(texts)
		go func() {
			for text := range texts {
				c.senderAt(r, sender).socket.Load().write(text)
			}
		}()
	}
	for i := range r.posts {
		post := &r.posts[i]
		if wait := time.Until(post.intended); wait > 0 {
			select {
			case <-stop:
				return
			case <-time.After(wait):
			}
		}
		r.lags.add(time.Since(post.intended))
		number := r.first + i
		r.perRoom[post.room].Add(1)
		r.sent.Add(1)
		r.outgoing[post.sender] <- c.dialect.post(number, c.rooms[post.room], c.idOf(number), bodyOf(number, r.Bytes))
	}
	time.Sleep(time.Until(r.to))
}

// clock reads at the start and the end of the measured time.
type clock struct {
	at                   time.Time
	use                  map[string]usage
	frames, bytes, count int64
	busy, stolen         float64
}

func (c *crowd) read(r *running) clock {
	groups := map[string][]int{"generator": {os.Getpid()}}
	for name, pids := range c.groups {
		groups[name] = pids
	}
	busy, stolen := machine()
	return clock{time.Now(), measure(groups), r.newsFrames.Load(), r.newsBytes.Load(), r.delivered.Load(), busy, stolen}
}

// spent is what a stretch of time has cost.
type spent struct {
	Seconds float64          `json:"seconds"`
	Use     map[string]usage `json:"use"`
	// CPU of all else on this machine, and what the host took away, in seconds.
	Others float64 `json:"others"`
	Stolen float64 `json:"stolen"`
}

func between(before, after clock) spent {
	answer := spent{after.at.Sub(before.at).Seconds(), map[string]usage{}, after.busy - before.busy, after.stolen - before.stolen}
	for name, use := range after.use {
		use.CPU -= before.use[name].CPU
		answer.Use[name] = use
		answer.Others -= use.CPU
	}
	return answer
}

func (c *crowd) run(asked run) (*result, error) {
	if c == nil {
		return nil, fmt.Errorf("nobody is connected")
	}
	brokenBefore := c.broken.Load()
	r := c.begin(asked)
	begun := make(chan clock, 1)
	go func() {
		time.Sleep(time.Until(r.from))
		begun <- c.read(r)
	}()
	c.send(r, nil)
	after, before := c.read(r), <-begun
	answer := c.finish(r, before, after)
	if broken := c.broken.Load() - brokenBefore; broken > 0 {
		answer.Faults["disconnected"] += int(broken)
	}
	return answer, nil
}

// finish waits for what is still under way, looks for what never came, and sums up.
func (c *crowd) finish(r *running, before, after clock) *result {
	for end := time.Now().Add(time.Duration(r.Grace * float64(time.Second))); time.Now().Before(end) && !c.isComplete(r); {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond) // for what comes twice
	c.current.Store(nil)
	r.blaming.Lock()
	defer r.blaming.Unlock()
	sent := int(r.sent.Load())
	for i, each := range c.clients {
		for number := range r.posts[:sent] {
			post := &r.posts[number]
			// What was refused may be stored or not.
			if each.place(post.room) >= 0 && post.acked.Load() != ackedBadly && !r.notes[i].has(number) {
				r.faults["lost"]++
			}
		}
	}
	lowest, highest, numbered := make([]int, len(c.rooms)), make([]int, len(c.rooms)), make([]int, len(c.rooms))
	for i := range r.posts[:sent] {
		post := &r.posts[i]
		if post.acked.Load() == 0 {
			r.faults["not acknowledged"]++
		}
		if seq := int(post.seq.Load()); seq > 0 {
			numbered[post.room]++
			highest[post.room] = max(highest[post.room], seq)
			if lowest[post.room] == 0 || seq < lowest[post.room] {
				lowest[post.room] = seq
			}
		}
	}
	for room, count := range numbered {
		if r.HasSeq && count > 0 && highest[room]-lowest[room]+1 != count {
			r.faults["numbers with holes"]++
		}
	}
	if r.History != "" {
		if err := c.checkHistory(r, lowest); err != nil {
			r.faults["history: "+err.Error()]++
		}
	}
	frames, count := float64(after.frames-before.frames), float64(after.count-before.count)
	answer := &result{
		Faults: r.faults, Posted: sent, Delivered: int(count),
		Latency: r.latencies.summary(), Ack: r.acks.summary(), Lag: r.lags.summary(), spent: between(before, after),
	}
	if frames > 0 && count > 0 {
		answer.MessagesPerFrame, answer.BytesPerDelivery = count/frames, float64(after.bytes-before.bytes)/count
	}
	return answer
}

func (c *crowd) expected(r *running, each *client) (count int) {
	for _, room := range each.rooms {
		count += int(r.perRoom[room].Load())
	}
	return
}

func (c *crowd) isComplete(r *running) bool {
	for i, each := range c.clients {
		if int(r.notes[i].count.Load()) < c.expected(r, each) {
			return false
		}
	}
	for i := range r.posts[:r.sent.Load()] {
		if r.posts[i].acked.Load() == 0 {
			return false
		}
	}
	return true
}

// checkHistory reads back what was posted: what was acknowledged must be there, once and unchanged.
func (c *crowd) checkHistory(r *running, lowest []int) error {
	stored := make([]bool, len(r.posts))
	for room, id := range c.rooms {
		if lowest[room] == 0 {
			continue
		}
		reader := c.clients[0]
		for _, each := range c.clients {
			if each.place(room) >= 0 {
				reader = each
				break
			}
		}
		for after := lowest[room] - 1; ; {
			page, err := readHistory(r.History, reader, id, after)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				break
			}
			for _, message := range page {
				message.RoomID = id
				after = message.Seq
				found := r.inspect(c, message)
				if found.number < 0 {
					continue
				}
				if found.fault != "" {
					return fmt.Errorf("a message %s", found.fault)
				}
				stored[found.number] = true
			}
		}
	}
	for i := range r.posts {
		if r.posts[i].acked.Load() == ackedWell && !stored[i] {
			return fmt.Errorf("an acknowledged message is not stored")
		}
	}
	return nil
}

var web = http.Client{Timeout: patience}

func readHistory(base string, as *client, roomID string, after int) ([]message, error) {
	var page announcement
	err := get(fmt.Sprintf("%s/api/rooms/%s/messages?after=%d&limit=200", base, roomID, after), as, &page)
	return page.Messages, err
}

func get(url string, as *client, answer any) error {
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return err
	}
	for name, value := range as.Headers {
		request.Header.Set(name, value)
	}
	response, err := web.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != 200 {
		return fmt.Errorf("answered %s", response.Status)
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

// histogram counts durations in buckets of about 1.5 %.
type histogram struct {
	buckets [64 * 64]atomic.Int64
	longest atomic.Int64
}

// summary in ms; zeros when nothing was counted.
type summary struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

const perOctave = 64

func (h *histogram) add(duration time.Duration) {
	value := uint64(max(duration, 0))
	index := int(value)
	if shift := bits.Len64(value) - 7; shift > 0 {
		index = (shift+1)*perOctave + int(value>>shift) - perOctave
	}
	h.buckets[index].Add(1)
	for {
		longest := h.longest.Load()
		if int64(value) <= longest || h.longest.CompareAndSwap(longest, int64(value)) {
			return
		}
	}
}

func (h *histogram) summary() summary {
	count := int64(0)
	for i := range h.buckets {
		count += h.buckets[i].Load()
	}
	at := func(share float64) float64 {
		left := int64(share * float64(count))
		for i := range h.buckets {
			if left -= h.buckets[i].Load(); left < 0 {
				return float64(valueOf(i)) / 1e6
			}
		}
		return float64(h.longest.Load()) / 1e6
	}
	if count == 0 {
		return summary{}
	}
	return summary{int(count), at(0.5), at(0.99), float64(h.longest.Load()) / 1e6}
}

// valueOf is the lower end of a bucket.
func valueOf(index int) uint64 {
	if index < 2*perOctave {
		return uint64(index)
	}
	shift := index/perOctave - 1
	return uint64(index%perOctave+perOctave) << shift
}
