//! The load: one thread, many connections, as many calls under way as there are connections times
//! the depth of the pipeline.
//!
//! The thread goes round the connections: it takes the replies of one, sends its next calls, and
//! goes on to the next, so that the server always has the calls of all the others to do. It neither
//! polls nor parses more than where a reply ends, and takes less processor time than a server that
//! runs the cheapest command; how busy the server was is measured along and shown.

use std::io::ErrorKind::WouldBlock;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::program::RoundTrip;
use crate::resp::{element, frame_end, payload};

/// Connections of a load.
pub const CLIENTS: usize = 50;

/// A server that does not answer for so long ends the run.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the numbers of the keys come from.
pub enum Numbers {
    /// Drawn from a range for ever.
    Random { range: Range<u64>, state: u64 },
    /// Each of a range once.
    Each(Range<u64>),
}

impl Numbers {
    /// Numbers of a range, the same in every run.
    pub fn random(range: Range<u64>) -> Numbers {
        let state = 0x9E37_79B9_7F4A_7C15;
        Numbers::Random { range, state }
    }

    pub fn next(&mut self) -> Option<u64> {
        match self {
            Numbers::Each(range) => range.next(),
            Numbers::Random { range, state } => {
                // xorshift64*
                *state ^= *state >> 12;
                *state ^= *state << 25;
                *state ^= *state >> 27;
                let number = state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11;
                Some(range.start + number % (range.end - range.start))
            }
        }
    }
}

/// What a load came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub calls: u64,
    /// Calls whose last reply began as expected.
    pub as_expected: u64,
    pub elapsed: Duration,
}

/// A connection and the calls that it has under way.
pub struct Connection {
    stream: TcpStream,
    client: u64,
    /// Which round trip of its calls comes next.
    next: usize,
    numbers: Vec<u64>,
    captured: Vec<Vec<u8>>,
}

/// The connections to one server.
pub struct Fleet {
    connections: Vec<Connection>,
    out: Vec<u8>,
    reply: Vec<u8>,
}

impl Fleet {
    pub fn connect(port: u16, clients: usize) -> Fleet {
        let connect = |client| {
            let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
            stream.set_nodelay(true).expect("TCP_NODELAY");
            stream
                .set_read_timeout(Some(PATIENCE))
                .expect("a time limit");
            Connection {
                stream,
                client,
                next: 0,
                numbers: Vec::new(),
                captured: Vec::new(),
            }
        };
        Fleet {
            connections: (0..clients as u64).map(connect).collect(),
            out: Vec::new(),
            reply: Vec::new(),
        }
    }

    /// Makes calls over all connections, `pipeline` commands at a time on each, until `time` is over or there
    /// is no number left.
    ///
    /// # Panics
    /// On an error reply.
    pub fn run(
        &mut self,
        call: &[RoundTrip],
        expected: &str,
        pipeline: usize,
        mut numbers: Numbers,
        time: Option<Duration>,
    ) -> Tally {
        let together = call.iter().map(|round_trip| round_trip.replies).max();
        let calls = (pipeline / together.unwrap_or(1)).max(1);
        let mut tally = Tally::default();
        let started = Instant::now();
        let mut under_way: Vec<usize> = (0..self.connections.len()).collect();
        under_way.retain(|&index| self.begin(index, calls, &mut numbers));
        under_way.iter().for_each(|&index| self.send(index, call));
        while !under_way.is_empty() {
            let over = time.is_some_and(|time| started.elapsed() >= time);
            under_way.retain(|&index| {
                let expected_ones = self.receive(index, call, expected);
                if self.connections[index].next == 0 {
                    tally.calls += self.connections[index].numbers.len() as u64;
                    tally.as_expected += expected_ones;
                    if over || !self.begin(index, calls, &mut numbers) {
                        return false;
                    }
                }
                self.send(index, call);
                true
            });
        }
        tally.elapsed = started.elapsed();
        tally
    }

    /// Draws the numbers of the next calls; false if there is none left.
    pub fn begin(&mut self, index: usize, calls: usize, numbers: &mut Numbers) -> bool {
        let connection = &mut self.connections[index];
        connection.next = 0;
        connection.numbers.clear();
        connection.captured.resize(calls, Vec::new());
        let drawn = (0..calls).map_while(|_| numbers.next());
        connection.numbers.extend(drawn);
        !connection.numbers.is_empty()
    }

    /// Makes reads wait for the reply, or not.
    pub fn set_blocking(&self, blocking: bool) {
        for connection in &self.connections {
            let set = connection.stream.set_nonblocking(!blocking);
            set.expect("a socket may be made blocking or not");
        }
    }

    /// Whether something has come in on a connection that does not block.
    pub fn has_input(&self, index: usize) -> bool {
        self.connections[index].stream.peek(&mut [0]).is_ok()
    }

    /// Whether the connection has made all round trips of its calls.
    pub fn is_done(&self, index: usize) -> bool {
        self.connections[index].next == 0
    }

    /// Sends the next round trip of all calls of a connection.
    pub fn send(&mut self, index: usize, call: &[RoundTrip]) {
        let connection = &mut self.connections[index];
        let round_trip = &call[connection.next];
        self.out.clear();
        for (&number, captured) in connection.numbers.iter().zip(&connection.captured) {
            round_trip.render(&mut self.out, number, connection.client, captured);
        }
        connection
            .stream
            .write_all(&self.out)
            .expect("commands are sent");
    }

    /// Waits for the replies; returns how many of the last ones of each call are as expected.
    pub fn receive(&mut self, index: usize, call: &[RoundTrip], expected: &str) -> u64 {
        let connection = &mut self.connections[index];
        let round_trip = &call[connection.next];
        let mut replies = Replies {
            since: Instant::now(),
            stream: &mut connection.stream,
            buffer: &mut self.reply,
            at: 0,
        };
        replies.buffer.clear();
        let mut as_expected = 0;
        for captured in connection
            .captured
            .iter_mut()
            .take(connection.numbers.len())
        {
            let mut last: &[u8] = b"";
            for _ in 0..round_trip.replies {
                last = replies.next();
                assert!(last[0] != b'-', "{}", complaint(last, &self.out));
            }
            as_expected += u64::from(last.starts_with(expected.as_bytes()));
            if round_trip.captures {
                captured.clear();
                captured.extend_from_slice(element(last, 2).unwrap_or_default());
            }
        }
        connection.next = (connection.next + 1) % call.len();
        as_expected
    }
}

/// What an error reply says, with the commands sent last.
fn complaint(reply: &[u8], commands: &[u8]) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let commands = text(&commands[..commands.len().min(500)]);
    format!("{} in reply to {commands}", text(payload(reply)))
}

/// Replies as they come in on a connection.
struct Replies<'a> {
    since: Instant,
    stream: &'a mut TcpStream,
    buffer: &'a mut Vec<u8>,
    at: usize,
}

impl Replies<'_> {
    fn next(&mut self) -> &[u8] {
        loop {
            if let Some(end) = frame_end(self.buffer, self.at) {
                let start = std::mem::replace(&mut self.at, end);
                return &self.buffer[start..end];
            }
            let filled = self.buffer.len();
            self.buffer.resize(filled + 16384, 0);
            let read = match self.stream.read(&mut self.buffer[filled..]) {
                Ok(0) => panic!("the server has closed a connection"),
                Ok(read) => read,
                // Nothing there yet, on a connection that does not block.
                Err(error) if error.kind() == WouldBlock && self.since.elapsed() < PATIENCE => 0,
                Err(error) => panic!("no reply: {error}"),
            };
            self.buffer.truncate(filled + read);
        }
    }
}
