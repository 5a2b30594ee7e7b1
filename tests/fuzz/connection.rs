//! One connection of the fuzzer: what it has sent, what that was for, and the replies to come.

use std::collections::VecDeque;

use crate::support::{Client, Protocol, Reply, Server};
use crate::values::{Call, call};

/// What a call was sent for: what to do with its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A call of the module's command with this index, by itself.
    Ours(usize),
    /// A call of it inside MULTI, in a script or as an argument: only the form of its reply counts.
    Wrapped,
    /// `EXEC` around a call of the command, with a look at its key before and behind it.
    Observed(usize),
    /// `GET`: a state to damage.
    Text,
    /// `HGETALL`: fields to damage.
    Fields,
    /// `DUMP`: a payload for `RESTORE`.
    Payload,
    Other,
}

/// A call that was sent.
pub struct Sent {
    pub call: Call,
    pub purpose: Purpose,
}

pub struct Connection {
    pub name: &'static str,
    /// May wait in the server, so nothing else is sent behind a waiting call for long.
    pub patient: bool,
    pub id: i64,
    protocol: Protocol,
    tracking: bool,
    client: Client,
    pending: VecDeque<Sent>,
    /// The last calls, oldest first, answered or not.
    history: VecDeque<Call>,
}

impl Connection {
    const REMEMBERED: usize = 30;

    pub fn open(
        server: &Server,
        name: &'static str,
        protocol: Protocol,
        tracking: bool,
        patient: bool,
    ) -> Connection {
        let mut connection = Connection {
            name,
            patient,
            id: 0,
            protocol,
            tracking,
            client: server.client_in(protocol),
            pending: VecDeque::new(),
            history: VecDeque::new(),
        };
        connection.greet();
        connection
    }

    fn greet(&mut self) {
        if self.tracking {
            self.client.run("CLIENT TRACKING ON BCAST").ok();
        }
        self.id = self.client.run("CLIENT ID").int();
    }

    /// Goes away, with replies unread and calls waiting, and comes back.
    pub fn reopen(&mut self, server: &Server) {
        self.pending.clear();
        self.history.push_back(call("(reconnected)"));
        self.client = server.client_in(self.protocol);
        self.greet();
    }

    /// Sends calls in one write; their replies are read later.
    pub fn send(&mut self, calls: Vec<(Call, Purpose)>) {
        let mut bytes = Vec::new();
        for (call, _) in &calls {
            encode(call, &mut bytes);
        }
        for (call, purpose) in calls {
            self.history.push_back(call.clone());
            self.pending.push_back(Sent { call, purpose });
        }
        let superfluous = self.history.len().saturating_sub(self.most_remembered());
        self.history.drain(..superfluous);
        self.client.write(&bytes);
    }

    fn most_remembered(&self) -> usize {
        self.pending.len() + Connection::REMEMBERED
    }

    /// Reads the reply to the oldest call that is not answered yet, if there is one.
    pub fn next_reply(&mut self) -> Option<(Sent, Reply)> {
        let sent = self.pending.pop_front()?;
        Some((sent, self.client.reply()))
    }

    pub fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    /// The calls around the last one that was answered, for a report.
    pub fn last_calls(&self) -> String {
        let answered = self.history.len().saturating_sub(self.pending.len());
        let first = answered.saturating_sub(Connection::REMEMBERED);
        let calls = self.history.iter().enumerate().skip(first);
        let lines = calls.take(2 * Connection::REMEMBERED).map(|(place, call)| {
            let mark = if place < answered { ' ' } else { '?' };
            format!("{mark} {}\n", shown(call))
        });
        lines.collect()
    }
}

fn encode(call: &Call, out: &mut Vec<u8>) {
    out.extend(format!("*{}\r\n", call.len()).bytes());
    for argument in call {
        out.extend(format!("${}\r\n", argument.len()).bytes());
        out.extend_from_slice(argument);
        out.extend(b"\r\n");
    }
}

/// A call as text that fits a terminal.
pub fn shown(call: &Call) -> String {
    const LONGEST: usize = 160;
    let mut words = Vec::new();
    for argument in call.iter().take(40) {
        let start = argument[..argument.len().min(LONGEST)].escape_ascii();
        words.push(match argument.len() > LONGEST {
            true => format!("\"{start}\"...({} bytes)", argument.len()),
            false => format!("\"{start}\""),
        });
    }
    if call.len() > words.len() {
        words.push(format!("...({} arguments)", call.len()));
    }
    words.join(" ")
}
