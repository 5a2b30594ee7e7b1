// Package ratelimit asks one question and gets everything for the answer's headers with it.
package ratelimit

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Rule is so many units in any window.
type Rule struct {
	Name   string
	Limit  int64
	Window time.Duration
}

// Decision is the answer of the server.
type Decision struct {
	Allowed                bool
	Remaining              int64
	RetryAfter, NextUnitIn time.Duration
}

// Charge takes one unit, or refuses.
func Charge(ctx context.Context, r *redis.Client, key string, rule Rule) (Decision, error) {
	reply, err := r.Do(ctx, "APP.RATELIMIT", key, rule.Limit, "PX", rule.Window.Milliseconds()).Int64Slice()
	if err != nil {
		return Decision{}, err
	}
	if len(reply) != 7 {
		return Decision{}, fmt.Errorf("APP.RATELIMIT replied %d integers", len(reply))
	}
	return Decision{
		Allowed: reply[0] == 1, Remaining: reply[2],
		RetryAfter: time.Duration(reply[3]) * time.Millisecond, NextUnitIn: time.Duration(reply[5]) * time.Millisecond,
	}, nil
}

// Refund gives back what a call was charged that turned out to be none to count.
func Refund(ctx context.Context, r *redis.Client, key string, rule Rule) error {
	return r.Do(ctx, "APP.RATELIMIT.REFUND", key, rule.Limit, "PX", rule.Window.Milliseconds()).Err()
}

// SetHeaders writes the fields of the IETF draft and, for a refusal, Retry-After: whole seconds,
// rounded up, so that who waits that long is let in.
func SetHeaders(w http.ResponseWriter, rule Rule, d Decision) {
	w.Header().Set("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=%d", rule.Name, rule.Limit, seconds(rule.Window)))
	w.Header().Set("RateLimit", fmt.Sprintf("%q;r=%d;t=%d", rule.Name, d.Remaining, seconds(d.NextUnitIn)))
	if !d.Allowed {
		w.Header().Set("Retry-After", strconv.FormatInt(seconds(d.RetryAfter), 10))
	}
}

// Limit refuses with 429; keyOf tells whom a request is charged to.
func Limit(r *redis.Client, rule Rule, keyOf func(*http.Request) string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		decision, err := Charge(req.Context(), r, keyOf(req), rule)
		if err != nil {
			http.Error(w, "error", http.StatusInternalServerError)
			return
		}
		SetHeaders(w, rule, decision)
		if !decision.Allowed {
			http.Error(w, "too many requests", http.StatusTooManyRequests)
			return
		}
		next(w, req)
	}
}

func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
