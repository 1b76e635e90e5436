// The generator plays the people of a candidate: it posts at moments fixed beforehand, however the candidate keeps up,
// and checks at each client that everything arrives once, in order, unchanged and in the right room. It reads commands,
// one JSON object a line, and answers each with one.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

type command struct {
	Do      string           `json:"do"`
	Dialect string           `json:"dialect"`
	People  []person         `json:"people"`
	Groups  map[string][]int `json:"groups"`
	run
	storm
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	var all *crowd
	for lines.Scan() {
		var asked command
		err := json.Unmarshal(lines.Bytes(), &asked)
		var answer any
		if err == nil {
			switch asked.Do {
			case "connect":
				all.close()
				all, answer, err = connect(dialects[asked.Dialect], asked.People, asked.Groups)
			case "rest":
				answer, err = all.rest(asked.Seconds)
			case "run":
				answer, err = all.run(asked.run)
			case "storm":
				answer, err = all.storm(asked.run, asked.storm)
			default:
				err = fmt.Errorf("no such command: %s", asked.Do)
			}
		}
		if err != nil {
			answer = map[string]string{"failure": err.Error()}
		}
		json.NewEncoder(os.Stdout).Encode(answer)
	}
}
