// All four families with go-redis: plain Do calls. Runs against REDIS_URL and, where it is set, the
// cluster at CLUSTER_URL.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

var ctx = context.Background()

// check ends the program where something is not as the example says.
func check(ok bool, format string, args ...any) {
	if !ok {
		log.Fatalf(format, args...)
	}
}

// integers are the reply of a command that answers with an array of integers.
func integers(r redis.UniversalClient, args ...any) []int64 {
	reply, err := r.Do(ctx, args...).Int64Slice()
	check(err == nil, "%v: %v", args, err)
	return reply
}

// text is a bulk string, or false for nil.
func text(r redis.UniversalClient, args ...any) (string, bool) {
	reply, err := r.Do(ctx, args...).Text()
	if errors.Is(err, redis.Nil) {
		return "", false
	}
	check(err == nil, "%v: %v", args, err)
	return reply, true
}

// integer is an integer, or false for nil.
func integer(r redis.UniversalClient, args ...any) (int64, bool) {
	reply, err := r.Do(ctx, args...).Int64()
	if errors.Is(err, redis.Nil) {
		return 0, false
	}
	check(err == nil, "%v: %v", args, err)
	return reply, true
}

// asMap reads a map, which is a Go map in RESP3 and a flat slice of names and values in RESP2.
func asMap(reply any) map[any]any {
	flat, isFlat := reply.([]any)
	if !isFlat {
		return reply.(map[any]any)
	}
	m := make(map[any]any, len(flat)/2)
	for i := 0; i+1 < len(flat); i += 2 {
		m[flat[i]] = flat[i+1]
	}
	return m
}

// rateLimit allows three calls a minute: the fourth is refused and told when to come back.
func rateLimit(r *redis.Client, prefix string) {
	key := prefix + ":limit:alice"
	for left := int64(2); left >= 0; left-- {
		reply := integers(r, "APP.RATELIMIT", key, 3, "EX", 60)
		allowed, remaining := reply[0] == 1, reply[2]
		check(allowed && remaining == left, "%v", reply)
	}
	reply := integers(r, "APP.RATELIMIT", key, 3, "EX", 60)
	retryAfter := (reply[3] + 999) / 1000 // the Retry-After header: whole seconds, rounded up
	check(reply[0] == 0 && retryAfter >= 55 && retryAfter <= 62, "%v", reply)

	// The log-in succeeded after all: what it was charged is given back.
	integers(r, "APP.RATELIMIT.REFUND", key, 3, "EX", 60)
	full, err := r.Do(ctx, "APP.RATELIMIT.PEEK", key, 3, "EX", 60, "FULL").Result()
	check(err == nil, "%v", err)
	peek := asMap(full)
	rule := asMap(peek["rules"].([]any)[0])
	check(peek["allowed"] == int64(1) && rule["remaining"] == int64(1), "%v", peek)
}

// sessions of one user are one key, so logging out everywhere is one step.
func sessions(r *redis.Client, prefix string) {
	key := prefix + ":sessions:alice"
	phone, _ := text(r, "APP.SESSION.CREATE", key, "EX", 1800, "MAXAGE", 86_400_000,
		"DATA", `{"device":"phone"}`, "LIMIT", 5)
	laptop, _ := text(r, "APP.SESSION.CREATE", key, "EX", 1800, "DATA", `{"device":"laptop"}`)

	document, _ := text(r, "APP.SESSION.TOUCH", key, phone)
	var data struct{ Device string }
	check(json.Unmarshal([]byte(document), &data) == nil && data.Device == "phone", "%s", document)
	document, _ = text(r, "APP.SESSION.UPDATE", key, phone, `{"theme":"dark"}`)
	check(document == `{"device":"phone","theme":"dark"}`, "%s", document)

	// At a log-in: a new id, and for a while the old one too. go-redis sends a call again after a
	// lost connection; with GRACE a second rotation does no harm.
	rotated, _ := text(r, "APP.SESSION.ROTATE", key, phone, "GRACE", 10_000)
	_, live := text(r, "APP.SESSION.GET", key, phone)
	check(rotated != phone && live, "the old id does not name the session any more")

	// The account page: handles name the devices without being credentials.
	devices, err := r.Do(ctx, "APP.SESSION.LIST", key, "CURRENT", rotated).Slice()
	check(err == nil && len(devices) == 2, "%v %v", devices, err)
	for _, each := range devices {
		if device := asMap(each); device["current"] == int64(0) {
			ended, _ := integer(r, "APP.SESSION.REVOKE", key, "HANDLE", device["handle"])
			check(ended == 1, "%v is still there", device)
		}
	}
	_, live = text(r, "APP.SESSION.GET", key, laptop)
	check(!live, "the laptop is still logged in")

	ended, _ := integer(r, "APP.SESSION.REVOKEALL", key)
	check(ended == 1, "%d sessions", ended)
	// A slow request cannot bring the session back.
	_, live = text(r, "APP.SESSION.UPDATE", key, rotated, `{"theme":"light"}`)
	check(!live, "an ended session came back")
}

