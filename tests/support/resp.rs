//! A raw connection: every frame as the server sent it, in RESP2 and RESP3.
//!
//! The `redis` crate (see `Server::redis`) hides reply types, error texts and frame order. Tests of
//! exactly those use this client.

use std::collections::VecDeque;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use redis::ProtocolVersion as Protocol;

use super::deadline;

/// One frame. `Nil` keeps no kind: RESP2's two nulls and RESP3's one mean the same to a test.
#[derive(Clone, PartialEq, Eq)]
pub enum Reply {
    Nil,
    Simple(String),
    Error(String),
    Int(i64),
    Bulk(Vec<u8>),
    /// Double, big number, boolean: the text on the wire behind the type byte.
    Scalar(char, String),
    Array(Vec<Reply>),
    Map(Vec<(Reply, Reply)>),
    Set(Vec<Reply>),
    Push(Vec<Reply>),
}

impl Reply {
    #[track_caller]
    pub fn int(&self) -> i64 {
        match self {
            Reply::Int(value) => *value,
            other => panic!("expected an integer, got {other:?}"),
        }
    }

    /// An array of integers and nothing else.
    #[track_caller]
    pub fn ints(&self) -> Vec<i64> {
        match self {
            Reply::Array(items) => items.iter().map(Reply::int).collect(),
            other => panic!("expected an array of integers, got {other:?}"),
        }
    }

    #[track_caller]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Reply::Bulk(bytes) => bytes,
            other => panic!("expected a bulk string, got {other:?}"),
        }
    }

    /// The text of a bulk or simple string.
    #[track_caller]
    pub fn text(&self) -> String {
        match self {
            Reply::Simple(text) => text.clone(),
            other => String::from_utf8_lossy(other.bytes()).into_owned(),
        }
    }

    #[track_caller]
    pub fn error(&self) -> &str {
        match self {
            Reply::Error(text) => text,
            other => panic!("expected an error, got {other:?}"),
        }
    }

    #[track_caller]
    pub fn ok(&self) {
        assert_eq!(*self, Reply::Simple("OK".into()));
    }

    pub fn is_nil(&self) -> bool {
        *self == Reply::Nil
    }

    pub fn is_error(&self) -> bool {
        matches!(self, Reply::Error(_))
    }

    /// The elements of an array, a set or a push.
    #[track_caller]
    pub fn items(&self) -> &[Reply] {
        match self {
            Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => items,
            other => panic!("expected an aggregate, got {other:?}"),
        }
    }

    /// The pairs of a map, or of the flat array that stands for one in RESP2.
    #[track_caller]
    pub fn pairs(&self) -> Vec<(String, Reply)> {
        match self {
            Reply::Map(pairs) => pairs.iter().map(|(k, v)| (k.text(), v.clone())).collect(),
            Reply::Array(items) => {
                assert!(items.len().is_multiple_of(2), "no flat map: {self:?}");
                items
                    .chunks_exact(2)
                    .map(|pair| (pair[0].text(), pair[1].clone()))
                    .collect()
            }
            other => panic!("expected a map, got {other:?}"),
        }
    }

    /// The value of `name` in a map (or in the flat array that stands for one).
    #[track_caller]
    pub fn field(&self, name: &str) -> Option<Reply> {
        let mut pairs = self.pairs().into_iter();
        pairs.find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Nil => write!(f, "nil"),
            Reply::Simple(text) => write!(f, "+{text}"),
            Reply::Error(text) => write!(f, "-{text}"),
            Reply::Int(value) => write!(f, ":{value}"),
            Reply::Bulk(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            Reply::Scalar(kind, text) => write!(f, "{kind}{text}"),
            Reply::Array(items) => f.debug_list().entries(items).finish(),
            Reply::Map(pairs) => f
                .debug_map()
                .entries(pairs.iter().map(|(k, v)| (k, v)))
                .finish(),
            Reply::Set(items) => f.debug_set().entries(items).finish(),
            Reply::Push(items) => {
                write!(f, ">").and_then(|()| f.debug_list().entries(items).finish())
            }
        }
    }
}

/// A command written as one line of words, as in redis-cli without its quotes.
pub fn words(line: &str) -> redis::Cmd {
    let mut command = redis::Cmd::new();
    for word in line.split_whitespace() {
        command.arg(word);
    }
    command
}

/// One raw connection. Reads give up after [`deadline`], so a missing reply fails its test.
pub struct Client {
    stream: BufReader<TcpStream>,
    pushes: VecDeque<Reply>,
}

impl Client {
    pub fn connect(port: u16, protocol: Protocol) -> Client {
        let mut client = Client::open(port).expect("the server accepts connections");
        if protocol == Protocol::RESP3 {
            client.run("HELLO 3").pairs();
        }
        client
    }

