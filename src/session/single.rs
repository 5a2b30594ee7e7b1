//! The rules for one session of an owner. None of them costs more with more sessions.

use super::document::Document;
use super::handle::Handle;
use super::hash::{
    Change, Decision, Error, FieldChanges, Fields, Session, Stored, find, read_latest,
};
use super::merge_patch::merge;
use super::record::{Header, MAX_OLD_IDS, OldId, Record, encode_old, encode_session};

/// A slide of the deadline by this much (ms) is always worth a write.
const SLIDE_MS: u64 = 60_000;

/// So is one by this part of the idle timeout.
const SLIDE_PART: u64 = 16;

/// What an owner may see of a session, with its document as text of its own or where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View<D = String> {
    pub handle: Handle,
    /// Unix ms.
    pub created_at: i64,
    /// Unix ms, as coarse as the slide of the deadline.
    pub seen_at: i64,
    /// First instant (Unix ms) at which the session has ended, if it is not used again.
    pub expires_at: i64,
    pub data: D,
}

impl<D> View<D> {
    pub fn new(handle: Handle, header: &Header, data: D) -> Self {
        Self {
            handle,
            created_at: header.created,
            seen_at: header.seen,
            expires_at: header.expires,
            data,
        }
    }
}

impl<V> From<Session<V>> for View<Stored<V>> {
    fn from(session: Session<V>) -> Self {
        Self::new(session.handle, &session.header, session.data)
    }
}

/// A session as [`find`] found it.
pub type StoredView<F> = View<Stored<<F as Fields>::Value>>;

/// The session, if it is live.
///
/// # Errors
///
/// As those of [`find`], here and for all that follow.
pub fn get<F: Fields>(
    fields: &F,
    handle: Handle,
    now: i64,
) -> Result<Option<StoredView<F>>, Error> {
    Ok(find(fields, handle, now)?.map(View::from))
}

/// Counts as use of the session: the same as [`get`], and slides its deadline, with a new idle
/// timeout (ms, at least 1) from now on if one is given.
pub fn touch<F: Fields>(
    fields: &F,
    handle: Handle,
    timeout: Option<i64>,
    now: i64,
) -> Result<Decision<Option<StoredView<F>>>, Error> {
    let Some(mut session) = find(fields, handle, now)? else {
        return Ok(Decision::unchanged(None));
    };
    let change = if slide(&mut session.header, timeout, now) {
        session.store(session.data.as_bytes()).into_change()
    } else {
        Change::Nothing
    };
    Ok(Decision {
        reply: Some(session.into()),
        change,
    })
}

/// Moves the deadline to the idle timeout from now, never past the absolute deadline, if that is
/// worth a write; says whether it did.
///
/// A deadline that the absolute one holds back stays where it is while the session is in use, and
/// what was last used must not pass for unused: there, the age of `seen` is what counts.
///
/// After the clock has stepped back the deadline moves back with it, as a new TTL would.
fn slide(header: &mut Header, timeout: Option<i64>, now: i64) -> bool {
    let idle = timeout.unwrap_or(header.idle);
    let deadline = now.saturating_add(idle).min(header.max.unwrap_or(i64::MAX));
    let moves_by = deadline.abs_diff(header.expires);
    let unseen_for = now.abs_diff(header.seen);
    let worth = idle.unsigned_abs().div_ceil(SLIDE_PART).min(SLIDE_MS);
    if idle == header.idle && moves_by.max(unseen_for) < worth {
        return false;
    }
    header.idle = idle;
    header.expires = deadline;
    header.seen = now;
    true
}

/// What to do to a session's document.
#[derive(Clone, Copy, Debug)]
pub struct Update<'a> {
    pub document: Document<'a>,
    /// The document takes the place of the old one, instead of being a patch of it.
    pub replace: bool,
    /// Not a use of the session: its deadline and the time when it was seen stay.
    pub keep_ttl: bool,
    /// The most bytes that the document may have afterwards.
    pub max_bytes: usize,
}

/// Patches or replaces the document of a live session; replies the new one.
///
/// # Errors
///
/// [`Error::ResultTooLong`]; [`Error::Damaged`] also if the document that is there is not one that
/// these commands would take.
pub fn update(
    fields: &impl Fields,
    handle: Handle,
    update: &Update,
    now: i64,
) -> Result<Decision<Option<String>>, Error> {
    let Some(mut session) = find(fields, handle, now)? else {
        return Ok(Decision::unchanged(None));
    };
    let new = new_document(session.data.as_str(), update)?;
    let slid = !update.keep_ttl && slide(&mut session.header, None, now);
    let is_changed = new.is_some() || slid;
    if new.is_some() && !update.keep_ttl {
        // The record is written in any case, so this costs nothing.
        session.header.seen = now;
    }
    let data = new.unwrap_or_else(|| session.data.as_str().to_owned());
    let change = match is_changed {
        true => session.store(data.as_bytes()).into_change(),
        false => Change::Nothing,
    };
    Ok(Decision {
        reply: Some(data),
        change,
    })
}

