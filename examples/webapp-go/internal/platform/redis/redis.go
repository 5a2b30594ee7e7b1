// Package redis has the connections of the service.
package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// LongestWait is the longest WAIT of any call.
const LongestWait = 20 * time.Second

// Clients are three pools, so that no kind of call takes the connections of another.
type Clients struct {
	// Main is for calls that are answered at once.
	Main *redis.Client
	// Waiting is for calls with WAIT. Each keeps a connection busy until it is answered.
	Waiting *redis.Client
	// Subscriber is for subscriptions, which keep theirs for good.
	Subscriber *redis.Client
}

// Connect opens the pools to the server at url and checks it.
func Connect(ctx context.Context, url string) (*Clients, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	options.ContextTimeoutEnabled = true // a request that is given up gives up its calls
	options.PoolSize = 20
	options.MinIdleConns = 2
	waiting, subscriber := *options, *options
	// A time-out below WAIT would break the call off and send it again, to the end of the line.
	waiting.ReadTimeout = LongestWait + 5*time.Second
	waiting.MinIdleConns, subscriber.MinIdleConns, subscriber.PoolSize = 0, 0, 2
	c := &Clients{redis.NewClient(options), redis.NewClient(&waiting), redis.NewClient(&subscriber)}
	if err := c.Check(ctx); err != nil {
		return nil, fmt.Errorf("%w (close: %v)", err, c.Close())
	}
	return c, nil
}

// Check is the health check: the server answers, and its module is loaded.
func (c *Clients) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	commands, err := c.Main.Do(ctx, "COMMAND", "LIST", "FILTERBY", "MODULE", "appkit").StringSlice()
	if err == nil && len(commands) == 0 {
		err = fmt.Errorf("the server does not have the module redis-appkit")
	}
	return err
}

// HasCache tells whether the server's module has the commands of the cache.
func (c *Clients) HasCache(ctx context.Context) bool {
	commands, err := c.Main.Do(ctx, "COMMAND", "LIST", "FILTERBY", "PATTERN", "app.cache.*").StringSlice()
	return err == nil && len(commands) > 0
}

// Close closes all connections.
func (c *Clients) Close() error {
	for _, client := range []*redis.Client{c.Main, c.Waiting, c.Subscriber} {
		if err := client.Close(); err != nil {
			return err
		}
	}
	return nil
}
