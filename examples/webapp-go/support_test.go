package main

import (
	"cmp"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	platform "redis-appkit/examples/webapp-go/internal/platform/redis"
	"redis-appkit/examples/webapp-go/internal/store"
	"redis-appkit/examples/webapp-go/internal/web"
	"redis-appkit/examples/webapp-go/pkg/redisutil"
)

// start serves an app whose keys no other test has, against the server at REDIS_URL.
func start(t *testing.T) (*web.App, string) {
	t.Helper()
	clients, err := platform.Connect(t.Context(), cmp.Or(os.Getenv("REDIS_URL"), "redis://localhost:6379"))
	if err != nil {
		t.Fatal(err)
	}
	db := store.New()
	for id, name := range []string{"alice", "bob"} {
		if err := db.AddUser(int64(id+1), name, "secret"); err != nil {
			t.Fatal(err)
		}
	}
	db.PutArticle(1, store.Article{Title: "Hello", Body: "first"})
	app := web.New(t.Context(), clients, db, redisutil.Prefix("test:"+rand.Text()+":"))
	server := httptest.NewServer(app.Handler())
	t.Cleanup(func() {
		server.Close()
		if err := clients.Close(); err != nil {
			t.Error(err)
		}
	})
	return app, server.URL
}

// device is a browser without a screen: it keeps its cookies.
type device struct {
	t    *testing.T
	base string
	http http.Client
}

func newDevice(t *testing.T, base string) *device {
	jar, _ := cookiejar.New(nil)
	return &device{t, base, http.Client{Jar: jar}}
}

func (d *device) send(method, path string, form url.Values, header http.Header) (*http.Response, string) {
	d.t.Helper()
	r, err := http.NewRequest(method, d.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		d.t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := d.http.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return response, string(body)
}

func (d *device) get(path string) (*http.Response, string) {
	d.t.Helper()
	return d.send("GET", path, nil, nil)
}

func (d *device) post(path string, form url.Values) int {
	d.t.Helper()
	response, _ := d.send("POST", path, form, nil)
	return response.StatusCode
}

func (d *device) logIn(name, password string) int {
	d.t.Helper()
	return d.post("/login", url.Values{"name": {name}, "password": {password}})
}

func (d *device) loggedIn() bool {
	d.t.Helper()
	response, _ := d.get("/account")
	return response.StatusCode == http.StatusOK
}

func (d *device) cookie() string {
	base, _ := url.Parse(d.base)
	for _, cookie := range d.http.Jar.Cookies(base) {
		return cookie.Value
	}
	return ""
}

func (d *device) setCookie(value string) {
	base, _ := url.Parse(d.base)
	d.http.Jar.SetCookies(base, []*http.Cookie{{Name: "session", Value: value}})
}

// expect fails the test where got is not want.
func expect[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}
