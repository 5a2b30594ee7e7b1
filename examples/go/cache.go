package main

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

func hasCache(r *redis.Client) bool {
	commands, err := r.Do(ctx, "COMMAND", "LIST", "FILTERBY", "PATTERN", "app.cache.*").Slice()
	return err == nil && len(commands) > 0
}

func values(r redis.UniversalClient, args ...any) []any {
	reply, err := r.Do(ctx, args...).Slice()
	check(err == nil, "%v: %v", args, err)
	return reply
}

// cache: ten requests for a page that is not there, and one of them loads it.
func cache(r, waiter *redis.Client, prefix string) {
	key := prefix + ":cache:page"
	var loads atomic.Int32
	var requests sync.WaitGroup
	for range 10 {
		requests.Add(1)
		go func() {
			defer requests.Done()
			reply := values(waiter, "APP.CACHE.GETORLOAD", key, "LEASE", 5000, "WAIT", 10_000)
			if reply[0] == "HIT" {
				check(reply[1] == "<p>page</p>", "%v", reply)
				return
			}
			check(reply[0] == "LOAD", "%v", reply)
			loads.Add(1)
			time.Sleep(50 * time.Millisecond) // the database
			// Not out of the pool of the waiting calls: they could have taken all of it.
			stored, _ := integer(r, "APP.CACHE.FILL", key, reply[2], "<p>page</p>", "EX", 60)
			check(stored == 1, "the lease was lost")
		}()
	}
	requests.Wait()
	check(loads.Load() == 1, "%d loads", loads.Load())
	check(r.Get(ctx, key).Val() == "<p>page</p>", "a cached value is a plain string")

	// EARLY: one caller refreshes what is about to run out, the others get it as it is.
	refresh := values(r, "APP.CACHE.GETORLOAD", key, "LEASE", 5000, "EARLY", 120_000)
	check(refresh[0] == "REFRESH" && refresh[1] == "<p>page</p>", "%v", refresh)
	// The database changed meanwhile: what the slow loader brings is old and is not stored.
	removed, _ := integer(r, "APP.CACHE.INVALIDATE", key)
	stored, _ := integer(r, "APP.CACHE.FILL", key, refresh[2], "<p>old</p>", "EX", 60)
	check(removed == 1 && stored == 0, "an old value was stored")

	// The database is down: nobody asks it again for a second.
	failed := values(r, "APP.CACHE.GETORLOAD", key, "LEASE", 5000)
	released, _ := integer(r, "APP.CACHE.RELEASE", key, failed[2], "BACKOFF", 1000)
	check(released == 1, "the lease was lost")
	busy := values(waiter, "APP.CACHE.GETORLOAD", key, "LEASE", 5000, "WAIT", 10_000)
	check(busy[0] == "BUSY", "%v", busy)
}
