//! What the module costs those who do not use it: the server's own commands without the module,
//! with it, and after the first lease.

use super::{CASE, Case, Group};
use crate::server::Variant;

const fn set(name: &'static str, on: Variant) -> Case {
    Case {
        name,
        on,
        call: &[&["SET plain:{n} {value}"]],
        expected: "+OK",
        ..CASE
    }
}

const fn get(name: &'static str, on: Variant) -> Case {
    Case {
        name,
        on,
        setup: &[&["SET read:{n} {value}"]],
        call: &[&["GET read:{n}"]],
        expected: "$200",
        ..CASE
    }
}

/// A DEL needs something to delete.
const fn set_del(name: &'static str, on: Variant) -> Case {
    Case {
        name,
        on,
        call: &[&["SET gone:{n} {value}"], &["DEL gone:{n}"]],
        // 0 where another connection or the same batch has deleted it already.
        expected: ":",
        ..CASE
    }
}

pub const GROUP: Group = Group {
    name: "plain",
    title: "The server's own commands, with and without the module",
    cases: &[
        set("SET without module", Variant::Plain),
        set("SET with module", Variant::Module),
        set("SET after a lease", Variant::Lease),
        get("GET without module", Variant::Plain),
        get("GET with module", Variant::Module),
        get("GET after a lease", Variant::Lease),
        set_del("SET, DEL without module", Variant::Plain),
        set_del("SET, DEL with module", Variant::Module),
        set_del("SET, DEL after a lease", Variant::Lease),
    ],
};
