//! How the rules see the hash of one owner, and what they want changed in it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use smallvec::SmallVec;

use super::handle::Handle;
use super::record::{
    Damaged, Header, INDEX_FIELD, Record, decode_index, encode_index, encode_session,
};

/// The hash of one owner, for reading. A key that is not there is a hash without fields.
pub trait Fields {
    /// The value of a field, as it was handed out.
    type Value: Deref<Target = [u8]>;

    /// How many fields there are; 0 exactly if there is no key.
    fn count(&self) -> usize;

    /// The value of one field.
    fn get(&self, field: &[u8]) -> Option<Self::Value>;

    /// The value of [`INDEX_FIELD`], which every rule reads first.
    fn index(&self) -> Option<Self::Value> {
        self.get(INDEX_FIELD)
    }

    /// Shows each field's name and value, in any order; one may come more than once, as with SCAN.
    fn for_each(&self, visit: &mut dyn FnMut(&[u8], &[u8]));
}

/// Why a call cannot be answered. Nothing has been changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The hash was not written by these commands.
    NotSessions,
    /// The record of the session that was asked for cannot be read; the others are well.
    Damaged,
    /// The document would have more bytes than this after the patch.
    ResultTooLong(usize),
    /// [`MAX_OLD_IDS`](super::record::MAX_OLD_IDS) old ids name this session already.
    TooManyOldIds,
}

impl From<Damaged> for Error {
    fn from(_: Damaged) -> Self {
        Self::Damaged
    }
}

/// What to reply, and what to change before.
#[derive(Debug, PartialEq, Eq)]
pub struct Decision<T> {
    pub reply: T,
    pub change: Change,
}

impl<T> Decision<T> {
    pub fn unchanged(reply: T) -> Self {
        Self {
            reply,
            change: Change::Nothing,
        }
    }
}

/// What to change in the key.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    Nothing,
    DeleteKey,
    Fields(FieldChanges),
}

/// Fields to set and to delete; no field is in both.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FieldChanges {
    /// Names and values. Most often a session and the index.
    pub set: SmallVec<[(Name, Vec<u8>); 2]>,
    /// Names; some may not be there.
    pub delete: Vec<Name>,
    /// Unix time in ms at which the key expires from now on; as it is if `None`.
    pub expire_at: Option<i64>,
}

/// The name of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    Index,
    Handle(Handle),
    /// Of a field that these commands did not write.
    Foreign(Vec<u8>),
}

impl Name {
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Name::Index => INDEX_FIELD,
            Name::Handle(handle) => handle.as_bytes(),
            Name::Foreign(name) => name,
        }
    }
}

impl FieldChanges {
    pub fn set(&mut self, handle: Handle, value: Vec<u8>) {
        self.set.push((Name::Handle(handle), value));
    }

    pub fn delete(&mut self, handle: Handle) {
        self.delete.push(Name::Handle(handle));
    }

    /// Makes `latest` the latest deadline, for the index and for the key.
    pub fn set_latest(&mut self, latest: i64) {
        self.set.push((Name::Index, encode_index(latest)));
        self.expire_at = Some(latest);
    }

    pub fn into_change(self) -> Change {
        if self == Self::default() {
            Change::Nothing
        } else {
            Change::Fields(self)
        }
    }
}

/// A live session that was asked for.
#[derive(Debug)]
pub struct Session<V> {
    /// The session's own; not the one asked for, if that is of an old id.
    pub handle: Handle,
    pub header: Header,
    pub data: Stored<V>,
    /// The latest deadline of the whole hash.
    latest: i64,
}

/// The document of a session where it stands: the end of a field's value, in UTF-8.
#[derive(Debug)]
pub struct Stored<V> {
    value: V,
    start: usize,
}

impl<V: Deref<Target = [u8]>> Stored<V> {
    pub fn as_bytes(&self) -> &[u8] {
        self.value.get(self.start..).unwrap_or_default()
    }

