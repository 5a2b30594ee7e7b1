#!/usr/bin/env bash
# Shows that check-layers.sh finds each breach, where it is, and nothing in a clean tree.
set -euo pipefail
check=$(cd "$(dirname "$0")" && pwd)/check-layers.sh
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0

# A tree that keeps the rules and comes close to breaking each.
clean_tree() {
    rm -rf "${tree:?}"/*
    mkdir -p "$tree"/src/{server,ratelimit} "$tree/tests"
    echo 'redis_module::redis_module! {}' >"$tree/src/lib.rs"
    echo 'pub fn f() { unsafe { redis_module::raw::call() } }' >"$tree/src/server/keys.rs"
    echo 'use crate::server::keys;' >"$tree/src/ratelimit/commands.rs"
    cat >"$tree/src/ratelimit/gcra.rs" <<'END'
//! No unsafe, no redis_module, nothing of crate::server.
#![deny(unsafe_op_in_unsafe_fn)]
/* unsafe /* nested: redis_module */ still a comment: unsafe
   use crate::server; */
use crate::error::{Error, server_error};
use std::net::server;
const QUOTE: char = '"'; // unsafe
const TEXT: &str = "unsafe \" redis_module // \
    unsafe on a second line";
const RAW: &str = r#"a "quoted" unsafe redis_module"#;
fn life<'a>(a: &'a str) -> &'a str { a } /* redis_module */
END
    yes '// a line' | head -n 400 >"$tree/tests/long.rs" || true
}

report() { # what expected got
    echo "check-layers.test: $1"
    printf '    expected: %s\n    got:      %s\n' "${2:-nothing}" "${3:-nothing}"
    failures=$((failures + 1))
}

# One line more than the clean tree has must give exactly one finding, at that place.
finds() { # file place text of the rule
    local got
    if got=$("$check" "$tree") || [[ $(wc -l <<<"$got") != 1 || $got != "$1:$2: "*"$3"* ]]; then
        report "a breach in $1" "$1:$2: …$3…" "$got"
    fi
}

breach() { # file, line of code, text of the rule
    clean_tree
    printf '%s\n' "$2" >>"$tree/$1"
    finds "$1" "$(wc -l <"$tree/$1")" "$3"
}

clean_tree
if ! got=$("$check" "$tree"); then report 'a clean tree' '' "$got"; fi

words='belong to src/server/'
breach src/ratelimit/gcra.rs 'fn f() { unsafe { g() } }' "$words"
breach src/ratelimit/gcra.rs 'fn f() { let a = "//"; unsafe { g() } }' "$words"
breach src/ratelimit/gcra.rs "const Q: [char; 2] = ['\"', '\\''] as unsafe;" "$words"
breach src/ratelimit/gcra.rs 'use redis_module::Context;' "$words"
breach src/ratelimit/commands.rs 'use redis_module::raw;' "$words"
breach src/error.rs 'unsafe impl Send for Error {}' "$words"

pure='a pure file names nothing of crate::server'
breach src/ratelimit/gcra.rs 'use crate::server::keys::Key;' "$pure"
breach src/ratelimit/gcra.rs 'use crate::server;' "$pure"
breach src/ratelimit/gcra.rs 'use crate::{error::Error, server::keys};' "$pure"
breach src/ratelimit/gcra.rs 'use super::super::server::keys;' "$pure"
breach src/ratelimit/gcra.rs 'fn f() { crate::server::clock::now(); }' "$pure"
breach src/error.rs 'pub(crate) use crate::server::Reply;' "$pure"

clean_tree
printf 'use crate::{\n    error::Error,\n    server,\n};\n' >"$tree/src/args.rs"
finds src/args.rs 1 "$pure"

breach tests/long.rs '// one more' 'at most 400 lines'

if got=$("$check" "$tree/tests" 2>&1); then report 'a folder that is no project' 'an error' "$got"; fi

if ((failures)); then exit 1; fi
echo 'check-layers.test: each rule holds and can fail'
