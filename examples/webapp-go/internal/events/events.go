// Package events tells every process of changed articles, over plain PUBLISH and SUBSCRIBE.
package events

import (
	"context"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// Publisher sends over the pool of quick calls.
type Publisher struct {
	Redis   *redis.Client
	Channel string
}

// ArticleChanged tells all subscribers that are there now.
func (p Publisher) ArticleChanged(ctx context.Context, id int64) error {
	return p.Redis.Publish(ctx, p.Channel, id).Err()
}

// Subscribe calls changed for each event until ctx ends. It keeps a connection of its own, and comes back
// only when the server has confirmed the subscription; go-redis renews it after a lost connection. What
// was sent in between is lost: events are hints, and what must not be missed needs a stream.
func Subscribe(ctx context.Context, r *redis.Client, channel string, changed func(id int64)) error {
	subscription := r.Subscribe(ctx, channel)
	if _, err := subscription.Receive(ctx); err != nil {
		return err
	}
	go func() {
		defer subscription.Close()
		messages := subscription.Channel()
		for {
			select {
			case <-ctx.Done():
				return
			case message, open := <-messages:
				if !open {
					return
				}
				if id, err := strconv.ParseInt(message.Payload, 10, 64); err == nil {
					changed(id)
				}
			}
		}
	}()
	return nil
}
