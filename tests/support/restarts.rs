//! Data over restarts, on servers that have the module and on servers that do not.

use std::fmt::Debug;

use super::{Builder, Client, Server, Stop, dataset, eventually, info};

/// What a server comes back from.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// An RDB file, written at its end.
    Rdb,
    /// An AOF, closed at its end.
    Aof,
    /// The AOF of a server that was killed: `appendfsync always` has every change in it.
    AofOfKilled,
    /// A rewritten AOF, which holds the data as commands and not as an RDB file.
    PlainAof,
}

impl Source {
    fn server(self) -> Server {
        let builder = Server::builder();
        let builder = match self {
            Source::Rdb => builder,
            Source::Aof => builder.appendonly(),
            Source::AofOfKilled => builder.appendonly().config("appendfsync always"),
            Source::PlainAof => builder.appendonly().config("aof-use-rdb-preamble no"),
        };
        builder.start()
    }

    fn stop(self) -> Stop {
        match self {
            Source::Rdb => Stop::Save,
            Source::Aof | Source::PlainAof => Stop::NoSave,
            Source::AofOfKilled => Stop::Kill,
        }
    }
}

/// Restarts a server with what `populate` has written, that many keys, all of which expire: with the
/// module, without it and with it again. Each time it must have the same data, and wherever it has
/// the module, `shown`, which asks the module's own commands, must say the same. Returns the last
/// server.
#[track_caller]
pub fn assert_survives<T: Debug + PartialEq>(
    source: Source,
    keys: usize,
    populate: impl FnOnce(&mut Client),
    shown: impl Fn(&mut Client) -> T,
) -> Server {
    let mut server = source.server();
    let stop = source.stop();
    let mut redis = server.client();
    populate(&mut redis);
    if matches!(source, Source::PlainAof) {
        rewrite_aof(&mut redis);
    }
    let (data, answers) = (dataset(&mut redis), shown(&mut redis));
    assert_eq!(data.expires_at.len(), keys);
    let expires = data.expires_at.values().all(|at| *at > 0);
    assert!(expires, "every key expires: {data:?}");

    server.restart(stop);
    assert_eq!(dataset(&mut server.client()), data, "with the module");
    assert_eq!(shown(&mut server.client()), answers, "with the module");
    server.restart_with(stop, Builder::without_module);
    assert_eq!(dataset(&mut server.client()), data, "without the module");
    server.restart_with(stop, Builder::with_module);
    assert_eq!(dataset(&mut server.client()), data, "with the module again");
    assert_eq!(shown(&mut server.client()), answers, "with it again");
    server
}

/// Has the AOF rewritten, and returns once it is.
#[track_caller]
pub fn rewrite_aof(redis: &mut Client) {
    redis.run("BGREWRITEAOF");
    eventually("the AOF is rewritten", || {
        let state = info(redis, "persistence");
        state["aof_rewrite_in_progress"] == "0" && state["aof_rewrite_scheduled"] == "0"
    });
}
