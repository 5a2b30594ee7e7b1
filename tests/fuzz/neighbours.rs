//! Commands of the server itself on the same keys: what other code does to them, by right or by
//! mistake.

use crate::connection::Purpose;
use crate::support::Dice;
use crate::support::{Client, info, server_has};
use crate::values::{self, Call, Seen, call};

/// What makes up the server's own commands.
pub struct Neighbours {
    /// `appkit.*` and the values that were there at the start.
    settings: Vec<(String, String)>,
    /// Whether fields of hashes can expire.
    field_expiry: bool,
    /// Whether `MOVE` leaves the client in its database.
    moves: bool,
}

impl Neighbours {
    pub fn read(client: &mut Client) -> Neighbours {
        let settings = client.run("CONFIG GET appkit.*").pairs().into_iter();
        let mut settings: Vec<_> = settings.map(|(name, value)| (name, value.text())).collect();
        // Those that are for good from the start on are not for here.
        settings
            .retain(|(name, value)| !client.run(&format!("CONFIG SET {name} {value}")).is_error());
        Neighbours {
            settings,
            field_expiry: server_has(client, "HPEXPIRE"),
            moves: !loses_its_database(client),
        }
    }

    pub fn pick(&self, dice: &mut Dice, seen: &Seen, key: Vec<u8>) -> (Call, Purpose) {
        match dice.below(100) {
            0..=39 => reading(dice, key),
            40..=51 => (writing_strings(dice, seen, key), Purpose::Other),
            52..=66 => (self.writing_hashes(dice, seen, key), Purpose::Other),
            67..=81 => (expiring(dice, key), Purpose::Other),
            82..=89 => (self.moving(dice, seen, key), Purpose::Other),
            90..=92 => (other_types(dice, key), Purpose::Other),
            _ => (self.for_the_server(dice), Purpose::Other),
        }
    }

    /// `CONFIG SET` of all settings to what they were at the start.
    pub fn restore_settings(&self) -> Vec<Call> {
        let restore = self.settings.iter();
        restore
            .map(|(name, value)| config_set(name, value.as_bytes().to_vec()))
            .collect()
    }

    fn writing_hashes(&self, dice: &mut Dice, seen: &Seen, key: Vec<u8>) -> Call {
        let known = seen.fields.pick(dice).cloned();
        let (field, value) = known.unwrap_or_else(|| (b"f".to_vec(), b"v".to_vec()));
        let field = match dice.below(6) {
            0 => b"_".to_vec(),
            1 => values::word(dice, seen, &key),
            _ => field,
        };
        match dice.below(10) {
            0..=3 => {
                let value = values::damaged(dice, &value);
                with(&["HSET"], [key, field, value])
            }
            4 => with(&["HSET"], [key, field, value]),
            5 => with(&["HSET"], [key, values::damaged(dice, &field), value]),
            6 => with(&["HINCRBY"], [key, field, b"1".to_vec()]),
            7 if self.field_expiry => {
                let after = values::usual_number(dice);
                let fields = [b"FIELDS".to_vec(), b"1".to_vec(), field];
                let [marker, count, field] = fields;
                with(&["HPEXPIRE"], [key, after, marker, count, field])
            }
            _ => with(&["HDEL"], [key, field]),
        }
    }

    fn moving(&self, dice: &mut Dice, seen: &Seen, key: Vec<u8>) -> Call {
        let other = values::key(dice);
        match dice.below(8) {
            0 | 1 => with(&["RENAME"], [key, other]),
            2 => with(&["COPY"], [key, other]),
            3 => with(&["COPY"], [key, other, b"REPLACE".to_vec()]),
            4 if self.moves => with(&["MOVE"], [key, b"1".to_vec()]),
            _ => {
                let payload = seen.dumps.pick(dice).cloned().unwrap_or_default();
                let payload = match dice.one_in(8) {
                    true => values::damaged(dice, &payload),
                    false => payload,
                };
                let after = dice.pick(&["0", "20", "100000"]).as_bytes().to_vec();
                with(&["RESTORE"], [key, after, payload, b"REPLACE".to_vec()])
            }
        }
    }

