//! What a command is to the outside: its name, arity, keys, flags, arguments and documentation.
//!
//! Written once per command, next to its code, and used for registration, `COMMAND DOCS`,
//! `COMMAND INFO`, ACL categories and the checks of the documentation. Strings are C strings
//! because the server takes them as they are.

use std::ffi::CStr;

/// The metadata of one command.
pub struct Spec {
    /// Full name in lower case, as `COMMAND LIST` shows it.
    pub name: &'static CStr,
    /// One sentence without a closing period.
    pub summary: &'static CStr,
    /// Time complexity, and what `N` is.
    pub complexity: &'static CStr,
    /// The module version that introduced the command.
    pub since: &'static CStr,
    /// Number of arguments, the name included; `-n` for at least `n`.
    pub arity: i32,
    /// What the command does to data, and how fast.
    pub flags: Flags,
    /// Where its keys are, and what it does to them.
    pub keys: Keys,
    /// The arguments after the name, in order.
    pub args: &'static [Arg],
}

/// Flags of a whole command.
#[derive(Clone, Copy)]
pub struct Flags {
    /// The server's own words: `write` or `readonly`, and `fast` where it applies.
    pub server: &'static CStr,
    /// ACL categories (without `@`), set where the server takes them from modules (7.2 and newer).
    pub acl_categories: &'static CStr,
}

impl Flags {
    /// Reads only; allowed on a replica.
    pub const READ_FAST: Flags = Flags {
        server: c"readonly fast",
        acl_categories: c"read fast",
    };
    /// Reads only, and may keep the client waiting.
    pub const READ_BLOCKING: Flags = Flags {
        server: c"readonly fast blocking",
        acl_categories: c"read fast blocking",
    };
    /// Reads only, and takes longer with more data.
    pub const READ: Flags = Flags {
        server: c"readonly",
        acl_categories: c"read slow",
    };
    /// Writes, and takes longer with more data.
    pub const WRITE: Flags = Flags {
        server: c"write",
        acl_categories: c"write slow",
    };
    /// Writes, takes longer with more data, and is refused by the server at full memory.
    pub const WRITE_DENY_OOM: Flags = Flags {
        server: c"write deny-oom",
        acl_categories: c"write slow",
    };
    /// Writes, and may keep the client waiting; the command itself refuses what would take more
    /// memory.
    pub const WRITE_BLOCKING: Flags = Flags {
        server: c"write blocking",
        acl_categories: c"write slow blocking",
    };
    /// May write, also at full memory; the command itself refuses what would take more memory.
    pub const WRITE_FAST: Flags = Flags {
        server: c"write fast",
        acl_categories: c"write fast",
    };
}

/// The keys of a command: all commands take the first argument, or all arguments, as keys.
#[derive(Clone, Copy)]
pub struct Keys {
    /// How the keys are accessed.
    pub access: KeyAccess,
    /// Index of the last key: 1 for one key, −1 for "up to the last argument".
    pub last: i32,
}

impl Keys {
    /// The first argument is the only key.
    pub const fn one(access: KeyAccess) -> Keys {
        Keys { access, last: 1 }
    }

    /// All arguments are keys.
    pub const fn all(access: KeyAccess) -> Keys {
        Keys { access, last: -1 }
    }
}

/// What a command does to its keys, in the terms of `COMMAND GETKEYSANDFLAGS`.
#[derive(Clone, Copy)]
pub enum KeyAccess {
    /// Reads the value and returns what it found (`RO ACCESS`).
    Read,
    /// Looks at the key and returns nothing of its value (`RO`, as for `EXISTS`).
    Look,
    /// Returns the value, or writes one where there is none (`RW ACCESS INSERT`).
    ReadInsert,
    /// Puts a new value in place of any other (`OW UPDATE`, as for `SETEX`).
    Overwrite,
    /// Removes the key, whatever the value (`RM DELETE`, as for `DEL`).
    Remove,
    /// Reads the value and writes a new one that depends on it (`RW ACCESS UPDATE`).
    ReadWrite,
    /// Writes a new value and returns nothing of the old one (`RW UPDATE`).
    Update,
    /// Deletes, and returns nothing of what was there (`RW DELETE`).
    Delete,
    /// Deletes what is there, if it is the right one (`RW ACCESS DELETE`, as for `GETDEL`).
    ReadDelete,
}

/// One argument in `COMMAND DOCS`.
pub struct Arg {
    /// The name, as the documentation shows it.
    pub name: &'static CStr,
    /// What it is.
    pub kind: ArgKind,
    /// The keyword in front of the value, or the keyword itself for [`ArgKind::Keyword`].
    pub token: Option<&'static CStr>,
    /// Whether it may be left out.
    pub optional: bool,
    /// Whether it may be given several times.
    pub multiple: bool,
}

/// The kinds of arguments.
#[derive(Clone, Copy)]
pub enum ArgKind {
    /// A key; the key specification at index 0 covers it.
    Key,
    /// An integer.
    Integer,
    /// Any bytes.
    String,
    /// A keyword without a value.
    Keyword,
    /// Exactly one of these.
    OneOf(&'static [Arg]),
    /// These, one after the other.
    Block(&'static [Arg]),
}

impl Arg {
    const fn new(name: &'static CStr, kind: ArgKind) -> Arg {
        Arg {
            name,
            kind,
            token: None,
            optional: false,
            multiple: false,
        }
    }

    /// The key.
    pub const fn key() -> Arg {
        Arg::new(c"key", ArgKind::Key)
    }

    /// An integer.
    pub const fn integer(name: &'static CStr) -> Arg {
        Arg::new(name, ArgKind::Integer)
    }

    /// Any bytes.
    pub const fn string(name: &'static CStr) -> Arg {
        Arg::new(name, ArgKind::String)
    }

    /// A keyword without a value.
    pub const fn keyword(name: &'static CStr, token: &'static CStr) -> Arg {
        Arg::new(name, ArgKind::Keyword).token(token)
    }

    /// Exactly one of `alternatives`.
    pub const fn one_of(name: &'static CStr, alternatives: &'static [Arg]) -> Arg {
        Arg::new(name, ArgKind::OneOf(alternatives))
    }

    /// Several arguments in a row.
    pub const fn block(name: &'static CStr, parts: &'static [Arg]) -> Arg {
        Arg::new(name, ArgKind::Block(parts))
    }

    /// `EX seconds | PX milliseconds`: the duration that every key-making command takes.
    pub const fn duration() -> Arg {
        const UNITS: &[Arg] = &[
            Arg::integer(c"seconds").token(c"EX"),
            Arg::integer(c"milliseconds").token(c"PX"),
        ];
        Arg::one_of(c"duration", UNITS)
    }

    /// Puts a keyword in front of the value.
    pub const fn token(mut self, token: &'static CStr) -> Arg {
        self.token = Some(token);
        self
    }

    /// May be left out.
    pub const fn optional(mut self) -> Arg {
        self.optional = true;
        self
    }

    /// May be given several times.
    pub const fn multiple(mut self) -> Arg {
        self.multiple = true;
        self
    }
}
