// A web service on redis-appkit. Listens on ADDRESS (127.0.0.1:3000) with the user alice, password
// secret; uses the server at REDIS_URL.
package main

import (
	"cmp"
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"redis-appkit/examples/webapp-go/internal/events"
	"redis-appkit/examples/webapp-go/internal/lock"
	platform "redis-appkit/examples/webapp-go/internal/platform/redis"
	"redis-appkit/examples/webapp-go/internal/store"
	"redis-appkit/examples/webapp-go/internal/web"
	"redis-appkit/examples/webapp-go/pkg/redisutil"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	clients, err := platform.Connect(ctx, cmp.Or(os.Getenv("REDIS_URL"), "redis://localhost:6379"))
	if err != nil {
		return err
	}
	defer clients.Close()
	keys := redisutil.Prefix("app:")
	db := store.New()
	if err := db.AddUser(1, "alice", "secret"); err != nil {
		return err
	}
	db.PutArticle(1, store.Article{Title: "Hello", Body: "The first article."})
	err = events.Subscribe(ctx, clients.Subscriber, keys.ArticleEvents(), func(id int64) {
		log.Printf("article %d has changed", id)
	})
	if err != nil {
		return err
	}
	go writeReports(ctx, clients, db, keys)

	server := &http.Server{
		Addr:              cmp.Or(os.Getenv("ADDRESS"), "127.0.0.1:3000"),
		Handler:           web.New(ctx, clients, db, keys).Handler(),
		ReadHeaderTimeout: 5 * time.Second,
	}
	go func() {
		<-ctx.Done()
		_ = server.Shutdown(context.WithoutCancel(ctx))
	}()
	log.Printf("http://%s/articles/1", server.Addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// writeReports writes one now and then; of all processes one at a time.
func writeReports(ctx context.Context, clients *platform.Clients, db *store.Store, keys redisutil.Prefix) {
	for ctx.Err() == nil {
		err := lock.With(ctx, clients.Main, clients.Waiting, keys.ReportLock(), 30*time.Second, platform.LongestWait, func(fence int64) error {
			if !db.PutReport(fence, time.Now().String()) {
				return errors.New("a newer report is there")
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			log.Print("report: ", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Minute):
		}
	}
}
