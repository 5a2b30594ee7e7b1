// Package store stands for the database. It is in memory, so that the example needs no other server.
package store

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"sync"
)

// Article is a page.
type Article struct{ Title, Body string }

// Report is what the worker writes.
type Report struct {
	Fence int64
	Body  string
}

type user struct {
	id         int64
	salt, hash []byte
}

// Store is safe for concurrent use.
type Store struct {
	mu       sync.Mutex
	users    map[string]user
	articles map[int64]Article
	report   Report
	reads    int
}

// New is an empty store.
func New() *Store { return &Store{users: map[string]user{}, articles: map[int64]Article{}} }

// AddUser adds a user under a number of its own.
func (s *Store) AddUser(id int64, name, password string) error {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	hash, err := derive(password, salt)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[name] = user{id, salt, hash}
	return err
}

// CheckPassword returns the user's number, or false where name or password is wrong.
func (s *Store) CheckPassword(name, password string) (int64, bool) {
	s.mu.Lock()
	found, known := s.users[name]
	s.mu.Unlock()
	hash, err := derive(password, found.salt)
	return found.id, err == nil && known && subtle.ConstantTimeCompare(hash, found.hash) == 1
}

func derive(password string, salt []byte) ([]byte, error) {
	return pbkdf2.Key(sha256.New, password, salt, 100_000, 32)
}

// PutArticle writes an article.
func (s *Store) PutArticle(id int64, article Article) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.articles[id] = article
}

// Article reads an article.
func (s *Store) Article(id int64) (Article, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	article, ok := s.articles[id]
	return article, ok
}

// Reads is how often an article was read.
func (s *Store) Reads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// PutReport writes the report unless somebody with a newer lock has: a worker whose lock has run out
// while it was at work cannot overwrite what came after it.
func (s *Store) PutReport(fence int64, body string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fence <= s.report.Fence {
		return false
	}
	s.report = Report{fence, body}
	return true
}

// Report is the report that was written last.
func (s *Store) Report() Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.report
}
