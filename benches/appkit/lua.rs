//! The scripts that users run today, kept as files in `benches/lua/`.

use crate::resp::{Client, payload};

/// Names and texts. `{lua:NAME}` in a case stands for `EVALSHA` and the digest.
const SCRIPTS: &[(&str, &str)] = &[
    ("fixed_window", include_str!("../lua/fixed_window.lua")),
    ("gcra", include_str!("../lua/gcra.lua")),
    ("gcra_half", include_str!("../lua/gcra_half.lua")),
    ("sliding_log", include_str!("../lua/sliding_log.lua")),
    ("two_counters", include_str!("../lua/two_counters.lua")),
    ("lock_release", include_str!("../lua/lock_release.lua")),
    ("lock_extend", include_str!("../lua/lock_extend.lua")),
    ("session_create", include_str!("../lua/session_create.lua")),
    ("session_update", include_str!("../lua/session_update.lua")),
    (
        "session_revoke_all",
        include_str!("../lua/session_revoke_all.lua"),
    ),
    ("cache_load", include_str!("../lua/cache_load.lua")),
    ("cache_fill", include_str!("../lua/cache_fill.lua")),
];

thread_local! {
    static DIGESTS: std::cell::RefCell<Vec<(&'static str, String)>> = const {
        std::cell::RefCell::new(Vec::new())
    };
}

/// Loads all scripts into a server.
pub fn load(client: &mut Client) {
    let digest = |client: &mut Client, script: &str| {
        let reply = client.call(&[b"SCRIPT", b"LOAD", script.as_bytes()]);
        let text = String::from_utf8_lossy(payload(&reply)).into_owned();
        assert!(reply.starts_with(b"$40"), "{text}");
        text
    };
    let digests = SCRIPTS
        .iter()
        .map(|&(name, script)| (name, digest(client, script)));
    let digests = digests.collect();
    DIGESTS.set(digests);
}

/// The digest of a script; the same on every server.
pub fn digest(name: &str) -> String {
    DIGESTS.with_borrow(|digests| {
        let found = digests.iter().find(|(known, _)| *known == name);
        found
            .unwrap_or_else(|| panic!("no script {name}"))
            .1
            .clone()
    })
}
