//! What a server tells about itself, in plain structures.

use std::collections::{BTreeMap, BTreeSet};

use super::{Client, Reply};

/// The fields of one section of INFO (or of `everything`).
#[track_caller]
pub fn info(client: &mut Client, section: &str) -> BTreeMap<String, String> {
    let reply = client.run(&format!("INFO {section}"));
    let text = reply.text();
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Whether the server knows `command`: how tests ask for a server's capabilities, as version
/// numbers differ between Redis and Valkey.
#[track_caller]
pub fn server_has(client: &mut Client, command: &str) -> bool {
    !client.run(&format!("COMMAND INFO {command}")).items()[0].is_nil()
}

/// The names in `MODULE LIST`; some servers come with modules of their own.
#[track_caller]
pub fn modules(client: &mut Client) -> BTreeSet<String> {
    let list = client.run("MODULE LIST");
    let names = list
        .items()
        .iter()
        .filter_map(|module| module.field("name"));
    names.map(|name| name.text()).collect()
}

/// Everything in the selected database, comparable between servers: contents by digest, expiry
/// (which the digest leaves out) key by key.
#[derive(Debug, PartialEq, Eq)]
pub struct Dataset {
    pub digest: String,
    /// Unix time in milliseconds; −1 for a key without expiry.
    pub expires_at: BTreeMap<Vec<u8>, i64>,
}

#[track_caller]
pub fn dataset(client: &mut Client) -> Dataset {
    let keys = client.run("KEYS *");
    let expires_at = keys.items().iter().map(|key| {
        let at = client.call(redis::cmd("PEXPIRETIME").arg(key.bytes()));
        (key.bytes().to_vec(), at.int())
    });
    let expires_at = expires_at.collect();
    let digest = client.run("DEBUG DIGEST").text();
    Dataset { digest, expires_at }
}

/// One entry of `COMMAND INFO`.
#[derive(Debug, PartialEq, Eq)]
pub struct CommandInfo {
    pub arity: i64,
    pub flags: BTreeSet<String>,
    /// First key, last key, step.
    pub keys: [i64; 3],
    pub categories: BTreeSet<String>,
    pub key_specs: Vec<KeySpec>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct KeySpec {
    pub flags: BTreeSet<String>,
    /// Position of the first key.
    pub index: i64,
    /// Position of the last key relative to the first; −1 is the last argument.
    pub last: i64,
    pub step: i64,
}

/// `COMMAND INFO name`; fails where the server does not know the command.
#[track_caller]
pub fn command_info(client: &mut Client, name: &str) -> CommandInfo {
    let reply = client.run(&format!("COMMAND INFO {name}"));
    let entry = reply.items()[0].items();
    CommandInfo {
        arity: entry[1].int(),
        flags: texts(&entry[2]),
        keys: [entry[3].int(), entry[4].int(), entry[5].int()],
        categories: texts(&entry[6]),
        key_specs: entry[8].items().iter().map(key_spec).collect(),
    }
}

/// The words of `words`, to compare with flags and categories.
pub fn set(words: &str) -> BTreeSet<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

/// What `COMMAND GETKEYSANDFLAGS` says of `call`, which has one key: that key and its flags.
#[track_caller]
pub fn key_and_flags(client: &mut Client, call: &str) -> (String, BTreeSet<String>) {
    let reply = client.run(&format!("COMMAND GETKEYSANDFLAGS {call}"));
    let [Reply::Array(entry)] = reply.items() else {
        panic!("expected one key: {reply:?}");
    };
    (entry[0].text(), texts(&entry[1]))
}

fn key_spec(spec: &Reply) -> KeySpec {
    let part = |outer: &str| spec.field(outer).and_then(|part| part.field("spec"));
    let begin = part("begin_search").expect("begin_search");
    let find = part("find_keys").expect("find_keys");
    let int = |map: &Reply, name: &str| map.field(name).expect("a field of a key spec").int();
    KeySpec {
        flags: texts(&spec.field("flags").expect("flags")),
        index: int(&begin, "index"),
        last: int(&find, "lastkey"),
        step: int(&find, "keystep"),
    }
}

fn texts(list: &Reply) -> BTreeSet<String> {
    list.items().iter().map(Reply::text).collect()
}

/// One entry of `COMMAND DOCS`. A field that the server leaves out is empty.
#[derive(Debug, PartialEq, Eq)]
pub struct CommandDocs {
    pub summary: String,
    pub since: String,
    pub group: String,
    pub complexity: String,
    pub arguments: Vec<Argument>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Argument {
    pub name: String,
    /// `key`, `integer`, `pure-token`, `oneof`, `block`, …
    pub kind: String,
    pub token: String,
    /// `optional`, `multiple`, `multiple_token`.
    pub flags: BTreeSet<String>,
    pub arguments: Vec<Argument>,
}

/// `COMMAND DOCS name`; fails where the server does not know the command.
#[track_caller]
pub fn command_docs(client: &mut Client, name: &str) -> CommandDocs {
    let reply = client.run(&format!("COMMAND DOCS {name}"));
    let (_, docs) = reply.pairs().pop().expect("the command is documented");
    CommandDocs {
        summary: text(&docs, "summary"),
        since: text(&docs, "since"),
        group: text(&docs, "group"),
        complexity: text(&docs, "complexity"),
        arguments: arguments(&docs),
    }
}

fn arguments(parent: &Reply) -> Vec<Argument> {
    let Some(list) = parent.field("arguments") else {
        return Vec::new();
    };
    let argument = |entry: &Reply| Argument {
        name: text(entry, "name"),
        kind: text(entry, "type"),
        token: text(entry, "token"),
        flags: entry
            .field("flags")
            .map(|flags| texts(&flags))
            .unwrap_or_default(),
        arguments: arguments(entry),
    };
    list.items().iter().map(argument).collect()
}

fn text(map: &Reply, name: &str) -> String {
    map.field(name)
        .map(|value| value.text())
        .unwrap_or_default()
}

/// Arguments as a syntax line, in the way of redis-cli's hints.
pub fn syntax(arguments: &[Argument]) -> String {
    syntax_with(" ", arguments)
}

fn syntax_with(separator: &str, arguments: &[Argument]) -> String {
    let one = |argument: &Argument| {
        let value = match argument.kind.as_str() {
            "pure-token" => String::new(),
            "oneof" => syntax_with("|", &argument.arguments),
            "block" => syntax(&argument.arguments),
            _ => argument.name.clone(),
        };
        let mut text = format!("{} {value}", argument.token).trim().to_owned();
        if argument.flags.contains("multiple") {
            text = format!("{text} [{text} ...]");
        }
        if argument.flags.contains("optional") {
            format!("[{text}]")
        } else {
            text
        }
    };
    let texts: Vec<String> = arguments.iter().map(one).collect();
    texts.join(separator)
}
