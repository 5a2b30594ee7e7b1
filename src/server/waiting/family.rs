//! What a family of commands has to say about its lines.

use super::super::call::Call;
use super::lines::{Line, Lines};
use crate::stats::Counter;
use crate::waiting::Request;

/// The index of the key among the arguments, in every command that may wait and in the calls that
/// stand for one when a line moves by itself.
pub const KEY: usize = 1;

/// A family whose commands may wait.
pub trait Family: Sized + 'static {
    /// What a waiter asks for.
    type Request: Request + Clone;
    /// What a waiter gets in the end.
    type Answer;

    /// The lines of this family.
    fn lines() -> &'static Lines<Self>;

    /// Where `INFO` shows how many calls wait.
    fn waiting() -> &'static Counter;

    /// The line may move: looks at the key (argument [`KEY`]), decides, commits what changes, and
    /// answers those whom it concerns. Returns when what the line waits for now ends by itself (Unix
    /// time in milliseconds), `None` if it does not.
    fn advance(call: &Call<'_>, line: Line<Self>) -> Option<u64>;

    /// The answer to a wait that ran out. What the line waits for ends at `until_ms` by itself.
    fn in_vain(until_ms: Option<u64>, now_ms: u64) -> Self::Answer;

    /// Writes an answer.
    fn reply(call: &Call<'_>, answer: &Self::Answer);

    /// Takes back what an answer gave: nobody got it. The key is argument [`KEY`].
    fn take_back(call: &Call<'_>, answer: &Self::Answer);
}
