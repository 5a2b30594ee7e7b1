package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"redis-appkit/examples/webapp-go/internal/session"
)

func TestLogInMovesTheVisitorsSessionToTheUsersKey(t *testing.T) {
	app, base := start(t)
	d := newDevice(t, base)
	d.post("/cart", url.Values{"item": {"socks"}})
	visitor := d.cookie()
	expect(t, "a visitor's cookie", visitor[:1], "v")
	expect(t, "log-in", d.logIn("alice", "secret"), http.StatusOK)
	expect(t, "owner", strings.HasPrefix(d.cookie(), "u1."), true)

	_, body := d.get("/account")
	var devices []session.Device
	if err := json.Unmarshal([]byte(body), &devices); err != nil {
		t.Fatal(err)
	}
	expect(t, "devices", len(devices), 1)
	expect(t, "the cart came along", devices[0].Data.Cart["socks"], 1)
	owner, _, _ := strings.Cut(visitor, ".")
	expect(t, "the visitor's sessions", app.Clients.Main.Exists(t.Context(), app.Keys.Sessions(owner)).Val(), 0)
}

func TestASecondLogInRotatesTheID(t *testing.T) {
	_, base := start(t)
	d, old := newDevice(t, base), newDevice(t, base)
	d.logIn("alice", "secret")
	old.setCookie(d.cookie())
	d.logIn("alice", "secret")
	expect(t, "a new id", d.cookie() != old.cookie(), true)
	expect(t, "the old id in its grace", old.loggedIn(), true)
	d.post("/logout", nil)
	expect(t, "the old id of an ended session", old.loggedIn(), false)
}

func TestOneDeviceIsEndedByItsHandleAndAllAtOnce(t *testing.T) {
	_, base := start(t)
	phone, laptop, tablet, bobs := newDevice(t, base), newDevice(t, base), newDevice(t, base), newDevice(t, base)
	for _, d := range []*device{phone, laptop, tablet} {
		d.logIn("alice", "secret")
	}
	bobs.logIn("bob", "secret")
	_, body := phone.get("/account")
	var devices []session.Device
	if err := json.Unmarshal([]byte(body), &devices); err != nil {
		t.Fatal(err)
	}
	expect(t, "devices", len(devices), 3)
	handle := ""
	for _, d := range devices {
		if !d.Current {
			handle = d.Handle
		}
	}
	bobs.post("/account/devices/"+handle+"/end", nil)
	expect(t, "after bob tried", laptop.loggedIn() && tablet.loggedIn(), true)
	phone.post("/account/devices/"+handle+"/end", nil)
	expect(t, "one of the two is out", laptop.loggedIn() != tablet.loggedIn(), true)

	phone.post("/logout-everywhere", nil)
	expect(t, "anybody of alice's", phone.loggedIn() || laptop.loggedIn() || tablet.loggedIn(), false)
	expect(t, "bob", bobs.loggedIn(), true)
}

func TestASlowRequestDoesNotReviveASession(t *testing.T) {
	app, base := start(t)
	d := newDevice(t, base)
	d.logIn("alice", "secret")
	request, _ := http.NewRequest("POST", base, nil)
	request.Header.Set("Cookie", "session="+d.cookie())
	loaded, err := app.Sessions.Load(request)
	if err != nil || loaded == nil {
		t.Fatal(loaded, err)
	}
	d.post("/logout-everywhere", nil) // between the slow request's look at its session and its change
	err = app.Sessions.Update(t.Context(), nil, loaded, session.Data{Device: "x"})
	expect(t, "update", err, session.ErrEnded)
	d.setCookie(loaded.Owner + "." + loaded.ID)
	expect(t, "revived", d.loggedIn(), false)
}

func TestAMadeUpCookieIsAVisitor(t *testing.T) {
	_, base := start(t)
	for _, cookie := range []string{"u1", "u1.", "u1.short", "x.00000000-0000-4000-8000-000000000000", "u1.00000000-0000-4000-8000-000000000000"} {
		d := newDevice(t, base)
		d.setCookie(cookie)
		response, _ := d.get("/account")
		expect(t, cookie, response.StatusCode, http.StatusUnauthorized)
	}
}

func TestAFormOfAnotherSiteIsTurnedAway(t *testing.T) {
	_, base := start(t)
	d := newDevice(t, base)
	d.logIn("alice", "secret")
	response, _ := d.send("POST", "/logout-everywhere", nil, http.Header{"Origin": {"https://evil.example"}})
	expect(t, "status", response.StatusCode, http.StatusForbidden)
	expect(t, "logged in", d.loggedIn(), true)
}

func TestWrongPasswordsAreLetThroughUpToTheLimit(t *testing.T) {
	_, base := start(t)
	var attempts sync.WaitGroup
	statuses := make([]int, 20)
	for n := range statuses {
		attempts.Go(func() { statuses[n] = newDevice(t, base).logIn("alice", "wrong") })
	}
	attempts.Wait()
	count := map[int]int{}
	for _, status := range statuses {
		count[status]++
	}
	expect(t, "401", count[http.StatusUnauthorized], 5)
	expect(t, "429", count[http.StatusTooManyRequests], 15)
	for range 8 { // those that succeed are not counted
		expect(t, "bob", newDevice(t, base).logIn("bob", "secret"), http.StatusOK)
	}
}

func TestTheAPICountsDownAndLetsInAfterRetryAfter(t *testing.T) {
	app, base := start(t)
	app.API.Limit, app.API.Window = 3, 4*time.Second
	server := newDevice(t, base)
	server.logIn("alice", "secret")
	// The rule is read when the routes are made.
	base = serve(t, app)
	d := newDevice(t, base)
	d.setCookie(server.cookie())
	for left := 2; left >= 0; left-- {
		response, _ := d.get("/api/time")
		expect(t, "status", response.StatusCode, http.StatusOK)
		expect(t, "policy", response.Header.Get("RateLimit-Policy"), `"api";q=3;w=4`)
		expect(t, "left", strings.HasPrefix(response.Header.Get("RateLimit"), `"api";r=`+strconv.Itoa(left)+";t="), true)
	}
	response, _ := d.get("/api/time")
	expect(t, "status", response.StatusCode, http.StatusTooManyRequests)
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	expect(t, "Retry-After", err == nil && seconds >= 1 && seconds <= 5, true)
	time.Sleep(time.Duration(seconds) * time.Second)
	response, _ = d.get("/api/time")
	expect(t, "status", response.StatusCode, http.StatusOK)
}

func TestTheHealthCheckTellsWhetherTheServerIsThere(t *testing.T) {
	app, base := start(t)
	response, _ := newDevice(t, base).get("/health")
	expect(t, "healthy", response.StatusCode, http.StatusOK)
	gone := *app.Clients
	gone.Main = redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	expect(t, "an error", gone.Check(t.Context()) != nil, true)
}
