//! A real server of a test's own: its directory, its port, its life and its death.
//!
//! A [`Server`] is killed when it goes out of scope. If it has crashed by then, or logged a crash
//! report, the test fails; if the test fails for another reason, the end of the log is shown.

use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use redis::ProtocolVersion as Protocol;

use super::process::{CONFIG, LOG, free_port, kill, read, spawn, wait_until_ready};
use super::{Client, Reply, deadline, eventually, info, module_path};

/// What a server is started with. Kept by the server, so that a restart can change some of it.
#[derive(Clone, Default)]
pub struct Builder {
    without_module: bool,
    module_args: String,
    config: Vec<String>,
    primary: Option<u16>,
}

/// How a server is stopped before a restart.
#[derive(Clone, Copy, Debug)]
pub enum Stop {
    /// `SHUTDOWN SAVE`: an RDB file is written first.
    Save,
    /// `SHUTDOWN NOSAVE`: only what the AOF holds survives.
    NoSave,
    /// SIGKILL. Only with `appendfsync always` does the AOF hold every change then: the default
    /// holds writes back in memory while the disk is busy.
    Kill,
}

impl Builder {
    /// Starts without the module under test.
    pub fn without_module(mut self) -> Builder {
        self.without_module = true;
        self
    }

    /// Starts with the module, after [`Builder::without_module`].
    pub fn with_module(mut self) -> Builder {
        self.without_module = false;
        self
    }

    /// Arguments behind the path in the `loadmodule` line.
    pub fn module_args(mut self, args: &str) -> Builder {
        self.module_args = args.to_owned();
        self
    }

    /// One more line of redis.conf, behind the `loadmodule` line.
    pub fn config(mut self, line: &str) -> Builder {
        self.config.push(line.to_owned());
        self
    }

    pub fn appendonly(self) -> Builder {
        self.config("appendonly yes")
    }

    /// A cluster of this one node, which owns no slot yet.
    pub fn cluster(self) -> Builder {
        self.config("cluster-enabled yes")
    }

    /// Follows `primary` (again after each restart); started once its link is up.
    pub fn replica_of(mut self, primary: &Server) -> Builder {
        self.primary = Some(primary.port);
        self
    }

    #[track_caller]
    pub fn start(self) -> Server {
        self.try_start()
            .unwrap_or_else(|log| panic!("the server does not start:\n{log}"))
    }

    /// The running server, or the log of the one that ended at once.
    pub fn try_start(self) -> Result<Server, String> {
        let dir = tempfile::Builder::new()
            .prefix("appkit-")
            .tempdir()
            .expect("a temporary directory");
        let (child, port) = self.launch(dir.path(), None)?;
        let server = Server {
            options: self,
            child,
            port,
            dir,
            crash_expected: false,
        };
        server.follow_primary();
        Ok(server)
    }

    /// Starts a process in `dir`, on the port `wanted` if that is free, and waits until it serves.
    fn launch(&self, dir: &Path, wanted: Option<u16>) -> Result<(Child, u16), String> {
        let log_path = dir.join(LOG);
        let mut wanted = wanted;
        loop {
            let port = wanted.take().unwrap_or_else(free_port);
            let before = read(&log_path).len();
            self.write_config(dir, port);
            let mut child = spawn(dir);
            if wait_until_ready(&mut child, dir, port) {
                return Ok((child, port));
            }
            let log = read(&log_path).split_off(before);
            // Somebody else took the port between the look and the start.
            if !log.contains("Address already in use") && !log.contains("Failed listening") {
                return Err(log);
            }
        }
    }

    fn write_config(&self, dir: &Path, port: u16) {
        let mut lines = vec![
            format!("port {port}"),
            format!("dir {}", dir.display()),
            // Cluster nodes would otherwise want port + 10000, which may not exist.
            format!("cluster-port {}", free_port()),
            "bind 127.0.0.1".to_owned(),
            "save \"\"".to_owned(),
            "enable-debug-command yes".to_owned(),
            "enable-module-command yes".to_owned(),
            "repl-diskless-sync-delay 0".to_owned(),
            "crash-memcheck-enabled no".to_owned(),
        ];
        if !self.without_module {
            let path = module_path().display();
            lines.push(format!("loadmodule {path} {}", self.module_args));
        }
        lines.extend(self.config.iter().cloned());
        std::fs::write(dir.join(CONFIG), lines.join("\n") + "\n").expect("redis.conf is written");
    }
}

/// Redis and Valkey put their own name before it.
const CRASH_REPORT: &str = " BUG REPORT START";
const SHOWN_LINES: usize = 60;

/// A running server.
pub struct Server {
    options: Builder,
    child: Child,
    port: u16,
    dir: tempfile::TempDir,
    crash_expected: bool,
}

