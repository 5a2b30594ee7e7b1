//! How the rules see the hash of one owner, and what they want changed in it.

use std::collections::{BTreeMap, BTreeSet};

use super::handle::Handle;
use super::record::{
    Damaged, Header, INDEX_FIELD, Record, decode_index, encode_index, encode_session,
};

/// The hash of one owner, for reading. A key that is not there is a hash without fields.
pub trait Fields {
    /// How many fields there are; 0 exactly if there is no key.
    fn count(&self) -> usize;

    /// The value of one field.
    fn get(&self, field: &str) -> Option<Vec<u8>>;

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
    /// Names and values.
    pub set: Vec<(String, String)>,
    /// Names; some may not be there. Bytes, since a damaged hash has any.
    pub delete: Vec<Vec<u8>>,
    /// Unix time in ms at which the key expires from now on; as it is if `None`.
    pub expire_at: Option<i64>,
}

impl FieldChanges {
    pub fn set(&mut self, handle: Handle, value: String) {
        self.set.push((handle.to_string(), value));
    }

    pub fn delete(&mut self, handle: Handle) {
        self.delete.push(handle.as_str().into());
    }

    /// Makes `latest` the latest deadline, for the index and for the key.
    pub fn set_latest(&mut self, latest: i64) {
        self.set.push((INDEX_FIELD.into(), encode_index(latest)));
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
pub struct Session {
    /// The session's own; not the one asked for, if that is of an old id.
    pub handle: Handle,
    pub header: Header,
    pub data: String,
    /// The latest deadline of the whole hash.
    latest: i64,
}

impl Session {
    /// The changes that store the session as it is now, with the key living long enough for it.
    ///
    /// The key's lifetime is only ever extended here: whether it may be shorter is known to those
    /// alone that read all sessions.
    pub fn store(&self) -> FieldChanges {
        let mut changes = FieldChanges::default();
        changes.set(self.handle, encode_session(&self.header, &self.data));
        if self.header.expires > self.latest {
            changes.set_latest(self.header.expires);
        }
        changes
    }
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
    let index = fields.get(INDEX_FIELD).ok_or(Error::NotSessions)?;
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
pub fn find(fields: &impl Fields, handle: Handle, now: i64) -> Result<Option<Session>, Error> {
    let Some(latest) = read_latest(fields)? else {
        return Ok(None);
    };
    let Some(value) = fields.get(handle.as_str()) else {
        return Ok(None);
    };
    match Record::decode(&value)? {
        Record::Session(header, data) => Ok(header.is_live(now).then(|| Session {
            handle,
            header,
            data: data.to_owned(),
            latest,
        })),
        Record::Old(newest) => find_by_old_id(fields, handle, newest, now, latest),
    }
}

fn find_by_old_id(
    fields: &impl Fields,
    old: Handle,
    newest: Handle,
    now: i64,
    latest: i64,
) -> Result<Option<Session>, Error> {
    let Some(value) = fields.get(newest.as_str()) else {
        return Ok(None);
    };
    let Record::Session(header, data) = Record::decode(&value)? else {
        return Ok(None);
    };
    if !header.is_live(now) || !header.answers_to(old, now) {
        return Ok(None);
    }
    Ok(Some(Session {
        handle: newest,
        header,
        data: data.to_owned(),
        latest,
    }))
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
            if name == INDEX_FIELD.as_bytes() {
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
