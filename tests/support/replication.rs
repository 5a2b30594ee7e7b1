//! What a primary propagates: a bare replication link, read command by command.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::resp::{Client, read_frame, read_line};
use super::{Server, eventually, info, words};

/// A link that has thrown away the initial data set and follows the stream of commands.
pub struct ReplicationStream {
    stream: BufReader<TcpStream>,
    fences: u64,
    /// The database that the last command returned applies to.
    pub db: i64,
}

const FENCE: &str = "appkit-test-fence";

impl ReplicationStream {
    /// Attaches to `server`, which sends its data set as a file of known length.
    pub fn attach(server: &Server) -> ReplicationStream {
        ReplicationStream::attach_with(server, &[])
    }

    /// The same with replica capabilities: `eof` is the data set of unknown length that a server
    /// sends straight from memory.
    pub fn attach_with(server: &Server, capabilities: &[&str]) -> ReplicationStream {
        let mut client = server.client();
        for capability in capabilities {
            client.run(&format!("REPLCONF capa {capability}")).ok();
        }
        client.send(&words("PSYNC ? -1"));
        let mut stream = client.into_stream();
        let greeting = skip_pings(&mut stream);
        assert!(greeting.starts_with("+FULLRESYNC "), "got {greeting:?}");
        skip_data_set(&mut stream);
        wait_until_online(server);
        let acknowledge = words("REPLCONF ACK 0").get_packed_command();
        stream
            .get_mut()
            .write_all(&acknowledge)
            .expect("the link stands");
        ReplicationStream {
            stream,
            fences: 0,
            db: -1,
        }
    }

    /// Every command propagated so far, oldest first, without the link's own PING, REPLCONF and
    /// SELECT. `client` is any connection to the primary: a message published through it marks
    /// the end, so "nothing" is known and not waited for.
    #[track_caller]
    pub fn take(&mut self, client: &mut Client) -> Vec<Vec<Vec<u8>>> {
        self.fences += 1;
        let fence = format!("{}", self.fences);
        client.run(&format!("PUBLISH {FENCE} {fence}")).int();
        let mut commands = Vec::new();
        loop {
            let frame = read_frame(&mut self.stream).expect("the link stands");
            let command: Vec<Vec<u8>> = frame.items().iter().map(|a| a.bytes().to_vec()).collect();
            match String::from_utf8_lossy(&command[0]).to_uppercase().as_str() {
                "PING" | "REPLCONF" => {}
                "SELECT" => {
                    self.db = String::from_utf8_lossy(&command[1])
                        .parse()
                        .expect("a database");
                }
                "PUBLISH" if command[1] == FENCE.as_bytes() => {
                    if command[2] == fence.as_bytes() {
                        return commands;
                    }
                }
                _ => commands.push(command),
            }
        }
    }
}

/// An acknowledgement that comes before the server counts the transfer as done is lost, and the
/// stream would never start.
fn wait_until_online(server: &Server) {
    let mut client = server.client();
    eventually("the server counts the transfer as done", || {
        let replication = info(&mut client, "replication");
        let mut states = replication
            .values()
            .filter(|value| value.contains("state="));
        states.all(|state| state.contains("state=online"))
    });
}

/// The next line that is not one of the empty ones that keep the link alive.
fn skip_pings(stream: &mut BufReader<TcpStream>) -> String {
    while stream.fill_buf().expect("the link stands").first() == Some(&b'\n') {
        stream.consume(1);
    }
    read_line(stream).expect("the link stands")
}

fn skip_data_set(stream: &mut BufReader<TcpStream>) {
    let header = skip_pings(stream);
    let header = header.strip_prefix('$').expect("a bulk header");
    let Some(mark) = header.strip_prefix("EOF:") else {
        let mut data = vec![0; header.parse().expect("a length")];
        return stream.read_exact(&mut data).expect("the data set");
    };
    let mut data = Vec::new();
    while !data.ends_with(mark.as_bytes()) {
        // The mark is random, so looking for its last byte alone is enough to stop at its end.
        let last = mark.as_bytes()[mark.len() - 1];
        stream.read_until(last, &mut data).expect("the data set");
    }
}

/// One propagated command: its words.
pub type Command = Vec<Vec<u8>>;

pub fn command(words: &[&[u8]]) -> Command {
    words.iter().map(|word| word.to_vec()).collect()
}

/// `commands` as a primary propagates what belongs together.
pub fn transaction(commands: Vec<Command>) -> Vec<Command> {
    let mut all = vec![command(&[b"MULTI"])];
    all.extend(commands);
    all.push(command(&[b"EXEC"]));
    all
}

/// `SET key <the string that is there> PXAT <its expiry>`.
#[track_caller]
pub fn set_of(redis: &mut Client, key: &[u8]) -> Command {
    let value = redis.call(redis::cmd("GET").arg(key));
    let at = redis.call(redis::cmd("PEXPIRETIME").arg(key)).int();
    assert!(at > 0);
    let at = at.to_string();
    command(&[b"SET", key, value.bytes(), b"PXAT", at.as_bytes()])
}

pub fn del_of(key: &[u8]) -> Command {
    command(&[b"DEL", key])
}
