package main

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// ticksPerSecond is that of /proc: USER_HZ, 100 on every Linux that Go runs on.
const ticksPerSecond = 100

// usage of processes: CPU in seconds since they began, resident memory now in KB.
type usage struct {
	CPU   float64 `json:"cpu"`
	RSSKB int     `json:"rssKb"`
}

type process struct {
	parent, rssPages int
	ticks            int
}

// processes reads /proc. The time of children that have ended is that of their parent.
func processes() map[int]process {
	found := map[int]process{}
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + entry.Name() + "/stat")
		if err != nil {
			continue
		}
		// The name in parentheses may contain spaces.
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		number := func(field int) int { value, _ := strconv.Atoi(fields[field-3]); return value }
		found[pid] = process{parent: number(4), rssPages: number(24), ticks: number(14) + number(15) + number(16) + number(17)}
	}
	return found
}

// measure sums up each group of processes together with their descendants.
func measure(groups map[string][]int) map[string]usage {
	all := processes()
	groupOf := map[int]string{}
	for name, pids := range groups {
		for _, pid := range pids {
			groupOf[pid] = name
		}
	}
	measured := map[string]usage{}
	for pid, each := range all {
		at := pid
		for groupOf[at] == "" && all[at].parent > 1 {
			at = all[at].parent
		}
		if name := groupOf[at]; name != "" {
			sum := measured[name]
			sum.CPU += float64(each.ticks) / ticksPerSecond
			sum.RSSKB += each.rssPages * os.Getpagesize() / 1024
			measured[name] = sum
		}
	}
	return measured
}

// machine tells how long all cores together worked for processes, and how much the host took away, in seconds.
// Interrupts are left out: they are the network's, and so our own.
func machine() (busy, stolen float64) {
	text, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(text), "\n")
	for i, field := range strings.Fields(line)[1:] {
		ticks, _ := strconv.Atoi(field)
		switch i {
		case 0, 1, 2:
			busy += float64(ticks) / ticksPerSecond
		case 7:
			stolen += float64(ticks) / ticksPerSecond
		}
	}
	return
}