impl Server {
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A server with the module and nothing special.
    #[track_caller]
    pub fn start() -> Server {
        Server::builder().start()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// A raw RESP2 connection.
    pub fn client(&self) -> Client {
        Client::connect(self.port, Protocol::RESP2)
    }

    /// A raw connection.
    pub fn client_in(&self, protocol: Protocol) -> Client {
        Client::connect(self.port, protocol)
    }

    /// A connection as an application has it, through the `redis` crate.
    pub fn redis(&self, protocol: Protocol) -> redis::Connection {
        let number = if protocol == Protocol::RESP3 { 3 } else { 2 };
        redis::Client::open(format!(
            "redis://127.0.0.1:{}/?protocol={number}",
            self.port
        ))
        .and_then(|client| client.get_connection())
        .expect("the server accepts connections")
    }

    /// Everything the server has logged, over all its restarts.
    pub fn log(&self) -> String {
        read(&self.dir.path().join(LOG))
    }

    /// Stops the server and starts it again in the same directory, on the same port.
    #[track_caller]
    pub fn restart(&mut self, stop: Stop) {
        self.restart_with(stop, |options| options);
    }

    /// The same, with changed options: `server.restart_with(Stop::Save, Builder::without_module)`.
    #[track_caller]
    pub fn restart_with(&mut self, stop: Stop, change: impl FnOnce(Builder) -> Builder) {
        self.assert_healthy();
        self.stop(stop);
        self.options = change(self.options.clone());
        (self.child, self.port) = self
            .options
            .launch(self.dir.path(), Some(self.port))
            .unwrap_or_else(|log| panic!("the server does not start again:\n{log}"));
        self.follow_primary();
    }

    /// Lets the server crash, and hands over the log with its crash report.
    #[track_caller]
    pub fn crash(mut self) -> String {
        self.crash_expected = true;
        self.client().send(&super::words("DEBUG SEGFAULT"));
        eventually("the server is gone", || self.has_ended().is_some());
        self.log()
    }

    /// Ends the server for good, with SIGKILL.
    #[track_caller]
    pub fn kill(mut self) {
        self.assert_healthy();
        self.crash_expected = true;
        kill(&mut self.child);
    }

    /// Waits for the end of a server that was asked to shut down, and says how it ended.
    #[track_caller]
    pub fn wait_for_end(mut self) -> ExitStatus {
        eventually("the server ends", || self.has_ended().is_some());
        assert!(!self.log().contains(CRASH_REPORT), "{}", self.end_of_log());
        self.crash_expected = true;
        self.has_ended().expect("it has ended")
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn stop(&mut self, stop: Stop) {
        let command = match stop {
            Stop::Save => "SHUTDOWN SAVE",
            Stop::NoSave => "SHUTDOWN NOSAVE",
            Stop::Kill => return kill(&mut self.child),
        };
        let mut client = self.client();
        client.send(&super::words(command));
        if let Ok(reply) = client.try_frame() {
            panic!("{command} is answered by {reply:?}");
        }
        eventually("the server ends after SHUTDOWN", || {
            self.has_ended().is_some()
        });
    }

    fn follow_primary(&self) {
        let Some(primary) = self.options.primary else {
            return;
        };
        let mut client = self.client();
        client.run(&format!("REPLICAOF 127.0.0.1 {primary}")).ok();
        eventually("the replica's link is up", || {
            info(&mut client, "replication")["master_link_status"] == "up"
        });
    }

    /// Waits until this replica has applied everything that `primary` has sent out so far.
    #[track_caller]
    pub fn catch_up_with(&self, primary: &Server) {
        let (mut theirs, mut ours) = (primary.client(), self.client());
        eventually("the replica has caught up", || {
            let primary = info(&mut theirs, "replication");
            let replica = info(&mut ours, "replication");
            primary["master_repl_offset"] == replica["master_repl_offset"]
        });
    }

    /// Fails if the server has ended or has written a crash report.
    #[track_caller]
    pub fn assert_healthy(&mut self) {
        if let Some(complaint) = self.complaint() {
            panic!("{complaint}\n{}", self.end_of_log());
        }
    }

    /// Asks the server to end, and waits for that as long as anything may take.
    fn shut_down(&mut self) {
        let Ok(mut client) = Client::open(self.port) else {
            return;
        };
        client.write(&super::words("SHUTDOWN NOSAVE NOW FORCE").get_packed_command());
        if client.try_frame().is_ok() {
            return; // A refusal: only the end of the connection is a yes.
        }
        let started = Instant::now();
        while started.elapsed() < deadline() && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the child can be asked")
    }

    fn complaint(&mut self) -> Option<String> {
        if self.crash_expected {
            return None;
        }
        if self.log().contains(CRASH_REPORT) {
            return Some("the server wrote a crash report".to_owned());
        }
        let status = self.has_ended()?;
        Some(format!("the server has ended: {status}"))
    }

    /// The last lines of the log, or the first ones of a crash report (its stack trace).
    fn end_of_log(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let crash = lines.iter().position(|line| line.contains(CRASH_REPORT));
        let first = crash.unwrap_or(lines.len().saturating_sub(SHOWN_LINES));
        let shown: Vec<&str> = lines.into_iter().skip(first).take(SHOWN_LINES).collect();
        format!("--- log of port {} ---\n{}", self.port, shown.join("\n"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let complaint = self.complaint();
        if complaint.is_none() && std::env::var_os("APPKIT_SHUTDOWN").is_some() {
            self.shut_down();
        }
        kill(&mut self.child);
        if std::thread::panicking() {
            eprintln!("{}\n{}", complaint.unwrap_or_default(), self.end_of_log());
        } else if let Some(complaint) = complaint {
            panic!("{complaint}\n{}", self.end_of_log());
        }
    }
}
