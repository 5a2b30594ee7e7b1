//! Every error a client can get from the module, each text in one place.
//!
//! A text starts with its code, names the argument that is wrong and says what is accepted.

use std::fmt;

/// An error reply. A refusal (limit reached, lock held) is a reply, never an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The key holds another type.
    WrongType,
    /// The key holds a value of the right type that the commands of this family did not write.
    ForeignValue {
        /// What it holds.
        holds: &'static str,
        /// What these commands keep in a key.
        expected: &'static str,
    },
    /// The call would take more memory and `maxmemory` is reached.
    OutOfMemory,
    /// A replica was asked for what only its primary can give.
    ReadOnly,
    /// A fault in the module: the call was given up.
    Internal,
    /// Another node serves the key's slot.
    Moved {
        /// The slot.
        slot: i64,
        /// Host and port of that node, the host empty where it is that of this node.
        endpoint: String,
    },
    /// The key's slot is on its way to another node.
    TryAgain,
    /// The cluster serves no keys at the moment.
    ClusterDown,
    /// An option at the end of the call, without its value.
    MissingValue {
        /// The option.
        option: &'static str,
    },
    /// Neither `EX` nor `PX` where one of them must come.
    MissingDuration {
        /// What needs it.
        owner: &'static str,
    },
    /// `EX` and `PX`, or one of them twice.
    TwoDurations {
        /// What takes only one.
        owner: &'static str,
    },
    /// Not a plain decimal integer, or out of range.
    NotAnInteger {
        /// The option or argument.
        option: &'static str,
        /// Smallest accepted value.
        min: u64,
        /// Largest accepted value.
        max: u64,
    },
    /// An option given twice.
    GivenTwice {
        /// The option.
        option: &'static str,
    },
    /// A keyword that the command does not know.
    UnknownOption {
        /// What was given, made printable.
        given: Printable,
        /// The keywords that are accepted.
        accepted: &'static str,
    },
    /// A value that is none of the accepted words.
    NotOneOf {
        /// The option.
        option: &'static str,
        /// The accepted words.
        accepted: &'static str,
    },
    /// An option without the one that it belongs to.
    OptionNeeds {
        /// The option.
        option: &'static str,
        /// The other one.
        needed: &'static str,
    },
    /// A string of the wrong length.
    BytesOutOfRange {
        /// The option or argument.
        option: &'static str,
        /// Fewest bytes.
        min: usize,
        /// Most bytes.
        max: usize,
    },
    /// No JSON object, or one that is too long.
    BadDocument {
        /// The option or argument.
        argument: &'static str,
        /// What it must be.
        why: String,
    },
    /// The document would be too long after the patch.
    DocumentTooLong {
        /// Most bytes.
        max: usize,
    },
    /// The record of the session cannot be read.
    DamagedSession,
    /// Too many rotations within their grace.
    TooManyOldIds,
    /// More rules than a limiter can hold.
    TooManyRules {
        /// The most rules of one call.
        max: usize,
    },
    /// A rule behind an option.
    RuleAfterOption,
    /// Two rules of one call with the same window.
    SameWindow,
    /// `BURST` with an algorithm other than GCRA.
    BurstWithoutGcra,
    /// A limit that the exact log does not take.
    LimitAboveExact {
        /// The highest limit that it takes.
        max: u32,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::WrongType => {
                write!(
                    f,
                    "WRONGTYPE Operation against a key holding the wrong kind of value"
                )
            }
            Error::ForeignValue { holds, expected } => write!(
                f,
                "WRONGTYPE the key holds a {holds} that is not {expected}; nothing was changed"
            ),
            Error::OutOfMemory => {
                write!(f, "OOM command not allowed when used memory > 'maxmemory'.")
            }
            Error::ReadOnly => write!(f, "READONLY You can't write against a read only replica."),
            Error::Internal => write!(f, "ERR internal error in the appkit module"),
            Error::Moved { slot, endpoint } => write!(f, "MOVED {slot} {endpoint}"),
            Error::TryAgain => write!(f, "TRYAGAIN The slot of the key is being moved; ask again"),
            Error::ClusterDown => write!(f, "CLUSTERDOWN The cluster is down"),
            Error::MissingValue { option } => write!(f, "ERR {option} needs a value"),
            Error::MissingDuration { owner } => {
                write!(f, "ERR {owner} needs EX seconds or PX milliseconds")
            }
            Error::TwoDurations { owner } => {
                write!(f, "ERR {owner} takes exactly one EX or PX")
            }
            Error::NotAnInteger { option, min, max } => {
                write!(f, "ERR {option} must be an integer from {min} to {max}")
            }
            Error::GivenTwice { option } => write!(f, "ERR {option} is given twice"),
            Error::UnknownOption { given, accepted } => {
                write!(f, "ERR unknown option '{given}'; accepted: {accepted}")
            }
            Error::NotOneOf { option, accepted } => {
                write!(f, "ERR {option} must be one of {accepted}")
            }
            Error::OptionNeeds { option, needed } => write!(f, "ERR {option} needs {needed}"),
            Error::BytesOutOfRange { option, min, max } => {
                write!(f, "ERR {option} must have {min} to {max} bytes")
            }
            Error::BadDocument { argument, why } => write!(f, "ERR {argument} {why}"),
            Error::DocumentTooLong { max } => write!(
                f,
                "ERR the document would have more than {max} bytes (appkit.session-max-bytes)"
            ),
            Error::DamagedSession => write!(
                f,
                "ERR the record of this session is damaged; APP.SESSION.REVOKE removes it"
            ),
            Error::TooManyOldIds => write!(
                f,
                "ERR too many old ids still name this session; rotate less often or with a shorter GRACE"
            ),
            Error::TooManyRules { max } => write!(f, "ERR at most {max} rules in one call"),
            Error::RuleAfterOption => {
                write!(f, "ERR rules come first, options after the last rule")
            }
            Error::SameWindow => {
                write!(
                    f,
                    "ERR two rules have the same window; give each rule its own"
                )
            }
            Error::BurstWithoutGcra => write!(f, "ERR BURST is for ALGO GCRA only"),
            Error::LimitAboveExact { max } => {
                write!(f, "ERR limit must be at most {max} with ALGO EXACT")
            }
        }
    }
}

/// A piece of an argument that may go into an error text: printable ASCII, short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printable(String);

impl Printable {
    const LONGEST: usize = 32;

    /// Keeps the first bytes of `argument`; what cannot be shown becomes an escape.
    pub fn new(argument: &[u8]) -> Printable {
        let shown = argument.get(..Self::LONGEST).unwrap_or(argument);
        let ellipsis = if shown.len() < argument.len() {
            "..."
        } else {
            ""
        };
        Printable(format!("{}{ellipsis}", shown.escape_ascii()))
    }
}

impl fmt::Display for Printable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn long_arguments_are_cut() {
        assert_eq!(
            Printable::new(&[b'x'; 40]).to_string(),
            format!("{}...", "x".repeat(32))
        );
        assert_eq!(Printable::new(b"FOO").to_string(), "FOO");
    }

    proptest! {
        /// A raw line break in an error would end the reply early and put the client out of step.
        #[test]
        fn no_argument_breaks_the_protocol(argument: Vec<u8>) {
            let text = Error::UnknownOption { given: Printable::new(&argument), accepted: "FULL" }.to_string();
            prop_assert!(text.bytes().all(|b| b.is_ascii_graphic() || b == b' '));
            prop_assert!(text.len() < 200);
        }
    }
}
