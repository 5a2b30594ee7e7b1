//! The module under test, built once a process.
//!
//! `cargo test` compiles the library for its own harness only and leaves no loadable `.so` behind,
//! so the tests ask for one. The outer cargo holds no lock any more while tests run.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Path of the loadable module: `APPKIT_MODULE`, or a dev build of this source tree.
pub fn module_path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| match std::env::var_os("APPKIT_MODULE") {
        Some(path) => std::fs::canonicalize(&path)
            .unwrap_or_else(|error| panic!("APPKIT_MODULE {}: {error}", path.display())),
        None => build(),
    })
}

/// Runs `cargo build` and reads from its messages where it put the library: that follows whatever
/// target directory is configured.
fn build() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--lib", "--message-format=json", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "the module does not build:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let file_name = format!("{DLL_PREFIX}redis_appkit{DLL_SUFFIX}");
    library_in(&String::from_utf8_lossy(&output.stdout), &file_name)
        .unwrap_or_else(|| panic!("cargo build does not name {file_name}"))
}

/// The last JSON string among cargo's messages that is a path to `file_name`.
fn library_in(messages: &str, file_name: &str) -> Option<PathBuf> {
    let mut strings = messages.split('"').map(Path::new);
    strings
        .rfind(|path| path.is_absolute() && path.file_name().is_some_and(|name| name == file_name))
        .map(Path::to_path_buf)
}
