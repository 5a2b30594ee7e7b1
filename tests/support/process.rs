//! The process of a server: started in a directory, ready, killed.

use std::fs::{File, OpenOptions};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Client, Reply, deadline};

pub(super) const LOG: &str = "server.log";
pub(super) const CONFIG: &str = "redis.conf";

pub(super) fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("a bound port").port()
}

pub(super) fn spawn(dir: &Path) -> Child {
    let log: File = OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.join(LOG))
        .expect("the log opens");
    let program = std::env::var_os("APPKIT_SERVER").unwrap_or_else(|| "redis-server".into());
    Command::new(&program)
        .arg(dir.join(CONFIG))
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle of the log"))
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()))
}

/// True once the process answers PING from `dir`; false if it ends before that.
pub(super) fn wait_until_ready(child: &mut Child, dir: &Path, port: u16) -> bool {
    let started = Instant::now();
    loop {
        if child.try_wait().expect("the child can be asked").is_some() {
            return false;
        }
        if serves(dir, port) {
            return true;
        }
        if started.elapsed() > deadline() {
            kill(child);
            panic!("no PONG within {:?}:\n{}", deadline(), read(&dir.join(LOG)));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether the server on `port` is ready and is the one of `dir`: with a port lost to another
/// test's server, the PONG would be a stranger's.
fn serves(dir: &Path, port: u16) -> bool {
    let Ok(mut client) = Client::open(port) else {
        return false;
    };
    let mut ask = |line: &str| {
        client.write(&super::words(line).get_packed_command());
        client.try_frame().unwrap_or(Reply::Nil)
    };
    if ask("PING") != Reply::Simple("PONG".into()) {
        return false;
    }
    let Some(Reply::Bulk(its_dir)) = ask("CONFIG GET dir").items().get(1).cloned() else {
        return false;
    };
    let its_dir = PathBuf::from(String::from_utf8_lossy(&its_dir).into_owned());
    std::fs::canonicalize(dir).is_ok_and(|dir| dir == its_dir)
}

pub(super) fn kill(child: &mut Child) {
    // Fails only where the process has ended already.
    let _ = child.kill();
    let _ = child.wait();
}
