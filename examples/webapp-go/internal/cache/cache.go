// Package cache gets a value or loads it, with one load at a time whatever the number of processes and
// requests.
package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"
)

const (
	lease   = 5 * time.Second
	wait    = 3 * time.Second
	backoff = time.Second
)

// ErrBusy: somebody else is loading for longer than we wait, or the loader has failed.
var ErrBusy = errors.New("the value is being loaded")

// Cache is safe for concurrent use.
type Cache struct {
	Main, Waiting *redis.Client
	// Off: the server's module has no cache, and every call loads.
	Off    bool
	misses singleflight.Group
}

// GetOrLoad returns the text at key, from load if there is none; it is kept for ttl and renewed by one
// caller in the last tenth of that.
func (c *Cache) GetOrLoad(ctx context.Context, key string, ttl time.Duration, load func(context.Context) (string, error)) (string, error) {
	if c.Off {
		return load(ctx)
	}
	// Equal calls of this process share one, which does not end with the request that began it.
	value, err, _ := c.misses.Do(key, func() (any, error) {
		return c.ask(context.WithoutCancel(ctx), key, ttl, load)
	})
	text, _ := value.(string)
	return text, err
}

func (c *Cache) ask(ctx context.Context, key string, ttl time.Duration, load func(context.Context) (string, error)) (string, error) {
	call := []any{"APP.CACHE.GETORLOAD", key, "LEASE", lease.Milliseconds(), "EARLY", (ttl / 10).Milliseconds()}
	reply, err := c.Main.Do(ctx, call...).Slice()
	if err == nil && reply[0] == "BUSY" {
		reply, err = c.Waiting.Do(ctx, append(call, "WAIT", wait.Milliseconds())...).Slice()
	}
	if err != nil {
		return "", err
	}
	switch reply[0] {
	case "HIT":
		return fmt.Sprint(reply[1]), nil
	case "BUSY":
		return "", ErrBusy
	}
	value, err := load(ctx)
	if err != nil {
		// Those in line are not sent to a database that is down one after another.
		return "", errors.Join(err, c.Main.Do(ctx, "APP.CACHE.RELEASE", key, reply[2], "BACKOFF", backoff.Milliseconds()).Err())
	}
	// Replied 0: invalidated meanwhile. What was loaded may be old; it is good for this answer alone.
	return value, c.Main.Do(ctx, "APP.CACHE.FILL", key, reply[2], value, "PX", ttl.Milliseconds()).Err()
}

// Invalidate is to be called after each change of what was loaded, and not before it.
func (c *Cache) Invalidate(ctx context.Context, key string) error {
	if c.Off {
		return nil
	}
	return c.Main.Do(ctx, "APP.CACHE.INVALIDATE", key).Err()
}
