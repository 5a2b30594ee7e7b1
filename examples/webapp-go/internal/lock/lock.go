// Package lock runs work under a lock with a fence.
package lock

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrHeld: somebody else held the lock for all of the wait.
var ErrHeld = errors.New("the lock is held by somebody else")

// With waits for the lock up to wait, runs work and hands the lock on. work gets the fence, which is
// higher than that of every earlier holder: the storage turns away what comes with a lower one.
func With(ctx context.Context, main, waiting *redis.Client, key string, lifetime, wait time.Duration, work func(fence int64) error) error {
	// A new token for each hold. go-redis sends a call again after a lost connection; with the same
	// token that is the same hold.
	token := rand.Text()
	// Over the other pool, and even if ctx has ended: a token that gave up leaves the line, or the lock.
	defer main.Do(context.WithoutCancel(ctx), "APP.UNLOCK", key, token)
	reply, err := waiting.Do(ctx, "APP.LOCK", key, token, "PX", lifetime.Milliseconds(), "WAIT", wait.Milliseconds()).Int64Slice()
	if err != nil {
		return err
	}
	if reply[0] != 1 {
		return ErrHeld
	}
	return work(reply[1])
}
