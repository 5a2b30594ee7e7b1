//! Servers of the benchmark's own, on free ports, in directories of their own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::lua;
use crate::resp::Client;

/// How a server is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// Without any module.
    Plain,
    /// With the module (and redis-cell, where it is there).
    Module,
    /// With the module, after a first lease: it listens to keyspace events from then on.
    Lease,
}

/// An executable to measure.
#[derive(Clone, Debug)]
pub struct Program {
    pub path: PathBuf,
    /// Its name and version, as shown.
    pub name: String,
}

impl Program {
    /// Starts the server once to ask for its version; `None` if it cannot be started.
    pub fn probe(path: &Path) -> Option<Program> {
        let output = Command::new(path).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.split_once("v=")?.1.split(' ').next()?.to_owned();
        let brand = if text.starts_with("Valkey") {
            "Valkey"
        } else {
            "Redis"
        };
        Some(Program {
            path: path.to_owned(),
            name: format!("{brand} {version}"),
        })
    }

    /// The server's own redis-benchmark: beside it, or the one in PATH.
    pub fn own_benchmark(&self) -> PathBuf {
        let beside = |name: &str| self.path.parent().map(|folder| folder.join(name));
        let candidates = ["benchmark", "redis-benchmark", "valkey-benchmark"];
        (candidates.into_iter().filter_map(beside))
            .find(|path| path.is_file())
            .unwrap_or_else(|| "redis-benchmark".into())
    }
}

/// What to start, and how.
#[derive(Clone)]
pub struct Setup<'a> {
    pub program: &'a Program,
    pub variant: Variant,
    /// Whether there is an AOF, flushed every second.
    pub aof: bool,
    /// Words that the server's command line is put behind, such as valgrind's.
    pub wrapper: Vec<String>,
}

impl<'a> Setup<'a> {
    pub fn new(program: &'a Program, variant: Variant) -> Setup<'a> {
        Setup {
            program,
            variant,
            aof: false,
            wrapper: Vec::new(),
        }
    }

    pub fn start(&self) -> Server {
        let directory = tempfile::Builder::new()
            .prefix("appkit-bench-")
            .tempdir()
            .expect("a temporary directory");
        let port = free_port();
        let child = self.spawn(directory.path(), port);
        let server = Server {
            child,
            port,
            directory,
        };
        server.wait_until_ready();
        server.prepare(self.variant);
        server
    }

    fn spawn(&self, directory: &Path, port: u16) -> Child {
        let config = directory.join("redis.conf");
        std::fs::write(&config, self.config(directory, port)).expect("redis.conf is written");
        let mut words = self.wrapper.clone();
        words.push(self.program.path.display().to_string());
        words.push(config.display().to_string());
        let log = std::fs::File::create(directory.join("server.log")).expect("a log");
        Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::null())
            .stderr(log.try_clone().expect("a second handle of the log"))
            .stdout(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", words[0]))
    }

    fn config(&self, directory: &Path, port: u16) -> String {
        let mut config = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsave \"\"\nproto-max-bulk-len 64mb\n",
            directory.display()
        );
        if self.aof {
            // A rewrite in the middle of a measurement would be measured.
            config += "appendonly yes\nappendfsync everysec\nauto-aof-rewrite-percentage 0\n";
        }
        if self.variant != Variant::Plain {
            config += &format!("loadmodule {}\n", module_path().display());
            if let Some(cell) = redis_cell() {
                config += &format!("loadmodule {}\n", cell.display());
            }
        }
        config
    }
}

/// The module built in release mode, which lies two folders above this executable, or
/// `APPKIT_MODULE`.
pub fn module_path() -> PathBuf {
    if let Some(path) = std::env::var_os("APPKIT_MODULE") {
        return std::fs::canonicalize(&path).expect("APPKIT_MODULE names a file");
    }
    let executable = std::env::current_exe().expect("this executable has a path");
    let folder = executable.ancestors().nth(2).expect("target/release");
    let path = folder.join("libredis_appkit.so");
    let what = "the module is not built: cargo build --release (cargo make bench does it)";
    assert!(path.is_file(), "{what}");
    path
}

/// The library of redis-cell that `REDIS_CELL_SO` names.
pub fn redis_cell() -> Option<PathBuf> {
    let path = std::env::var_os("REDIS_CELL_SO").filter(|path| !path.is_empty())?;
    Some(std::fs::canonicalize(&path).expect("REDIS_CELL_SO names a file"))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("a bound port").port()
}

/// A running server, killed when it goes out of scope.
pub struct Server {
    child: Child,
    pub port: u16,
    directory: tempfile::TempDir,
}

impl Server {
    pub fn client(&self) -> Client {
        Client::connect(self.port).expect("the server accepts connections")
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Seconds of processor time that the thread which runs commands has taken.
    pub fn cpu_seconds(&self, client: &mut Client) -> f64 {
        let mut seconds = |field| client.info("cpu", field).expect("INFO cpu");
        seconds("used_cpu_user_main_thread") + seconds("used_cpu_sys_main_thread")
    }

    /// Whether the server has a command.
    pub fn knows(&self, command: &str) -> bool {
        let reply = self
            .client()
            .call(&[b"COMMAND", b"INFO", command.as_bytes()]);
        reply.starts_with(b"*1\r\n*") && !reply.starts_with(b"*1\r\n*-1")
    }

    fn wait_until_ready(&self) {
        let started = Instant::now();
        let ready = || Some(Client::connect(self.port).ok()?.call(&[b"PING"]) == b"+PONG\r\n");
        while ready() != Some(true) {
            let log = std::fs::read_to_string(self.directory().join("server.log"));
            let log = log.unwrap_or_default();
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "no PONG:\n{log}"
            );
            assert!(!log.contains("aborting") && !log.contains("Fatal"), "{log}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn prepare(&self, variant: Variant) {
        let mut client = self.client();
        lua::load(&mut client);
        if variant == Variant::Lease && self.knows("APP.CACHE.GETORLOAD") {
            client.call(&[b"APP.CACHE.GETORLOAD", b"first", b"LEASE", b"1"]);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only where the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