    /// A RESP2 connection, or the reason why there is none.
    pub fn open(port: u16) -> std::io::Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(deadline()))?;
        Ok(Client {
            stream: BufReader::new(stream),
            pushes: VecDeque::new(),
        })
    }

    /// Sends the words of `line` and reads the reply.
    #[track_caller]
    pub fn run(&mut self, line: &str) -> Reply {
        self.call(&words(line))
    }

    /// Sends `command` (any bytes) and reads the reply.
    #[track_caller]
    pub fn call(&mut self, command: &redis::Cmd) -> Reply {
        self.send(command);
        self.reply()
    }

    /// Sends all `commands` in one write, then reads their replies.
    #[track_caller]
    pub fn pipeline(&mut self, commands: &[redis::Cmd]) -> Vec<Reply> {
        let packed: Vec<u8> = commands
            .iter()
            .flat_map(redis::Cmd::get_packed_command)
            .collect();
        self.write(&packed);
        commands.iter().map(|_| self.reply()).collect()
    }

    #[track_caller]
    pub fn send(&mut self, command: &redis::Cmd) {
        self.write(&command.get_packed_command());
    }

    #[track_caller]
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream
            .get_mut()
            .write_all(bytes)
            .expect("the server takes the command");
    }

    /// The next reply; pushes that come before it are kept for [`Client::next_push`].
    #[track_caller]
    pub fn reply(&mut self) -> Reply {
        loop {
            match self.frame() {
                push @ Reply::Push(_) => self.pushes.push_back(push),
                reply => return reply,
            }
        }
    }

    /// The next push message (RESP3), waited for if none has come yet.
    #[track_caller]
    pub fn next_push(&mut self) -> Reply {
        if let Some(push) = self.pushes.pop_front() {
            return push;
        }
        match self.frame() {
            push @ Reply::Push(_) => push,
            reply => panic!("expected a push, got {reply:?}"),
        }
    }

    /// The next frame of any kind.
    #[track_caller]
    pub fn frame(&mut self) -> Reply {
        self.try_frame().expect("the server replies")
    }

    pub fn try_frame(&mut self) -> std::io::Result<Reply> {
        read_frame(&mut self.stream)
    }

    /// Whether something has arrived that was not read yet. Does not wait.
    pub fn has_reply(&self) -> bool {
        let stream = self.stream.get_ref();
        stream.set_nonblocking(true).expect("a socket");
        let arrived = matches!(stream.peek(&mut [0]), Ok(bytes) if bytes > 0);
        stream.set_nonblocking(false).expect("a socket");
        arrived || !self.stream.buffer().is_empty()
    }

    pub fn set_read_timeout(&self, timeout: Duration) {
        self.stream
            .get_ref()
            .set_read_timeout(Some(timeout))
            .expect("a timeout above zero");
    }

    /// The bytes behind the frames read so far: what follows is no longer plain RESP.
    pub fn into_stream(self) -> BufReader<TcpStream> {
        self.stream
    }
}

/// Reads one line, without its CRLF.
pub fn read_line(stream: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line)?;
    match line.strip_suffix(b"\r\n") {
        Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
        None => Err(broken(&format!(
            "unfinished line {:?}",
            line.escape_ascii().to_string()
        ))),
    }
}

/// Reads one RESP frame.
pub fn read_frame(stream: &mut impl BufRead) -> std::io::Result<Reply> {
    let line = read_line(stream)?;
    let kind = line.chars().next().ok_or_else(|| broken("empty line"))?;
    let rest = line.get(kind.len_utf8()..).unwrap_or_default().to_owned();
    let number = || rest.parse::<i64>().map_err(|_| broken(&line));
    Ok(match kind {
        '+' => Reply::Simple(rest),
        '-' => Reply::Error(rest),
        ':' => Reply::Int(number()?),
        '_' => Reply::Nil,
        '$' | '=' | '!' => match usize::try_from(number()?) {
            Err(_) => Reply::Nil,
            Ok(length) => Reply::Bulk(read_blob(stream, length)?),
        },
        '*' | '~' | '>' => match usize::try_from(number()?) {
            Err(_) => Reply::Nil,
            Ok(length) => {
                let items = read_frames(stream, length)?;
                match kind {
                    '*' => Reply::Array(items),
                    '~' => Reply::Set(items),
                    _ => Reply::Push(items),
                }
            }
        },
        '%' => {
            let pairs = usize::try_from(number()?).map_err(|_| broken(&line))?;
            let mut items = read_frames(stream, pairs * 2)?.into_iter();
            let next = || Some((items.next()?, items.next()?));
            Reply::Map(std::iter::from_fn(next).collect())
        }
        ',' | '(' | '#' => Reply::Scalar(kind, rest),
        _ => return Err(broken(&format!("unknown frame {line:?}"))),
    })
}

fn read_frames(stream: &mut impl BufRead, count: usize) -> std::io::Result<Vec<Reply>> {
    (0..count).map(|_| read_frame(stream)).collect()
}

fn read_blob(stream: &mut impl BufRead, length: usize) -> std::io::Result<Vec<u8>> {
    let mut blob = vec![0; length + 2];
    stream.read_exact(&mut blob)?;
    blob.truncate(length);
    Ok(blob)
}

fn broken(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned())
}
