// Package session keeps the sessions of a user in one key. The cookie is `<owner>.<id>`: the owner
// finds the key, the id the session. An owner is u and a user's number, or v and a visitor's name.
package session

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"redis-appkit/examples/webapp-go/pkg/redisutil"
)

const (
	cookieName = "session"
	idle       = 30 * time.Minute
	maxAge     = 30 * 24 * time.Hour
	grace      = 10 * time.Second // for requests under way, and for a rotation that is sent again
	mostLive   = 10
)

var cookieForm = regexp.MustCompile(`^(u[0-9]{1,18}|v[A-Z2-7]{26})\.([0-9a-f-]{36})$`)

// ErrEnded is the answer for a session that has ended. Nothing brings it back.
var ErrEnded = errors.New("the session has ended")

// Data is what a session carries.
type Data struct {
	Device string         `json:"device,omitempty"`
	Cart   map[string]int `json:"cart,omitempty"`
}

// Session is a live session.
type Session struct {
	Owner, ID string
	Data      Data
}

// User is the number of the user, or false for a visitor's session and for none.
func (s *Session) User() (int64, bool) {
	if s == nil || s.Owner[0] != 'u' {
		return 0, false
	}
	user, err := strconv.ParseInt(s.Owner[1:], 10, 64)
	return user, err == nil
}

// Device is a line of the account page.
type Device struct {
	Handle  string
	SeenAt  time.Time
	Current bool
	Data    Data
}

// Store makes and finds sessions.
type Store struct {
	Redis  *redis.Client
	Keys   redisutil.Prefix
	Secure bool // for cookies: HTTPS only
}

// Load finds the session of a request and counts as its use; nil without one.
func (s *Store) Load(r *http.Request) (*Session, error) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return nil, nil
	}
	match := cookieForm.FindStringSubmatch(cookie.Value)
	if match == nil {
		return nil, nil
	}
	found := &Session{Owner: match[1], ID: match[2]}
	document, err := s.Redis.Do(r.Context(), "APP.SESSION.TOUCH", s.Keys.Sessions(found.Owner), found.ID).Text()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return found, json.Unmarshal([]byte(document), &found.Data)
}

// Update merges a patch into the session's data; a visitor without a session gets one.
func (s *Store) Update(ctx context.Context, w http.ResponseWriter, current *Session, patch Data) error {
	if current == nil {
		_, err := s.create(ctx, w, "v"+rand.Text(), patch)
		return err
	}
	document, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	return live(s.Redis.Do(ctx, "APP.SESSION.UPDATE", s.Keys.Sessions(current.Owner), current.ID, document).Err())
}

// LogIn never keeps the id from before it, which somebody else may know: who is logged in already gets
// a new id for the same session, and a visitor's session moves to the user's key.
func (s *Store) LogIn(ctx context.Context, w http.ResponseWriter, before *Session, user int64, device string) error {
	owner := "u" + strconv.FormatInt(user, 10)
	if before != nil && before.Owner == owner {
		id, err := s.Redis.Do(ctx, "APP.SESSION.ROTATE", s.Keys.Sessions(owner), before.ID, "GRACE", grace.Milliseconds()).Text()
		if err == nil {
			s.setCookie(w, owner+"."+id, 0)
		}
		return live(err)
	}
	data := Data{Device: device}
	if _, isUser := before.User(); before != nil && !isUser {
		data.Cart = before.Data.Cart
	}
	if _, err := s.create(ctx, w, owner, data); err != nil || before == nil {
		return err
	}
	return s.Redis.Do(ctx, "APP.SESSION.REVOKE", s.Keys.Sessions(before.Owner), before.ID).Err()
}

// Devices are the live sessions of the owner, newest first.
func (s *Store) Devices(ctx context.Context, current *Session) ([]Device, error) {
	list, err := s.Redis.Do(ctx, "APP.SESSION.LIST", s.Keys.Sessions(current.Owner), "CURRENT", current.ID).Slice()
	if err != nil {
		return nil, err
	}
	devices := make([]Device, 0, len(list))
	for _, each := range list {
		fields := redisutil.Map(each)
		var device Device
		document, _ := fields["data"].(string)
		if err := json.Unmarshal([]byte(document), &device.Data); err != nil {
			return nil, err
		}
		device.Handle, _ = fields["handle"].(string)
		seen, _ := fields["seen_at"].(int64)
		device.SeenAt, device.Current = time.UnixMilli(seen), fields["current"] == int64(1)
		devices = append(devices, device)
	}
	return devices, nil
}

// EndDevice ends the owner's session with this handle. Handles of other owners name nothing here.
func (s *Store) EndDevice(ctx context.Context, current *Session, handle string) error {
	return s.Redis.Do(ctx, "APP.SESSION.REVOKE", s.Keys.Sessions(current.Owner), "HANDLE", handle).Err()
}

// LogOut ends this session.
func (s *Store) LogOut(ctx context.Context, w http.ResponseWriter, current *Session) error {
	s.setCookie(w, "", -1)
	return s.Redis.Do(ctx, "APP.SESSION.REVOKE", s.Keys.Sessions(current.Owner), current.ID).Err()
}

// LogOutEverywhere ends all sessions of the owner.
func (s *Store) LogOutEverywhere(ctx context.Context, w http.ResponseWriter, current *Session) error {
	s.setCookie(w, "", -1)
	return s.Redis.Do(ctx, "APP.SESSION.REVOKEALL", s.Keys.Sessions(current.Owner)).Err()
}

func (s *Store) create(ctx context.Context, w http.ResponseWriter, owner string, data Data) (string, error) {
	document, err := json.Marshal(data)
	if err != nil {
		return "", err
	}
	id, err := s.Redis.Do(ctx, "APP.SESSION.CREATE", s.Keys.Sessions(owner), "PX", idle.Milliseconds(),
		"MAXAGE", maxAge.Milliseconds(), "LIMIT", mostLive, "DATA", document).Text()
	if err == nil {
		s.setCookie(w, owner+"."+id, 0)
	}
	return id, err
}

func (s *Store) setCookie(w http.ResponseWriter, value string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.Secure,
	})
}

// live makes nil of the server, which stands for a session that is not there, an error.
func live(err error) error {
	if errors.Is(err, redis.Nil) {
		return ErrEnded
	}
	return err
}
