//! The commands `APP.SESSION.*` as the server and its users see them.

use std::ffi::CStr;

use crate::command::{Arg, Flags, KeyAccess, Keys, Spec};

const PER_SESSION: &CStr = c"O(1)";
const PER_OWNER: &CStr = c"O(N) with N being the number of sessions at the key";

const ID: Arg = Arg::string(c"id");
const WITHMETA: Arg = Arg::keyword(c"withmeta", c"WITHMETA").optional();

/// `APP.SESSION.CREATE`
pub const CREATE: Spec = Spec {
    name: c"app.session.create",
    summary: c"Makes a session and returns its id",
    complexity: PER_OWNER,
    since: c"0.1.0",
    arity: -4,
    flags: Flags::WRITE_DENY_OOM,
    keys: Keys::one(KeyAccess::Update),
    args: &[
        Arg::key(),
        Arg::duration(),
        Arg::integer(c"milliseconds").token(c"MAXAGE").optional(),
        Arg::string(c"json").token(c"DATA").optional(),
        Arg::string(c"id").token(c"ID").optional(),
        Arg::block(
            c"limit",
            &[
                Arg::integer(c"sessions").token(c"LIMIT"),
                Arg::keyword(c"reject", c"REJECT").optional(),
            ],
        )
        .optional(),
    ],
};

/// `APP.SESSION.GET`
pub const GET: Spec = Spec {
    name: c"app.session.get",
    summary: c"Returns the document of a live session",
    complexity: PER_SESSION,
    since: c"0.1.0",
    arity: -3,
    flags: Flags::READ_FAST,
    keys: Keys::one(KeyAccess::Read),
    args: &[Arg::key(), ID, WITHMETA],
};

/// `APP.SESSION.TOUCH`
pub const TOUCH: Spec = Spec {
    name: c"app.session.touch",
    summary: c"Returns the document of a live session and slides its idle deadline",
    complexity: PER_SESSION,
    since: c"0.1.0",
    arity: -3,
    flags: Flags::WRITE_FAST,
    keys: Keys::one(KeyAccess::ReadWrite),
    args: &[Arg::key(), ID, Arg::duration().optional(), WITHMETA],
};

/// `APP.SESSION.UPDATE`
pub const UPDATE: Spec = Spec {
    name: c"app.session.update",
    summary: c"Patches or replaces the document of a live session and returns it",
    complexity: c"O(N) with N being the length of the document and the patch",
    since: c"0.1.0",
    arity: -4,
    flags: Flags::WRITE_DENY_OOM,
    keys: Keys::one(KeyAccess::ReadWrite),
    args: &[
        Arg::key(),
        ID,
        Arg::string(c"json"),
        Arg::keyword(c"replace", c"REPLACE").optional(),
        Arg::keyword(c"keepttl", c"KEEPTTL").optional(),
    ],
};

/// `APP.SESSION.ROTATE`
pub const ROTATE: Spec = Spec {
    name: c"app.session.rotate",
    summary: c"Gives a live session a new id",
    complexity: PER_SESSION,
    since: c"0.1.0",
    arity: -3,
    flags: Flags::WRITE_FAST,
    keys: Keys::one(KeyAccess::Update),
    args: &[
        Arg::key(),
        ID,
        Arg::integer(c"milliseconds").token(c"GRACE").optional(),
    ],
};

/// `APP.SESSION.REVOKE`
pub const REVOKE: Spec = Spec {
    name: c"app.session.revoke",
    summary: c"Ends one session, named by its id or its handle",
    complexity: PER_SESSION,
    since: c"0.1.0",
    arity: -3,
    flags: Flags::WRITE_FAST,
    keys: Keys::one(KeyAccess::Delete),
    args: &[
        Arg::key(),
        Arg::one_of(c"session", &[ID, Arg::string(c"handle").token(c"HANDLE")]),
    ],
};

/// `APP.SESSION.REVOKEALL`
pub const REVOKE_ALL: Spec = Spec {
    name: c"app.session.revokeall",
    summary: c"Ends all sessions of an owner, or all but one",
    complexity: PER_OWNER,
    since: c"0.1.0",
    arity: -2,
    flags: Flags::WRITE,
    keys: Keys::one(KeyAccess::Delete),
    args: &[Arg::key(), Arg::string(c"id").token(c"EXCEPT").optional()],
};

/// `APP.SESSION.LIST`
pub const LIST: Spec = Spec {
    name: c"app.session.list",
    summary: c"Lists the live sessions of an owner, newest first",
    complexity: PER_OWNER,
    since: c"0.1.0",
    arity: -2,
    flags: Flags::READ,
    keys: Keys::one(KeyAccess::Read),
    args: &[Arg::key(), Arg::string(c"id").token(c"CURRENT").optional()],
};
