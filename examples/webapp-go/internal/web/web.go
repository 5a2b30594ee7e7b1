// Package web has the routes, which know no command of Redis.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"strconv"
	"time"

	"redis-appkit/examples/webapp-go/internal/cache"
	"redis-appkit/examples/webapp-go/internal/events"
	platform "redis-appkit/examples/webapp-go/internal/platform/redis"
	"redis-appkit/examples/webapp-go/internal/ratelimit"
	"redis-appkit/examples/webapp-go/internal/session"
	"redis-appkit/examples/webapp-go/internal/store"
	"redis-appkit/examples/webapp-go/pkg/redisutil"
)

// App is the service.
type App struct {
	Clients  *platform.Clients
	Store    *store.Store
	Sessions *session.Store
	Cache    *cache.Cache
	Keys     redisutil.Prefix
	Login    ratelimit.Rule
	API      ratelimit.Rule
}

// New is a service with the usual limits.
func New(ctx context.Context, clients *platform.Clients, db *store.Store, keys redisutil.Prefix) *App {
	return &App{
		Clients:  clients,
		Store:    db,
		Sessions: &session.Store{Redis: clients.Main, Keys: keys},
		Cache:    &cache.Cache{Main: clients.Main, Waiting: clients.Waiting, Off: !clients.HasCache(ctx)},
		Keys:     keys,
		Login:    ratelimit.Rule{Name: "login", Limit: 5, Window: time.Minute},
		API:      ratelimit.Rule{Name: "api", Limit: 10, Window: 10 * time.Second},
	}
}

type sessionKey struct{}

func current(r *http.Request) *session.Session {
	s, _ := r.Context().Value(sessionKey{}).(*session.Session)
	return s
}

// Handler is the whole of it. Forms of other sites are turned away.
func (a *App) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", a.health)
	mux.HandleFunc("POST /cart", a.addToCart)
	mux.HandleFunc("POST /login", a.logIn)
	mux.HandleFunc("GET /account", loggedIn(a.account))
	mux.HandleFunc("POST /account/devices/{handle}/end", loggedIn(a.endDevice))
	mux.HandleFunc("POST /logout", loggedIn(a.logOut))
	mux.HandleFunc("POST /logout-everywhere", loggedIn(a.logOutEverywhere))
	mux.HandleFunc("GET /api/time", ratelimit.Limit(a.Clients.Main, a.API, a.caller, a.time))
	mux.HandleFunc("GET /articles/{id}", a.article)
	mux.HandleFunc("POST /articles/{id}", loggedIn(a.editArticle))
	return http.NewCrossOriginProtection().Handler(a.withSession(mux))
}

func (a *App) withSession(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found, err := a.Sessions.Load(r)
		if err != nil {
			fail(w, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), sessionKey{}, found)))
	})
}

func loggedIn(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, ok := current(r).User(); !ok {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		next(w, r)
	}
}

func fail(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, session.ErrEnded):
		http.Error(w, "the session has ended", http.StatusUnauthorized)
	case errors.Is(err, cache.ErrBusy):
		w.Header().Set("Retry-After", "1")
		http.Error(w, "busy", http.StatusServiceUnavailable)
	default:
		http.Error(w, "error", http.StatusInternalServerError)
	}
}

func (a *App) health(w http.ResponseWriter, r *http.Request) {
	if err := a.Clients.Check(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}

func (a *App) addToCart(w http.ResponseWriter, r *http.Request) {
	patch := session.Data{Cart: map[string]int{r.FormValue("item"): 1}}
	if err := a.Sessions.Update(r.Context(), w, current(r), patch); err != nil {
		fail(w, err)
	}
}

func (a *App) logIn(w http.ResponseWriter, r *http.Request) {
	name := r.FormValue("name")
	key := a.Keys.LoginLimit(name)
	// Charged before the password is looked at, so that no number of attempts at once gets past.
	decision, err := ratelimit.Charge(r.Context(), a.Clients.Main, key, a.Login)
	if err != nil {
		fail(w, err)
		return
	}
	if !decision.Allowed {
		ratelimit.SetHeaders(w, a.Login, decision)
		http.Error(w, "too many attempts", http.StatusTooManyRequests)
		return
	}
	user, ok := a.Store.CheckPassword(name, r.FormValue("password"))
	if !ok {
		http.Error(w, "wrong name or password", http.StatusUnauthorized)
		return
	}
	// Only failures count.
	if err := ratelimit.Refund(r.Context(), a.Clients.Main, key, a.Login); err != nil {
		fail(w, err)
		return
	}
	if err := a.Sessions.LogIn(r.Context(), w, current(r), user, r.UserAgent()); err != nil {
		fail(w, err)
	}
}

func (a *App) account(w http.ResponseWriter, r *http.Request) {
	devices, err := a.Sessions.Devices(r.Context(), current(r))
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(devices)
}

func (a *App) endDevice(w http.ResponseWriter, r *http.Request) {
	if err := a.Sessions.EndDevice(r.Context(), current(r), r.PathValue("handle")); err != nil {
		fail(w, err)
	}
}

func (a *App) logOut(w http.ResponseWriter, r *http.Request) {
	if err := a.Sessions.LogOut(r.Context(), w, current(r)); err != nil {
		fail(w, err)
	}
}

func (a *App) logOutEverywhere(w http.ResponseWriter, r *http.Request) {
	if err := a.Sessions.LogOutEverywhere(r.Context(), w, current(r)); err != nil {
		fail(w, err)
	}
}

// caller is whom a call of the API is charged to: a user, or everybody at one address, as a visitor can
// have any number of sessions.
func (a *App) caller(r *http.Request) string {
	if user, ok := current(r).User(); ok {
		return a.Keys.APILimit("u" + strconv.FormatInt(user, 10))
	}
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		address = r.RemoteAddr
	}
	return a.Keys.APILimit(address)
}

func (a *App) time(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, time.Now().UTC().Format(time.RFC3339))
}

func (a *App) article(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	page, err := a.Cache.GetOrLoad(r.Context(), a.Keys.Article(id), time.Minute, func(context.Context) (string, error) {
		article, ok := a.Store.Article(id)
		if !ok {
			return "", nil
		}
		return "<h1>" + html.EscapeString(article.Title) + "</h1>\n<p>" + html.EscapeString(article.Body) + "</p>\n", nil
	})
	if err != nil {
		fail(w, err)
	} else if page == "" {
		http.NotFound(w, r)
	} else {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, page)
	}
}

func (a *App) editArticle(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	a.Store.PutArticle(id, store.Article{Title: r.FormValue("title"), Body: r.FormValue("body")})
	// After the write, so that nobody loads and stores what was before it.
	err = a.Cache.Invalidate(r.Context(), a.Keys.Article(id))
	if err == nil {
		err = events.Publisher{Redis: a.Clients.Main, Channel: a.Keys.ArticleEvents()}.ArticleChanged(r.Context(), id)
	}
	if err != nil {
		fail(w, err)
	}
}
