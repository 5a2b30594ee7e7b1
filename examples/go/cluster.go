package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// clusterCalls: go-redis takes the first argument of a command that it does not know for its key,
// which it is here, so each call goes to the right node at once.
func clusterCalls(url string) {
	options, err := redis.ParseClusterURL(url)
	check(err == nil, "%v", err)
	r := redis.NewClusterClient(options)
	waiting := *options
	waiting.ReadTimeout = 15 * time.Second // above WAIT, as with a single server
	waiter := redis.NewClusterClient(&waiting)

	before := moved(r)
	prefix := "example:" + uuid.NewString()
	for n := range 30 {
		key := fmt.Sprintf("%s:%d", prefix, n)
		check(integers(r, "APP.RATELIMIT", key+":limit", 5, "EX", 60)[0] == 1, "refused")
		id, _ := text(r, "APP.SESSION.CREATE", key+":sessions", "EX", 60)
		document, _ := text(r, "APP.SESSION.GET", key+":sessions", id)
		check(document == "{}", "%q", document)
		check(integers(waiter, "APP.LOCK", key+":lock", id, "EX", 5, "WAIT", 10_000)[0] == 1, "refused")
	}
	check(moved(r) == before, "%d calls went to the wrong node", moved(r)-before)
	check(r.Close() == nil && waiter.Close() == nil, "cannot close")
}

var movedErrors = regexp.MustCompile(`errorstat_MOVED:count=(\d+)`)

// moved is how many calls the nodes have turned away to another node so far.
func moved(r *redis.ClusterClient) int64 {
	var sum atomic.Int64
	err := r.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		info, err := node.Info(ctx, "errorstats").Result()
		if match := movedErrors.FindStringSubmatch(info); match != nil {
			count, _ := strconv.ParseInt(match[1], 10, 64)
			sum.Add(count)
		}
		return err
	})
	check(err == nil, "%v", err)
	return sum.Load()
}

// clientIDs are the ids of the connections with this name.
func clientIDs(r *redis.Client, name string) []string {
	var ids []string
	for _, line := range strings.Split(r.ClientList(ctx).Val(), "\n") {
		if strings.Contains(line, " name="+name+" ") {
			ids = append(ids, strings.TrimPrefix(strings.Fields(line)[0], "id="))
		}
	}
	return ids
}