/// The text that takes the place of `old`; `None` if it stays as it is.
fn new_document(old: &str, update: &Update) -> Result<Option<String>, Error> {
    let new = if update.replace {
        let new = update.document.as_str();
        (new != old).then(|| new.to_owned())
    } else {
        let old = Document::check(old).map_err(|_| Error::Damaged)?;
        merge(old, update.document).map_err(|_| Error::Damaged)?
    };
    if new.as_ref().is_some_and(|new| new.len() > update.max_bytes) {
        return Err(Error::ResultTooLong(update.max_bytes));
    }
    Ok(new)
}

/// Gives a live session the new, unused handle `new`; says whether there is one.
///
/// With `grace` (ms, at least 1) the id that was the newest names the session for that long more.
/// Without, it ends at once, and so does the id that was asked with. Other ids of earlier graces
/// lead to the newest from now on, for as long as they were given: asking with one does not prolong
/// it, so an id that leaked cannot be kept alive. Deadlines and times stay.
///
/// # Errors
///
/// [`Error::TooManyOldIds`] if more than [`MAX_OLD_IDS`] would name the session.
pub fn rotate(
    fields: &impl Fields,
    asked: Handle,
    new: Handle,
    grace: Option<i64>,
    now: i64,
) -> Result<Decision<bool>, Error> {
    let Some(mut session) = find(fields, asked, now)? else {
        return Ok(Decision::unchanged(false));
    };
    let newest = session.handle;
    let before = session.header.old.clone();
    let old = &mut session.header.old;
    old.retain(|old| now < old.until && (grace.is_some() || old.handle != asked));
    if let Some(grace) = grace {
        let until = now.saturating_add(grace);
        let handle = newest;
        old.push(OldId { handle, until });
    }
    if old.len() > MAX_OLD_IDS {
        return Err(Error::TooManyOldIds);
    }
    let mut changes = FieldChanges::default();
    changes.set(
        new,
        encode_session(&session.header, session.data.as_bytes()),
    );
    for old in &session.header.old {
        changes.set(old.handle, encode_old(new));
    }
    let gone = before.iter().map(|old| old.handle).chain([newest]);
    for handle in gone.filter(|gone| session.header.old.iter().all(|old| old.handle != *gone)) {
        changes.delete(handle);
    }
    Ok(Decision {
        reply: true,
        change: changes.into_change(),
    })
}

/// Ends the session that `handle` names, all its ids with it; says whether there was one. `None`
/// stands for a text that is no handle.
///
/// A damaged record under this handle goes too: who wants a session ended is never refused. The key
/// goes with its last record.
///
/// # Errors
///
/// [`Error::NotSessions`] for somebody else's hash.
pub fn revoke(
    fields: &impl Fields,
    handle: Option<Handle>,
    now: i64,
) -> Result<Decision<bool>, Error> {
    read_latest(fields)?;
    let Some(handle) = handle else {
        return Ok(Decision::unchanged(false));
    };
    let ended = match find(fields, handle, now) {
        Ok(None) => return Ok(Decision::unchanged(false)),
        Ok(Some(session)) => {
            let old = session.header.old.iter().map(|old| old.handle);
            [session.handle].into_iter().chain(old).collect()
        }
        Err(Error::Damaged) => damaged_at(fields, handle),
        Err(other) => return Err(other),
    };
    Ok(Decision {
        reply: true,
        change: drop_fields(fields, &ended),
    })
}

/// The handles to drop where the way from `handle` to its session is damaged.
fn damaged_at(fields: &impl Fields, handle: Handle) -> Vec<Handle> {
    let mut gone = vec![handle];
    if let Some(value) = fields.get(handle.as_bytes())
        && let Ok(Record::Old(newest)) = Record::decode(&value)
    {
        gone.push(newest);
    }
    gone
}

/// Deletes these fields, or the key if no other record is left.
fn drop_fields(fields: &impl Fields, handles: &[Handle]) -> Change {
    let mut changes = FieldChanges::default();
    for handle in handles {
        // Some old ids may have been dropped before.
        if fields.get(handle.as_bytes()).is_some() {
            changes.delete(*handle);
        }
    }
    // What is left besides the index.
    let left = fields.count().saturating_sub(changes.delete.len());
    if left <= 1 {
        return Change::DeleteKey;
    }
    changes.into_change()
}
