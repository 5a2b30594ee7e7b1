//! The rules for all sessions of an owner.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::handle::Handle;
use super::hash::{
    Change, Contents, Decision, Error, FieldChanges, Fields, Name, find, read_latest,
};
use super::record::{Record, decode_index, is_index};
use super::single::View;

/// Ends all live sessions but the one that `except` names; says how many.
///
/// Nothing but that session and its ids is left in the hash: what has ended goes, and so does what
/// is damaged, the session to keep included. A damaged record keeps nobody from ending everything.
///
/// # Errors
///
/// [`Error::NotSessions`] for somebody else's hash.
pub fn revoke_all(
    fields: &impl Fields,
    except: Option<Handle>,
    now: i64,
) -> Result<Decision<usize>, Error> {
    if fields.count() == 0 {
        return Ok(Decision::unchanged(0));
    }
    let index = fields.index().ok_or(Error::NotSessions)?;
    if !is_index(&index) {
        return Err(Error::NotSessions);
    }
    let contents = Contents::read(fields);
    let live = contents
        .sessions
        .values()
        .filter(|s| s.is_live(now))
        .count();
    let Some(kept) = except.and_then(|handle| live_named(&contents, handle, now)) else {
        return Ok(Decision {
            reply: live,
            change: Change::DeleteKey,
        });
    };
    let mut changes = FieldChanges::default();
    for handle in contents.without(&BTreeSet::from([kept]), now) {
        changes.delete(handle);
    }
    let damaged = contents.damaged.iter().cloned();
    changes.delete.extend(damaged.map(Name::Foreign));
    let expires = contents.sessions.get(&kept).map(|header| header.expires);
    if let Some(expires) = expires.filter(|expires| decode_index(&index) != Ok(*expires)) {
        changes.set_latest(expires);
    }
    Ok(Decision {
        reply: live.saturating_sub(1),
        change: changes.into_change(),
    })
}

/// The live session that `handle` names, by its own id or an old one.
fn live_named(contents: &Contents, handle: Handle, now: i64) -> Option<Handle> {
    let named = contents.old.get(&handle).copied().unwrap_or(handle);
    let header = contents.sessions.get(&named)?;
    let agrees = named == handle || header.answers_to(handle, now);
    (agrees && header.is_live(now)).then_some(named)
}

/// All live sessions, newest first.
#[derive(Debug, PartialEq, Eq)]
pub struct Listing {
    pub sessions: Vec<View>,
    /// The session that the caller called its current one, if it is live.
    pub current: Option<Handle>,
}

/// Lists all live sessions, each once; damaged records are left out, so an account page shows all
/// the others.
///
/// # Errors
///
/// [`Error::NotSessions`] for somebody else's hash.
pub fn list(fields: &impl Fields, current: Option<Handle>, now: i64) -> Result<Listing, Error> {
    let mut sessions = BTreeMap::new();
    if read_latest(fields)?.is_some() {
        fields.for_each(&mut |name, value| {
            let Some(handle) = Handle::parse(name) else {
                return;
            };
            if let Ok(Record::Session(header, data)) = Record::decode(value)
                && header.is_live(now)
            {
                sessions.insert(handle, View::new(handle, &header, data.to_owned()));
            }
        });
    }
    let mut sessions: Vec<View> = sessions.into_values().collect();
    // Among those made in the same millisecond: latest used first, then in an order that stays.
    sessions.sort_by_key(|view| (Reverse((view.created_at, view.seen_at)), view.handle));
    let current = current.and_then(|handle| find(fields, handle, now).ok().flatten());
    Ok(Listing {
        sessions,
        current: current.map(|session| session.handle),
    })
}
