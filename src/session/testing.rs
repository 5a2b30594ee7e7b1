//! A hash in memory and its owner, for the tests of the rules.

#![allow(clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use super::all::{Listing, list, revoke_all};
use super::create::{Created, Limit, NewSession, create};
use super::document::Document;
use super::handle::Handle;
use super::hash::{Change, Contents, Decision, Error, Fields};
use super::record::{INDEX_FIELD, decode_index};
use super::single::{StoredView, Update, View, get, revoke, rotate, touch, update};

pub const MAX_BYTES: usize = 1000;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct FakeHash {
    pub fields: BTreeMap<Vec<u8>, Vec<u8>>,
    pub expire_at: Option<i64>,
}

impl Fields for FakeHash {
    type Value = Vec<u8>;

    fn count(&self) -> usize {
        self.fields.len()
    }

    fn get(&self, field: &[u8]) -> Option<Vec<u8>> {
        self.fields.get(field).cloned()
    }

    /// Shows everything twice: a scan may.
    fn for_each(&self, visit: &mut dyn FnMut(&[u8], &[u8])) {
        for (name, value) in self.fields.iter().chain(&self.fields) {
            visit(name, value);
        }
    }
}

impl FakeHash {
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Nothing => {}
            Change::DeleteKey => *self = Self::default(),
            Change::Fields(changes) => {
                for name in changes.delete {
                    let name = name.as_bytes();
                    let set = changes.set.iter().any(|(set, _)| set.as_bytes() == name);
                    assert!(!set, "a field is both set and deleted");
                    self.fields.remove(name);
                }
                for (name, value) in changes.set {
                    self.fields.insert(name.as_bytes().into(), value);
                }
                self.expire_at = changes.expire_at.or(self.expire_at);
            }
        }
    }
}

/// One owner's hash and the clock; each call is decided and carried out, as a command would.
#[derive(Clone, Debug)]
pub struct Owner {
    pub hash: FakeHash,
    pub now: i64,
}

impl Owner {
    pub fn new() -> Self {
        Self {
            hash: FakeHash::default(),
            now: 1_700_000_000_000,
        }
    }

    pub fn sleep(&mut self, ms: i64) {
        self.now += ms;
        // The server's own expiry: after the last millisecond of the TTL.
        if self.hash.expire_at.is_some_and(|at| at < self.now) {
            self.hash = FakeHash::default();
        }
    }

    fn carry_out<T>(&mut self, decision: Result<Decision<T>, Error>) -> Result<T, Error> {
        let decision = decision?;
        self.hash.apply(decision.change);
        Ok(decision.reply)
    }

    pub fn create_with(
        &mut self,
        id: &str,
        idle: i64,
        max_age: Option<i64>,
        limit: Option<(usize, bool)>,
        data: &str,
    ) -> Result<Created, Error> {
        let new = NewSession {
            handle: handle(id),
            idle,
            max_age,
            data: document(data),
            limit: limit.map(|(sessions, reject)| Limit {
                sessions: NonZeroUsize::new(sessions).unwrap(),
                reject,
            }),
        };
        let decision = create(&self.hash, &new, self.now);
        self.carry_out(decision)
    }

    /// A new session with an idle timeout of `idle` ms that carries its own id.
    pub fn create(&mut self, id: &str, idle: i64) {
        let data = format!("{{\"id\":\"{id}\"}}");
        let created = self.create_with(id, idle, None, None, &data);
        assert_eq!(created, Ok(Created::New));
    }

    pub fn get(&self, id: &str) -> Result<Option<View>, Error> {
        Ok(get(&self.hash, handle(id), self.now)?.map(copied))
    }

    /// The document of a session.
    pub fn data(&self, id: &str) -> Option<String> {
        self.get(id).unwrap().map(|view| view.data)
    }

    pub fn touch(&mut self, id: &str, timeout: Option<i64>) -> Result<Option<View>, Error> {
        let decision = touch(&self.hash, handle(id), timeout, self.now);
        Ok(self.carry_out(decision)?.map(copied))
    }

    pub fn update_with(
        &mut self,
        id: &str,
        json: &str,
        replace: bool,
        keep_ttl: bool,
    ) -> Result<Option<String>, Error> {
        let how = Update {
            document: document(json),
            replace,
            keep_ttl,
            max_bytes: MAX_BYTES,
        };
        let decision = update(&self.hash, handle(id), &how, self.now);
        self.carry_out(decision)
    }

    pub fn patch(&mut self, id: &str, json: &str) -> Result<Option<String>, Error> {
        self.update_with(id, json, false, false)
    }

    pub fn rotate(&mut self, id: &str, new: &str, grace: Option<i64>) -> Result<bool, Error> {
        let decision = rotate(&self.hash, handle(id), handle(new), grace, self.now);
        self.carry_out(decision)
    }

    pub fn revoke(&mut self, id: &str) -> Result<bool, Error> {
        let decision = revoke(&self.hash, Some(handle(id)), self.now);
        self.carry_out(decision)
    }

    pub fn revoke_all(&mut self, except: Option<&str>) -> Result<usize, Error> {
        let decision = revoke_all(&self.hash, except.map(handle), self.now);
        self.carry_out(decision)
    }

    pub fn list(&self, current: Option<&str>) -> Result<Listing, Error> {
        list(&self.hash, current.map(handle), self.now)
    }

    /// The bytes of a session's field, to be damaged.
    pub fn field(&mut self, id: &str) -> &mut Vec<u8> {
        let name = handle(id).as_bytes().to_vec();
        self.hash.fields.get_mut(&name).unwrap()
    }

    /// What must hold after every call.
    pub fn check(&self) {
        if self.hash.fields.is_empty() {
            assert_eq!(self.hash.expire_at, None);
            return;
        }
        let index = self.hash.get(INDEX_FIELD).expect("an index");
        let latest = decode_index(&index).expect("a readable index");
        assert_eq!(self.hash.expire_at, Some(latest), "the key's TTL");
        let contents = Contents::read(&self.hash);
        for header in contents.sessions.values() {
            assert!(!header.is_live(self.now) || header.expires <= latest);
            for old in &header.old {
                assert!(
                    !contents.sessions.contains_key(&old.handle),
                    "a session's old id is another session"
                );
            }
        }
    }
}

/// With a document that outlives the hash.
fn copied(view: StoredView<FakeHash>) -> View {
    View {
        handle: view.handle,
        created_at: view.created_at,
        seen_at: view.seen_at,
        expires_at: view.expires_at,
        data: view.data.as_str().to_owned(),
    }
}

pub fn handle(id: &str) -> Handle {
    Handle::of_id(id.as_bytes())
}

pub fn document(json: &str) -> Document<'_> {
    Document::parse(json.as_bytes(), MAX_BYTES).unwrap()
}
