package main

import (
	"context"
	"errors"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"redis-appkit/examples/webapp-go/internal/cache"
	"redis-appkit/examples/webapp-go/internal/events"
	"redis-appkit/examples/webapp-go/internal/lock"
	platform "redis-appkit/examples/webapp-go/internal/platform/redis"
	"redis-appkit/examples/webapp-go/internal/web"
)

// serve serves the app once more, with what was changed in it.
func serve(t *testing.T, app *web.App) string {
	server := httptest.NewServer(app.Handler())
	t.Cleanup(server.Close)
	return server.URL
}

func needCache(t *testing.T, app *web.App) {
	if app.Cache.Off {
		t.Skip("the server's module has no APP.CACHE")
	}
}

func TestFiftyRequestsReadTheDatabaseOnce(t *testing.T) {
	app, base := start(t)
	needCache(t, app)
	var requests sync.WaitGroup
	for range 50 {
		requests.Go(func() {
			if _, body := newDevice(t, base).get("/articles/1"); !strings.Contains(body, "first") {
				t.Error(body)
			}
		})
	}
	requests.Wait()
	expect(t, "reads", app.Store.Reads(), 1)
}

func TestProcessesWaitForTheOneThatLoads(t *testing.T) {
	app, _ := start(t)
	needCache(t, app)
	var loads atomic.Int32
	var processes sync.WaitGroup
	for range 10 { // a cache each: they share nothing but the server
		processes.Go(func() {
			c := &cache.Cache{Main: app.Clients.Main, Waiting: app.Clients.Waiting}
			page, err := c.GetOrLoad(t.Context(), app.Keys.Article(2), time.Minute, func(context.Context) (string, error) {
				loads.Add(1)
				time.Sleep(200 * time.Millisecond)
				return "page", nil
			})
			if page != "page" || err != nil {
				t.Error(page, err)
			}
		})
	}
	processes.Wait()
	expect(t, "loads", loads.Load(), 1)
}

func TestADatabaseThatIsDownIsAskedOnce(t *testing.T) {
	app, _ := start(t)
	needCache(t, app)
	down := errors.New("down")
	var loads atomic.Int32
	var processes sync.WaitGroup
	for range 10 {
		processes.Go(func() {
			c := &cache.Cache{Main: app.Clients.Main, Waiting: app.Clients.Waiting}
			_, err := c.GetOrLoad(t.Context(), app.Keys.Article(2), time.Minute, func(context.Context) (string, error) {
				loads.Add(1)
				time.Sleep(100 * time.Millisecond)
				return "", down
			})
			if !errors.Is(err, down) && !errors.Is(err, cache.ErrBusy) {
				t.Error(err)
			}
		})
	}
	processes.Wait()
	expect(t, "loads", loads.Load(), 1)
}

func TestAnEditIsSeenByTheNextRequestAndBySubscribers(t *testing.T) {
	app, base := start(t)
	changed := make(chan int64, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := events.Subscribe(ctx, app.Clients.Subscriber, app.Keys.ArticleEvents(), func(id int64) { changed <- id }); err != nil {
		t.Fatal(err)
	}
	d := newDevice(t, base)
	d.logIn("alice", "secret")
	d.get("/articles/1")
	d.post("/articles/1", url.Values{"title": {"Hello"}, "body": {"second"}})
	_, body := d.get("/articles/1")
	expect(t, "second", strings.Contains(body, "second"), true)
	select {
	case id := <-changed:
		expect(t, "event", id, 1)
	case <-time.After(5 * time.Second):
		t.Fatal("no event")
	}
}

func TestWorkersWriteOneAfterAnotherWithRisingFences(t *testing.T) {
	app, _ := start(t)
	var working atomic.Int32
	var workers sync.WaitGroup
	for range 5 {
		workers.Go(func() {
			err := lock.With(t.Context(), app.Clients.Main, app.Clients.Waiting, app.Keys.ReportLock(), 30*time.Second, platform.LongestWait, func(fence int64) error {
				if working.Add(1) != 1 {
					t.Error("two at once")
				}
				time.Sleep(20 * time.Millisecond)
				if !app.Store.PutReport(fence, "report") {
					t.Error("an older fence than the one before")
				}
				working.Add(-1)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	workers.Wait()
}

func TestAWorkerThatLostItsLockDoesNotOverwriteTheNextOnesReport(t *testing.T) {
	app, _ := start(t)
	with := func(work func(fence int64) error) {
		t.Helper()
		if err := lock.With(t.Context(), app.Clients.Main, app.Clients.Waiting, app.Keys.ReportLock(), 30*time.Second, time.Second, work); err != nil {
			t.Fatal(err)
		}
	}
	with(func(old int64) error {
		// It stops here for so long that its lock runs out, and another worker does the job.
		app.Clients.Main.Del(t.Context(), app.Keys.ReportLock())
		with(func(fence int64) error {
			expect(t, "the new one writes", app.Store.PutReport(fence, "new"), true)
			return nil
		})
		expect(t, "the old one writes", app.Store.PutReport(old, "old"), false)
		return nil
	})
	expect(t, "report", app.Store.Report().Body, "new")
}

func TestAWaitThatRunsOutLeavesTheLine(t *testing.T) {
	app, _ := start(t)
	key := app.Keys.ReportLock()
	app.Clients.Main.Do(t.Context(), "APP.LOCK", key, "somebody", "EX", 30)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	nothing := func(int64) error { t.Error("held by two"); return nil }
	err := lock.With(ctx, app.Clients.Main, app.Clients.Waiting, key, time.Minute, 10*time.Second, nothing)
	expect(t, "the request was given up", errors.Is(err, context.DeadlineExceeded), true)
	err = lock.With(t.Context(), app.Clients.Main, app.Clients.Waiting, key, time.Minute, 50*time.Millisecond, nothing)
	expect(t, "the wait ran out", err, lock.ErrHeld)
}
