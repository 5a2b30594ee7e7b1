//! A fuzzer at the socket: right calls of every command of the module and wrong ones, on a few keys
//! that other commands change, damage and delete at the same time, from several connections.
//!
//! The server must live, every error must have a code and leave its key alone, a replica must end
//! with the same data and the same lifetimes, and memory must stay flat. Choices follow from a seed,
//! which is printed; the server's clock and its random ids do not.
//!
//! | variable | meaning |
//! |---|---|
//! | `APPKIT_FUZZ_COMMANDS` | how many commands to send (20,000) |
//! | `APPKIT_FUZZ_SEED` | the seed (the clock) |

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "../support/mod.rs"]
mod support;

mod checks;
mod connection;
mod fuzzer;
mod generator;
mod grammar;
mod neighbours;
mod values;

use fuzzer::Fuzzer;

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} is {value:?}; it must be a number")))
}

#[test]
fn hostile_input_neither_kills_nor_parts_the_servers() {
    let commands = number("APPKIT_FUZZ_COMMANDS").unwrap_or(20_000);
    let seed = number("APPKIT_FUZZ_SEED").unwrap_or_else(|| support::now_ms() as u64);
    println!("fuzz: {commands} commands with APPKIT_FUZZ_SEED={seed}");
    let mut fuzzer = Fuzzer::start(seed);
    fuzzer.run(commands);
    println!("{}", fuzzer.summary());
}
