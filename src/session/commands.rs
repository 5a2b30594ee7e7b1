//! `APP.SESSION.*`: arguments → decision → commit → reply.
//!
//! An id is a credential: what may be one is named for redaction before anything else is looked at.

use super::arguments::{self, Create, Get, Rotate, Touch, Update};
use super::create::{Created, NewSession};
use super::handle::Handle;
use super::hash::{Change, Fields, Name};
use super::record::INDEX_FIELD;
use super::single::{self, StoredView, View};
use super::{all, create, hash, specs};
use crate::args::{Arguments, is_keyword};
use crate::command::Spec;
use crate::error::Error;
use crate::server::{Access, Call, Command, Constant, Hash, Key, ServerString};
use crate::{settings, stats};

/// `APP.SESSION.CREATE`
pub struct CreateSession;

impl Command for CreateSession {
    const SPEC: Spec = specs::CREATE;

    fn run(call: &Call<'_>) -> Result<(), Error> {
        redact_option(call, "ID");
        let arguments = Create::parse(call, max_bytes())?;
        let mut made = uuid::Uuid::encode_buffer();
        let id = match arguments.id {
            Some(id) => id,
            None => uuid::Uuid::new_v4()
                .hyphenated()
                .encode_lower(&mut made)
                .as_bytes(),
        };
        let new = NewSession {
            handle: Handle::of_id(id),
            idle: arguments.idle,
            max_age: arguments.max_age,
            data: arguments.data,
            limit: arguments.limit,
        };
        let key = Key::open(call, 1, Access::Write)?;
        let decision = create::create(&key.hash()?, &new, now_ms(call))?;
        commit(key, decision.change);
        match decision.reply {
            Created::New => stats::SESSION_CREATED.count(),
            Created::LimitReached => stats::SESSION_REJECTED.count(),
            Created::AlreadyLive => {}
        }
        match decision.reply {
            Created::LimitReached => call.reply_null(),
            Created::New | Created::AlreadyLive => call.reply_bytes(id),
        }
        Ok(())
    }
}

/// `APP.SESSION.GET`
pub struct GetSession;

impl Command for GetSession {
    const SPEC: Spec = specs::GET;

    fn run(call: &Call<'_>) -> Result<(), Error> {
        call.redact(2);
        let arguments = Get::parse(call)?;
        let key = Key::open(call, 1, Access::Read)?;
        let view = single::get(&key.hash()?, arguments.handle, now_ms(call))?;
        drop(key);
        reply_session(call, view, arguments.with_meta);
        Ok(())
    }
}

/// `APP.SESSION.TOUCH`
pub struct TouchSession;

impl Command for TouchSession {
    const SPEC: Spec = specs::TOUCH;

    fn run(call: &Call<'_>) -> Result<(), Error> {
        call.redact(2);
        let Touch {
            handle,
            timeout,
            with_meta,
        } = Touch::parse(call)?;
        let key = Key::open(call, 1, Access::Write)?;
        let decision = single::touch(&key.hash()?, handle, timeout, now_ms(call))?;
        if commit(key, decision.change) {
            stats::SESSION_SLID.count();
        }
        reply_session(call, decision.reply, with_meta);
        Ok(())
    }
}

/// `APP.SESSION.UPDATE`
pub struct UpdateSession;

impl Command for UpdateSession {
    const SPEC: Spec = specs::UPDATE;

    fn run(call: &Call<'_>) -> Result<(), Error> {
        call.redact(2);
        let Update {
            handle,
            document,
            replace,
            keep_ttl,
        } = Update::parse(call, max_bytes())?;
        let update = single::Update {
            document,
            replace,
            keep_ttl,
            max_bytes: max_bytes(),
        };
        let key = Key::open(call, 1, Access::Write)?;
        let decision = single::update(&key.hash()?, handle, &update, now_ms(call))?;
        if commit(key, decision.change) {
            stats::SESSION_UPDATED.count();
        }
        match decision.reply {
            Some(document) => call.reply_bytes(document.as_bytes()),
            None => call.reply_null(),
        }
        Ok(())
    }
}

/// `APP.SESSION.ROTATE`
pub struct RotateSession;

impl Command for RotateSession {
    const SPEC: Spec = specs::ROTATE;

    fn run(call: &Call<'_>) -> Result<(), Error> {
        call.redact(2);
        let Rotate { handle, grace } = Rotate::parse(call)?;
        let mut made = uuid::Uuid::encode_buffer();
        let id = uuid::Uuid::new_v4()
            .hyphenated()
            .encode_lower(&mut made)
            .as_bytes();
        let key = Key::open(call, 1, Access::Write)?;
        let new = Handle::of_id(id);
        let decision = single::rotate(&key.hash()?, handle, new, grace, now_ms(call))?;
        if commit(key, decision.change) {
            stats::SESSION_ROTATED.count();
        }
        match decision.reply {
            true => call.reply_bytes(id),
            false => call.reply_null(),
        }
        Ok(())
    }
}

/// `APP.SESSION.REVOKE`
pub struct RevokeSession;

impl Command for RevokeSession {
    const SPEC: Spec = specs::REVOKE;

    fn run(call: &Call<'_>) -> Result<(), Error> {
        redact_revoked(call);
        let handle = arguments::revoke(call)?;
        let key = Key::open(call, 1, Access::Write)?;
        let decision = single::revoke(&key.hash()?, handle, now_ms(call))?;
        commit(key, decision.change);
        stats::SESSION_REVOKED.add(u64::from(decision.reply));
        call.reply_integer(i64::from(decision.reply));
        Ok(())
    }
}

