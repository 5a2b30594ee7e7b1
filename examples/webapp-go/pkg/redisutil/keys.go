// Package redisutil has the names of all keys and channels of the service, and readers for replies.
package redisutil

import "strconv"

// Prefix begins every key, so that services can share a server.
type Prefix string

// Sessions holds all sessions of one owner.
func (p Prefix) Sessions(owner string) string { return string(p) + "sessions:" + owner }

// LoginLimit is charged for each attempt to log in to an account.
func (p Prefix) LoginLimit(name string) string { return string(p) + "limit:login:" + name }

// APILimit is charged for each call of the API.
func (p Prefix) APILimit(caller string) string { return string(p) + "limit:api:" + caller }

// Article is a rendered article in the cache.
func (p Prefix) Article(id int64) string {
	return string(p) + "cache:article:" + strconv.FormatInt(id, 10)
}

// ReportLock is held by the one that writes the report.
func (p Prefix) ReportLock() string { return string(p) + "lock:report" }

// ArticleEvents is the channel that tells of changed articles.
func (p Prefix) ArticleEvents() string { return string(p) + "events:articles" }

// Map reads a map, which is a Go map in RESP3 and a flat slice of names and values in RESP2.
func Map(reply any) map[string]any {
	m := map[string]any{}
	switch reply := reply.(type) {
	case map[any]any:
		for name, value := range reply {
			if name, ok := name.(string); ok {
				m[name] = value
			}
		}
	case []any:
		for i := 0; i+1 < len(reply); i += 2 {
			if name, ok := reply[i].(string); ok {
				m[name] = reply[i+1]
			}
		}
	}
	return m
}