    fn for_the_server(&self, dice: &mut Dice) -> Call {
        match dice.below(20) {
            0 if dice.one_in(8) => call("FLUSHDB"),
            0 => call("SWAPDB 0 1"),
            1 if !self.settings.is_empty() => {
                let (name, default) = dice.pick(&self.settings);
                match dice.one_in(3) {
                    true => config_set(name, values::edge_number(dice)),
                    false => config_set(name, default.clone().into_bytes()),
                }
            }
            2 | 3 => call("INFO appkit"),
            4 => call("SLOWLOG GET 3"),
            5 => call("UNWATCH"),
            6 => call("SELECT 1"),
            _ => call("SELECT 0"),
        }
    }
}

/// Valkey from 8.1 on leaves a client that calls `MOVE` in the other database, and replicates the
/// call there, once a module listens to keyspace events; 9.1.2 has it mended
/// (valkey-io/valkey#4024). Our waiting commands make it listen.
fn loses_its_database(client: &mut Client) -> bool {
    let server = info(client, "server");
    let version = server.get("valkey_version").map(String::as_str);
    version.is_some_and(|v| v.starts_with("8.1.") || v.starts_with("9.0."))
}

fn with<const N: usize>(words: &[&str], rest: [Vec<u8>; N]) -> Call {
    let words = words.iter().map(|word| word.as_bytes().to_vec());
    words.chain(rest).collect()
}

fn config_set(name: &str, value: Vec<u8>) -> Call {
    with(&["CONFIG", "SET", name], [value])
}

fn reading(dice: &mut Dice, key: Vec<u8>) -> (Call, Purpose) {
    match dice.below(8) {
        0..=2 => (with(&["GET"], [key]), Purpose::Text),
        3 | 4 => (with(&["HGETALL"], [key]), Purpose::Fields),
        5 => (with(&["DUMP"], [key]), Purpose::Payload),
        6 => (with(&["MEMORY", "USAGE"], [key]), Purpose::Other),
        _ => (with(&["OBJECT", "ENCODING"], [key]), Purpose::Other),
    }
}

/// Half of all overwritten strings are damaged states; some keep their lifetime.
fn writing_strings(dice: &mut Dice, seen: &Seen, key: Vec<u8>) -> Call {
    let state = seen.strings.pick(dice).cloned().unwrap_or_default();
    match dice.below(12) {
        0..=4 => {
            let value = values::damaged(dice, &state);
            match dice.one_in(2) {
                true => with(&["SET"], [key, value, b"KEEPTTL".to_vec()]),
                false => {
                    let after = values::usual_number(dice);
                    with(&["SET"], [key, value, b"PX".to_vec(), after])
                }
            }
        }
        5 => with(&["SET"], [key, state]),
        6 => with(&["SET"], [key, values::edge_number(dice)]),
        7 => {
            let place = dice.below(120).to_string().into_bytes();
            with(&["SETRANGE"], [key, place, dice.bytes(4)])
        }
        8 => with(&["APPEND"], [key, dice.bytes(4)]),
        9 => {
            let place = dice.below(800).to_string().into_bytes();
            with(&["SETBIT"], [key, place, b"1".to_vec()])
        }
        10 => with(&["INCR"], [key]),
        _ => with(&["SET"], [key, values::huge(dice)]),
    }
}

fn expiring(dice: &mut Dice, key: Vec<u8>) -> Call {
    match dice.below(10) {
        0 | 1 => with(&["DEL"], [key]),
        2 => with(&["UNLINK"], [key]),
        3 | 4 => with(&["PERSIST"], [key]),
        5 | 6 => with(&["EXPIRE"], [key, values::usual_number(dice)]),
        8 => with(&["PEXPIREAT"], [key, values::edge_number(dice)]),
        _ => with(&["PEXPIRE"], [key, values::usual_number(dice)]),
    }
}

fn other_types(dice: &mut Dice, key: Vec<u8>) -> Call {
    let word = dice.bytes(8);
    match dice.below(6) {
        0 => with(&["LPUSH"], [key, word]),
        1 => with(&["SADD"], [key, word]),
        2 => with(&["ZADD"], [key, values::usual_number(dice), word]),
        3 => with(&["XADD"], [key, b"*".to_vec(), b"f".to_vec(), word]),
        4 => with(&["PFADD"], [key, word]),
        _ => with(&["GETDEL"], [key]),
    }
}
