// Centrifuge as a broadcaster that stores nothing: each connection names its rooms in its address and may post to them.
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/centrifugal/centrifuge"
)

func main() {
	delay, err := time.ParseDuration(os.Getenv("WRITE_DELAY"))
	if err != nil {
		log.Fatal(err)
	}
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		log.Fatal(err)
	}
	node.OnConnecting(func(ctx context.Context, event centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		rooms, _ := ctx.Value(roomsKey{}).([]string)
		subscriptions := map[string]centrifuge.SubscribeOptions{}
		for _, room := range rooms {
			subscriptions[room] = centrifuge.SubscribeOptions{}
		}
		reply := centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{}, Subscriptions: subscriptions, WriteDelay: delay}
		if delay > 0 {
			reply.MaxMessagesInFrame = -1 // as many as there are
		}
		return reply, nil
	})
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnPublish(func(event centrifuge.PublishEvent, callback centrifuge.PublishCallback) {
			callback(centrifuge.PublishReply{}, nil)
		})
	})
	if err := node.Run(); err != nil {
		log.Fatal(err)
	}
	sockets := centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{})
	http.HandleFunc("/", func(writer http.ResponseWriter, request *http.Request) {
		rooms := strings.Split(request.URL.Query().Get("rooms"), ",")
		sockets.ServeHTTP(writer, request.WithContext(context.WithValue(request.Context(), roomsKey{}, rooms)))
	})
	http.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}

type roomsKey struct{}