/// `APP.SESSION.REVOKEALL`
pub struct RevokeAllSessions;

impl Command for RevokeAllSessions {
    const SPEC: Spec = specs::REVOKE_ALL;

    fn run(call: &Call<'_>) -> Result<(), Error> {
        redact_all_but(call, "EXCEPT");
        let except = arguments::one_option(call, "EXCEPT")?;
        let key = Key::open(call, 1, Access::Write)?;
        let decision = all::revoke_all(&key.hash()?, except, now_ms(call))?;
        commit(key, decision.change);
        let ended = u64::try_from(decision.reply).unwrap_or(u64::MAX);
        stats::SESSION_REVOKED.add(ended);
        call.reply_integer(i64::try_from(ended).unwrap_or(i64::MAX));
        Ok(())
    }
}

/// `APP.SESSION.LIST`
pub struct ListSessions;

impl Command for ListSessions {
    const SPEC: Spec = specs::LIST;

    fn run(call: &Call<'_>) -> Result<(), Error> {
        redact_all_but(call, "CURRENT");
        let current = arguments::one_option(call, "CURRENT")?;
        let key = Key::open(call, 1, Access::Read)?;
        let listing = all::list(&key.hash()?, current, now_ms(call))?;
        drop(key);
        call.reply_array(listing.sessions.len());
        for view in &listing.sessions {
            let is_current = listing.current == Some(view.handle);
            reply_view(call, view, view.data.as_bytes(), is_current);
        }
        Ok(())
    }
}

/// [`INDEX_FIELD`], for every command to ask for.
static INDEX: Constant = Constant::new(INDEX_FIELD);

impl Fields for Hash<'_> {
    type Value = ServerString;

    fn count(&self) -> usize {
        Hash::count(self)
    }

    fn get(&self, field: &[u8]) -> Option<ServerString> {
        Hash::get(self, field)
    }

    fn index(&self) -> Option<ServerString> {
        Hash::get_constant(self, &INDEX)
    }

    fn for_each(&self, visit: &mut dyn FnMut(&[u8], &[u8])) {
        Hash::for_each(self, visit);
    }
}

impl From<hash::Error> for Error {
    fn from(error: hash::Error) -> Error {
        match error {
            hash::Error::NotSessions => Error::ForeignValue {
                holds: "hash",
                expected: "the sessions of an owner",
            },
            hash::Error::Damaged => Error::DamagedSession,
            hash::Error::ResultTooLong(max) => Error::DocumentTooLong { max },
            hash::Error::TooManyOldIds => Error::TooManyOldIds,
        }
    }
}

/// Says whether anything was changed.
fn commit(key: Key<'_>, change: Change) -> bool {
    match change {
        Change::Nothing => return false,
        Change::DeleteKey => key.commit_delete(),
        Change::Fields(changes) => {
            let set = changes.set.iter();
            let set = set.map(|(name, value)| (name.as_bytes(), value.as_slice()));
            let delete = changes.delete.iter().map(Name::as_bytes);
            let expires_at_ms = changes.expire_at.and_then(|at| u64::try_from(at).ok());
            key.commit_hash(set, delete, expires_at_ms);
        }
    }
    true
}

/// The most bytes that a document may have.
fn max_bytes() -> usize {
    usize::try_from(settings::SESSION_MAX_BYTES.get()).unwrap_or(0)
}

fn now_ms(call: &Call<'_>) -> i64 {
    i64::try_from(call.now_ms()).unwrap_or(i64::MAX)
}

/// Redacts whatever stands behind `option`, well formed or not.
fn redact_option(call: &Call<'_>, option: &str) {
    let mut index = 2;
    while let Some(argument) = call.get(index) {
        index = index.saturating_add(1);
        if is_keyword(argument, option) {
            call.redact(index);
        }
    }
}

/// Redacts all arguments behind the key but the only option: if its word was forgotten, what stands
/// there is most likely the id.
fn redact_all_but(call: &Call<'_>, option: &str) {
    let mut index = 2;
    while let Some(argument) = call.get(index) {
        if !is_keyword(argument, option) {
            call.redact(index);
        }
        index = index.saturating_add(1);
    }
}

/// Redacts the id of a session to be revoked, also one that stands where a handle belongs. A handle
/// is no credential and is shown.
fn redact_revoked(call: &Call<'_>) {
    match (call.get(2), call.get(3)) {
        (Some(first), Some(handle)) if is_keyword(first, "HANDLE") => {
            if Handle::parse(handle).is_none() {
                call.redact(3);
            }
        }
        _ => call.redact(2),
    }
}

fn reply_session(call: &Call<'_>, view: Option<StoredView<Hash<'_>>>, with_meta: bool) {
    match view {
        None => call.reply_null(),
        Some(view) if with_meta => reply_view(call, &view, view.data.as_bytes(), true),
        Some(view) => call.reply_bytes(view.data.as_bytes()),
    }
}

fn reply_view<D>(call: &Call<'_>, view: &View<D>, data: &[u8], current: bool) {
    call.reply_map(6);
    call.reply_bytes(b"handle");
    call.reply_bytes(view.handle.as_bytes());
    call.reply_field("created_at", view.created_at);
    call.reply_field("seen_at", view.seen_at);
    call.reply_field("expires_at", view.expires_at);
    call.reply_field("current", i64::from(current));
    call.reply_bytes(b"data");
    call.reply_bytes(data);
}
