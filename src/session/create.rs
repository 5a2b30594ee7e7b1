//! Making a session.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use super::document::Document;
use super::handle::Handle;
use super::hash::{Change, Contents, Decision, Error, FieldChanges, Fields, find};
use super::record::{Header, Record, encode_session};

/// A session to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewSession<'a> {
    pub handle: Handle,
    /// Idle timeout in ms, at least 1.
    pub idle: i64,
    /// Absolute timeout in ms, at least 1.
    pub max_age: Option<i64>,
    pub data: Document<'a>,
    pub limit: Option<Limit>,
}

/// How many live sessions the owner may have.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The new one included.
    pub sessions: NonZeroUsize,
    /// Make no new one when that many are live, instead of ending the longest unused.
    pub reject: bool,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    New,
    /// The id names a live session already, which stays as it is.
    AlreadyLive,
    /// There are as many live sessions as [`Limit`] allows.
    LimitReached,
}

/// Makes a session, and drops what has ended.
///
/// All records are read: those of ended sessions and old ids that name nothing go, so a hash holds
/// no more than what was live at its last login. Damaged ones are neither counted nor touched, so
/// one bad record does not keep an owner from logging in and nothing unreadable is thrown away
/// unasked.
///
/// # Errors
///
/// [`Error::NotSessions`] for somebody else's hash, [`Error::Damaged`] if there is a record under
/// this very handle that cannot be read.
pub fn create(
    fields: &impl Fields,
    new: &NewSession,
    now: i64,
) -> Result<Decision<Created>, Error> {
    if find(fields, new.handle, now)?.is_some() {
        return Ok(Decision::unchanged(Created::AlreadyLive));
    }
    let contents = Contents::read(fields);
    let Some(kept) = kept_beside(&contents, new.limit, now) else {
        return Ok(Decision::unchanged(Created::LimitReached));
    };
    let header = new_header(new, now);
    let mut changes = FieldChanges::default();
    changes.set(
        new.handle,
        encode_session(&header, new.data.as_str().as_bytes()),
    );
    for handle in contents.without(&kept, now) {
        if handle != new.handle {
            changes.delete(handle);
        }
    }
    take_from_others(fields, &contents, &kept, new.handle, &mut changes)?;
    let others = kept
        .iter()
        .filter_map(|handle| contents.sessions.get(handle));
    let latest = others.map(|header| header.expires).max();
    changes.set_latest(latest.unwrap_or(0).max(header.expires));
    Ok(Decision {
        reply: Created::New,
        change: Change::Fields(changes),
    })
}

/// The live sessions that stay beside a new one; `None` if there must be no new one.
fn kept_beside(contents: &Contents, limit: Option<Limit>, now: i64) -> Option<BTreeSet<Handle>> {
    let sessions = contents.sessions.iter();
    let mut live: Vec<_> = sessions.filter(|(_, header)| header.is_live(now)).collect();
    if let Some(limit) = limit {
        let room = limit.sessions.get().saturating_sub(1);
        if live.len() > room && limit.reject {
            return None;
        }
        // Latest used first; among those used in the same millisecond, the youngest.
        live.sort_by_key(|(handle, header)| {
            std::cmp::Reverse((header.seen, header.created, **handle))
        });
        live.truncate(room);
    }
    Some(live.into_iter().map(|(handle, _)| *handle).collect())
}

fn new_header(new: &NewSession, now: i64) -> Header {
    let max = new.max_age.map(|age| now.saturating_add(age));
    Header {
        created: now,
        seen: now,
        idle: new.idle,
        expires: now.saturating_add(new.idle).min(max.unwrap_or(i64::MAX)),
        max,
        old: Vec::new(),
    }
}

/// Makes the other sessions forget that `handle` was once an old id of theirs.
///
/// They write to their old ids' fields when they are rotated or end, and this field is no longer
/// one of those.
fn take_from_others(
    fields: &impl Fields,
    contents: &Contents,
    kept: &BTreeSet<Handle>,
    handle: Handle,
    changes: &mut FieldChanges,
) -> Result<(), Error> {
    for (other, header) in &contents.sessions {
        let listed = header.old.iter().any(|old| old.handle == handle);
        if !listed || !kept.contains(other) {
            continue;
        }
        let Some(value) = fields.get(other.as_bytes()) else {
            continue;
        };
        if let Record::Session(mut header, data) = Record::decode(&value)? {
            header.old.retain(|old| old.handle != handle);
            changes.set(*other, encode_session(&header, data.as_bytes()));
        }
    }
    Ok(())
}
