//! What must hold, whatever was sent.

use crate::support::{self, Client, Reply, Server, eventually, info, now_ms, used_memory};
use std::collections::BTreeSet;

/// Fails unless every error in `reply` starts with a code and none is a fault of the module.
pub fn errors_have_codes(reply: &Reply) {
    match reply {
        Reply::Error(text) => {
            assert!(starts_with_code(text), "no code: {text}");
            assert!(
                !text.contains("internal error in the appkit module"),
                "the module has panicked: {text}"
            );
        }
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => {
            items.iter().for_each(errors_have_codes);
        }
        Reply::Map(pairs) => {
            for (name, value) in pairs {
                errors_have_codes(name);
                errors_have_codes(value);
            }
        }
        _ => {}
    }
}

fn starts_with_code(text: &str) -> bool {
    let Some((code, rest)) = text.split_once(' ') else {
        return false;
    };
    let mut letters = code.bytes();
    letters.next().is_some_and(|b| b.is_ascii_uppercase())
        && letters.all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        && !rest.is_empty()
}

/// What one call did to its key, seen from inside one transaction.
pub struct Observation {
    before: Look,
    reply: Reply,
    after: Look,
}

#[derive(Debug, PartialEq, Eq)]
struct Look {
    /// Asked first: a key that has run out is gone then.
    expires_at: i64,
    /// Forty zeros where there is no key.
    digest: String,
}

impl Look {
    fn of(replies: &[Reply]) -> Look {
        Look {
            expires_at: replies[0].int(),
            digest: match &replies[1] {
                Reply::Array(digests) => digests[0].text(),
                digest => digest.text(),
            },
        }
    }

    fn is_empty(&self) -> bool {
        self.digest.bytes().all(|b| b == b'0')
    }
}

impl Observation {
    /// From the reply of EXEC; `None` where the call was not queued.
    pub fn of(exec: &Reply) -> Option<Observation> {
        let Reply::Array(replies) = exec else {
            return None;
        };
        assert_eq!(replies.len(), 5, "{exec:?}");
        Some(Observation {
            before: Look::of(&replies[..2]),
            reply: replies[2].clone(),
            after: Look::of(&replies[3..]),
        })
    }

    pub fn reply(&self) -> &Reply {
        &self.reply
    }

    pub fn check(&self, readonly: bool) {
        // The end of a lifetime is nobody's doing.
        if (1..=now_ms()).contains(&self.before.expires_at) {
            return;
        }
        if self.reply.is_error() || readonly {
            assert_eq!(
                self.before, self.after,
                "a key was changed by a call that replied {:?}",
                self.reply
            );
        }
        let changed = self.before.digest != self.after.digest;
        let could_expire = self.before.is_empty() || self.before.expires_at > 0;
        if changed && could_expire && !self.after.is_empty() {
            assert!(
                self.after.expires_at > 0,
                "a key without lifetime was left by a call that replied {:?}",
                self.reply
            );
        }
    }
}

/// The databases that are in use.
pub const DATABASES: [u32; 2] = [0, 1];

/// Fails unless `replica` holds the same data, with the same expiry times, as `primary`. Nothing
/// may be in flight, and the primary must not expire keys by itself.
pub fn replica_is_equal(primary: &Server, replica: &Server) {
    replica.catch_up_with(primary);
    let (mut theirs, mut ours) = (primary.client(), replica.client());
    let equal = theirs.run("DEBUG DIGEST") == ours.run("DEBUG DIGEST");
    let mut differences = Vec::new();
    for db in DATABASES {
        for client in [&mut theirs, &mut ours] {
            client.run(&format!("SELECT {db}")).ok();
        }
        let keys: BTreeSet<Vec<u8>> = keys(&mut theirs).union(&keys(&mut ours)).cloned().collect();
        for key in keys {
            let of_primary = state(&mut theirs, &key);
            let of_replica = state(&mut ours, &key);
            let gone = |at: i64| at == -2 || (1..=now_ms()).contains(&at);
            if of_primary != of_replica && !(gone(of_primary.0) && gone(of_replica.0)) {
                differences.push(format!(
                    "{} in database {db}, on the primary {of_primary:?} {:?}, on the replica {of_replica:?} {:?}",
                    key.escape_ascii(),
                    contents(&mut theirs, &key),
                    contents(&mut ours, &key)
                ));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(equal, "the digests differ");
}

fn keys(client: &mut Client) -> BTreeSet<Vec<u8>> {
    let keys = client.run("KEYS *");
    keys.items()
        .iter()
        .map(|key| key.bytes().to_vec())
        .collect()
}

/// Expiry time and digest.
fn state(client: &mut Client, key: &[u8]) -> (i64, Reply) {
    let mut ask = |words: &str| client.call(support::words(words).arg(key));
    (ask("PEXPIRETIME").int(), ask("DEBUG DIGEST-VALUE"))
}

/// A string or a hash, for a report.
fn contents(client: &mut Client, key: &[u8]) -> Reply {
    let mut ask = |words: &str| client.call(support::words(words).arg(key));
    match ask("GET") {
        Reply::Error(_) => ask("HGETALL"),
        string => string,
    }
}

/// Bytes in use without any data, once what the server frees in the background is gone. `clients`
/// connections are open, the replica's and this one included.
pub fn memory_without_data(server: &Server, clients: usize) -> i64 {
    let mut client = server.client();
    client.run("FLUSHALL SYNC").ok();
    client.run("SLOWLOG RESET").ok();
    let number = |client: &mut Client, section: &str, field: &str| -> i64 {
        info(client, section)[field].parse().expect("a number")
    };
    eventually("clients that left are gone", || {
        number(&mut client, "clients", "connected_clients") <= clients as i64
            && number(&mut client, "memory", "lazyfree_pending_objects") == 0
    });
    used_memory(&mut client)
}
