//! RESP2, as far as a load driver needs it: where a reply ends, and a connection for one command at
//! a time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Where the reply that begins at `at` ends, `None` while it is not there whole.
pub fn frame_end(bytes: &[u8], at: usize) -> Option<usize> {
    let line = bytes.get(at..)?;
    let end = at + line.iter().position(|&byte| byte == b'\n')? + 1;
    match line[0] {
        b'$' => match length(&bytes[at + 1..end]) {
            None => Some(end),
            Some(length) => Some(end + length + 2).filter(|&end| end <= bytes.len()),
        },
        b'*' => {
            let mut end = end;
            for _ in 0..length(&bytes[at + 1..end]).unwrap_or(0) {
                end = frame_end(bytes, end)?;
            }
            Some(end)
        }
        _ => Some(end),
    }
}

/// The length in the head of a bulk string or an array, `None` for nil (-1).
fn length(head: &[u8]) -> Option<usize> {
    if head.first() == Some(&b'-') {
        return None;
    }
    let digits = head.iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}

/// The element at `index` of an array reply, as a bulk string's bytes.
pub fn element(frame: &[u8], index: usize) -> Option<&[u8]> {
    let mut at = frame.iter().position(|&byte| byte == b'\n')? + 1;
    for _ in 0..index {
        at = frame_end(frame, at)?;
    }
    Some(payload(&frame[at..frame_end(frame, at)?]))
}

/// What a simple string, an error, an integer or a bulk string says.
pub fn payload(frame: &[u8]) -> &[u8] {
    let start = match frame.first() {
        Some(b'$') => frame.iter().position(|&byte| byte == b'\n').unwrap_or(0) + 1,
        _ => 1,
    };
    frame.get(start..frame.len() - 2).unwrap_or_default()
}

/// Appends a command as an array of bulk strings.
pub fn encode(command: &mut Vec<u8>, words: &[&[u8]]) {
    command.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        command.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        command.extend_from_slice(word);
        command.extend_from_slice(b"\r\n");
    }
}

/// A connection that waits for each reply.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub fn connect(port: u16) -> std::io::Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        // Far above any command here: a server that hangs ends the run instead of hanging it.
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Client {
            stream,
            buffer: Vec::new(),
        })
    }

    pub fn send(&mut self, words: &[&[u8]]) {
        let mut command = Vec::new();
        encode(&mut command, words);
        self.stream.write_all(&command).expect("a command is sent");
    }

    /// The next reply, as its bytes.
    pub fn receive(&mut self) -> std::io::Result<Vec<u8>> {
        let mut chunk = [0; 16384];
        loop {
            if let Some(end) = frame_end(&self.buffer, 0) {
                return Ok(self.buffer.drain(..end).collect());
            }
            match self.stream.read(&mut chunk)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                read => self.buffer.extend_from_slice(&chunk[..read]),
            }
        }
    }

    /// Sends words and returns the reply's bytes.
    pub fn call(&mut self, words: &[&[u8]]) -> Vec<u8> {
        self.send(words);
        self.receive().expect("a reply")
    }

    /// Sends a line of words without spaces in them; returns what the reply says.
    ///
    /// # Panics
    /// On an error reply.
    pub fn ask(&mut self, line: &str) -> String {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let reply = self.call(&words);
        let text = String::from_utf8_lossy(payload(&reply)).into_owned();
        assert!(reply.first() != Some(&b'-'), "{line}: {text}");
        text
    }

    /// The number in a line `field:number` of INFO.
    pub fn info(&mut self, section: &str, field: &str) -> Option<f64> {
        let info = self.ask(&format!("INFO {section}"));
        let mut lines = info.lines();
        lines.find_map(|line| {
            line.strip_prefix(field)?
                .strip_prefix(':')?
                .trim()
                .parse()
                .ok()
        })
    }
}