// waitingClient is for calls with WAIT. A call takes a connection out of the pool, so it holds up no
// other call, but it could empty the pool of the rest of the app. ReadTimeout is five seconds by
// default: one shorter than WAIT breaks off the call and, up to MaxRetries times, sends it again, to
// the end of the line.
func waitingClient(options redis.Options, wait time.Duration) *redis.Client {
	options.ClientName = "waiter"
	options.PoolSize = 20
	options.ReadTimeout = wait + 5*time.Second
	return redis.NewClient(&options)
}

func inLine(r redis.UniversalClient, key string, waiters int64) {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if info, err := r.Do(ctx, "APP.LOCK.INFO", key).Result(); err == nil && asMap(info)["waiters"] == waiters {
			return
		}
	}
	log.Fatalf("there never were %d waiters for %s", waiters, key)
}

// locks have a fence; whoever waits is handed the lock in the server.
func locks(r, waiter *redis.Client, prefix string) {
	key := prefix + ":lock:report"
	mine, theirs := uuid.NewString(), uuid.NewString()
	reply := integers(r, "APP.LOCK", key, mine, "EX", 30)
	fence := reply[1]
	check(reply[0] == 1 && fence > 0, "%v", reply)
	// Sent again it is the same hold.
	check(integers(r, "APP.LOCK", key, mine, "EX", 30)[1] == fence, "another fence")
	check(integers(r, "APP.LOCK", key, theirs, "EX", 30)[0] == 0, "two holders")

	handedOver := make(chan []int64)
	go func() { handedOver <- integers(waiter, "APP.LOCK", key, theirs, "EX", 30, "WAIT", 10_000) }()
	inLine(r, key, 1)

	// The connection is lost while the call waits: go-redis sends it again by itself. The token makes
	// both the same hold.
	for _, id := range clientIDs(r, "waiter") {
		check(r.ClientKillByFilter(ctx, "ID", id).Err() == nil, "cannot kill %s", id)
	}
	inLine(r, key, 1)

	released, _ := integer(r, "APP.UNLOCK", key, mine)
	check(released == 1, "the lock was not ours")
	reply = <-handedOver
	check(reply[0] == 1 && reply[1] > fence, "%v", reply) // the fence is what the storage compares

	// 1 released, 0 somebody else holds it, nil nobody does.
	released, held := integer(r, "APP.UNLOCK", key, mine)
	check(held && released == 0, "somebody else's lock was released")
	released, _ = integer(r, "APP.UNLOCK", key, theirs)
	check(released == 1, "the lock was lost")
	_, held = integer(r, "APP.UNLOCK", key, theirs)
	check(!held, "somebody holds it still")
}

func main() {
	url := os.Getenv("REDIS_URL")
	if url == "" {
		url = "redis://localhost:6379"
	}
	for _, protocol := range []int{2, 3} {
		options, err := redis.ParseURL(url)
		check(err == nil, "%v", err)
		options.Protocol = protocol
		r, waiter := redis.NewClient(options), waitingClient(*options, 10*time.Second)
		name := fmt.Sprintf("go-redis RESP%d", protocol)
		prefix := "example:" + uuid.NewString()
		rateLimit(r, prefix)
		sessions(r, prefix)
		locks(r, waiter, prefix)
		if hasCache(r) {
			cache(r, waiter, prefix)
		} else {
			fmt.Printf("SKIPPED %s: the cache, which this server's module does not have\n", name)
		}
		fmt.Printf("PASSED %s [%s]\n", name, redis.Version())
		check(r.Close() == nil && waiter.Close() == nil, "cannot close")
	}
	if url := os.Getenv("CLUSTER_URL"); url != "" {
		clusterCalls(url)
		fmt.Printf("PASSED go-redis cluster [%s]\n", redis.Version())
	} else {
		fmt.Println("SKIPPED go-redis cluster: CLUSTER_URL is not set")
	}
}