    pub fn as_str(&self) -> &str {
        // Checked when the record was read.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl<V: Deref<Target = [u8]>> Session<V> {
    /// The session that stands in `value`, the field of `handle`, if it is live; or where else to
    /// look for it.
    fn read(handle: Handle, value: V, latest: i64, now: i64) -> Result<Found<V>, Damaged> {
        let (header, start) = match Record::decode(&value)? {
            Record::Session(header, data) => (header, value.len().saturating_sub(data.len())),
            Record::Old(newest) => return Ok(Found::Elsewhere(newest)),
        };
        let data = Stored { value, start };
        Ok(Found::Here(header.is_live(now).then_some(Session {
            handle,
            header,
            data,
            latest,
        })))
    }

    /// The changes that store the session with the document `data`, with the key living long enough
    /// for it.
    ///
    /// The key's lifetime is only ever extended here: whether it may be shorter is known to those
    /// alone that read all sessions.
    pub fn store(&self, data: &[u8]) -> FieldChanges {
        let mut changes = FieldChanges::default();
        changes.set(self.handle, encode_session(&self.header, data));
        if self.header.expires > self.latest {
            changes.set_latest(self.header.expires);
        }
        changes
    }
}

/// What a field says of a session.
enum Found<V> {
    /// It stands here, unless it has ended.
    Here(Option<Session<V>>),
    /// It has this handle by now.
    Elsewhere(Handle),
}

/// The latest deadline; `None` if there is no key.
///
/// # Errors
///
/// [`Error::NotSessions`] if the index is missing, foreign or unreadable.
pub fn read_latest(fields: &impl Fields) -> Result<Option<i64>, Error> {
    if fields.count() == 0 {
        return Ok(None);
    }
    let index = fields.index().ok_or(Error::NotSessions)?;
    decode_index(&index)
        .map(Some)
        .map_err(|_| Error::NotSessions)
}

/// The live session that `handle` names, by its own id or an old one.
///
/// Reads three fields at most, however many there are.
///
/// # Errors
///
/// [`Error::NotSessions`] for somebody else's hash, [`Error::Damaged`] if a record on the way to
/// the session cannot be read.
pub fn find<F: Fields>(
    fields: &F,
    handle: Handle,
    now: i64,
) -> Result<Option<Session<F::Value>>, Error> {
    let Some(latest) = read_latest(fields)? else {
        return Ok(None);
    };
    let Some(value) = fields.get(handle.as_bytes()) else {
        return Ok(None);
    };
    let newest = match Session::read(handle, value, latest, now)? {
        Found::Here(session) => return Ok(session),
        Found::Elsewhere(newest) => newest,
    };
    let Some(value) = fields.get(newest.as_bytes()) else {
        return Ok(None);
    };
    match Session::read(newest, value, latest, now)? {
        Found::Here(session) => {
            Ok(session.filter(|session| session.header.answers_to(handle, now)))
        }
        // One old id never leads to another.
        Found::Elsewhere(_) => Ok(None),
    }
}

/// All that a hash holds, the documents left out.
#[derive(Debug, Default)]
pub struct Contents {
    pub sessions: BTreeMap<Handle, Header>,
    /// Old ids, and the session that each leads to.
    pub old: BTreeMap<Handle, Handle>,
    /// Names of the fields that these commands did not write.
    pub damaged: BTreeSet<Vec<u8>>,
}

impl Contents {
    pub fn read(fields: &impl Fields) -> Self {
        let mut contents = Self::default();
        fields.for_each(&mut |name, value| {
            if name == INDEX_FIELD {
                return;
            }
            match (Handle::parse(name), Record::decode(value)) {
                (Some(handle), Ok(Record::Session(header, _))) => {
                    contents.sessions.insert(handle, header);
                }
                (Some(handle), Ok(Record::Old(newest))) => {
                    contents.old.insert(handle, newest);
                }
                (None, _) | (_, Err(Damaged)) => {
                    contents.damaged.insert(name.into());
                }
            }
        });
        contents
    }

    /// The handles of sessions and old ids of which nothing stays, if only `kept` stay.
    pub fn without<'a>(
        &'a self,
        kept: &'a BTreeSet<Handle>,
        now: i64,
    ) -> impl Iterator<Item = Handle> + 'a {
        let sessions = self.sessions.keys().filter(|handle| !kept.contains(handle));
        let old = self.old.iter().filter(move |(handle, newest)| {
            let session = self.sessions.get(newest).filter(|_| kept.contains(newest));
            !session.is_some_and(|header| header.answers_to(**handle, now))
        });
        sessions.chain(old.map(|(handle, _)| handle)).copied()
    }
}
