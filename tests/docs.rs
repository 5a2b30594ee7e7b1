//! The documentation says what the server does: syntax lines equal `COMMAND DOCS`, and every
//! transcript is run through redis-cli.
//!
//! | file | subject |
//! |---|---|
//! | `docs/fences.rs` | code blocks are run, or say why not |
//! | `docs/links.rs` | links lead somewhere, and the book has every page |
//! | `docs/operations.rs` | settings, counters, the exporter's script and the dashboard |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![allow(clippy::arithmetic_side_effects)]

#[path = "docs/fences.rs"]
mod fences;
#[path = "docs/links.rs"]
mod links;
#[path = "docs/operations.rs"]
mod operations;
mod support;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::{Argument, Reply, Server, command_docs, server_has};

/// With every command, those included that are off by default.
fn server_with_everything() -> Server {
    Server::builder()
        .module_args("appkit.cl-throttle yes")
        .start()
}

#[test]
fn syntax_lines_are_those_of_command_docs() {
    let server = server_with_everything();
    let mut client = server.client();
    let mut documented = BTreeSet::new();
    for page in pages("docs/commands") {
        let text = std::fs::read_to_string(&page).unwrap();
        let syntax = blocks(&text, "syntax");
        assert_eq!(syntax.len(), 1, "{} has one syntax line", page.display());
        let line = syntax[0].trim();
        let name = line.split(' ').next().unwrap().to_lowercase();
        assert!(
            server_has(&mut client, &name),
            "{name} of {} exists",
            page.display()
        );
        let docs = command_docs(&mut client, &name);
        let rendered = format!("{}{}", name.to_uppercase(), render_all(&docs.arguments));
        assert_eq!(line, rendered, "{}", page.display());
        assert!(
            text.contains(&docs.complexity),
            "{} gives the complexity",
            page.display()
        );
        documented.insert(name);
    }
    let commands = client.run("COMMAND LIST FILTERBY MODULE appkit");
    let commands: BTreeSet<String> = commands.items().iter().map(Reply::text).collect();
    assert_eq!(
        commands, documented,
        "every command has a page and every page a command"
    );
}

#[test]
fn pages_of_commands_that_are_off_by_default_say_how_to_get_them() {
    let server = Server::start();
    let mut client = server.client();
    let mut off = 0;
    for page in pages("docs/commands") {
        let text = std::fs::read_to_string(&page).unwrap();
        let name = page.file_stem().unwrap().to_str().unwrap();
        let there = server_has(&mut client, name);
        assert_eq!(there, !text.contains("appkit.cl-throttle yes"), "{name}");
        off += usize::from(!there);
    }
    assert_eq!(off, 1, "CL.THROTTLE");
}

#[test]
fn transcripts_are_what_redis_cli_shows() {
    let mut run = 0;
    for page in all_pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for transcript in blocks(&text, "redis") {
            check_transcript(&page, &transcript);
            run += 1;
        }
    }
    assert!(run > 0, "there are transcripts");
}

/// A transcript: commands behind `> `, each followed by what redis-cli prints.
fn check_transcript(page: &Path, transcript: &str) {
    let mut steps: Vec<(String, Vec<String>)> = Vec::new();
    for line in transcript.lines() {
        match (line.strip_prefix("> "), steps.last_mut()) {
            (Some(command), _) => steps.push((command.to_string(), Vec::new())),
            (None, Some((_, expected))) => expected.push(line.to_string()),
            (None, None) => panic!("{}: a transcript starts with a command", page.display()),
        }
    }
    let server = server_with_everything();
    let commands: Vec<&str> = steps.iter().map(|(command, _)| command.as_str()).collect();
    let replies = redis_cli(&server, &commands);
    for ((command, expected), got) in steps.iter().zip(replies) {
        let same =
            expected.len() == got.len() && expected.iter().zip(&got).all(|(a, b)| like(a, b));
        assert!(
            same,
            "{}: `{command}`\nthe page says\n{}\nredis-cli shows\n{}",
            page.display(),
            expected.join("\n"),
            got.join("\n"),
        );
    }
}

/// The lines that redis-cli prints for each command, as in a terminal.
fn redis_cli(server: &Server, commands: &[&str]) -> Vec<Vec<String>> {
    const MARK: &str = "end-of-reply";
    let mut child = Command::new("redis-cli")
        .args(["-p", &server.port().to_string(), "--no-raw"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-cli is installed");
    let script: String = commands
        .iter()
        .map(|c| format!("{c}\nECHO {MARK}\n"))
        .collect();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let mark = format!("\"{MARK}\"");
    let mut replies: Vec<Vec<String>> = vec![Vec::new()];
    for line in output.lines() {
        if line == mark {
            replies.push(Vec::new());
        } else if !line.is_empty() {
            replies.last_mut().unwrap().push(line.to_string());
        }
    }
    replies.pop();
    replies
}

/// Equal, but for what differs from run to run: long spans (by 5 %), Unix times, fences, and quoted
/// ids that a page writes with `...`.
fn like(expected: &str, got: &str) -> bool {
    if expected == got {
        return true;
    }
    if let Some((before, after)) = expected.split_once("...") {
        return got.len() >= before.len() + after.len()
            && got.starts_with(before)
            && got.ends_with(after);
    }
    const INTEGER: &str = "(integer) ";
    let parts = |line: &str| {
        let (label, number) = line.split_once(INTEGER)?;
        Some((label.to_string(), number.parse::<f64>().ok()?))
    };
    match (parts(expected), parts(got)) {
        (Some((a, m)), Some((b, n))) => a == b && m >= 100.0 && (m - n).abs() <= m * 0.05,
        _ => false,
    }
}

/// ` key limit <EX seconds | PX milliseconds> [BURST burst]`, the way redis-cli shows hints.
fn render_all(arguments: &[Argument]) -> String {
    arguments
        .iter()
        .map(|argument| format!(" {}", render(argument)))
        .collect()
}

fn render(argument: &Argument) -> String {
    let parts: Vec<String> = argument.arguments.iter().map(render).collect();
    let optional = argument.flags.contains("optional");
    let value = match argument.kind.as_str() {
        "pure-token" => String::new(),
        "oneof" if optional && argument.token.is_empty() => parts.join(" | "),
        "oneof" => format!("<{}>", parts.join(" | ")),
        "block" => parts.join(" "),
        _ => argument.name.clone(),
    };
    let mut text = format!("{} {value}", argument.token).trim().to_string();
    if argument.flags.contains("multiple") {
        text = format!("{text} [{text} ...]");
    }
    if optional {
        text = format!("[{text}]");
    }
    text
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The book and the README.
fn all_pages() -> Vec<PathBuf> {
    let mut all = pages("docs");
    all.push(root().join("README.md"));
    all
}

/// The Markdown pages below `folder`, in order.
fn pages(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The contents of the fenced code blocks of one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = text.split(&fence).skip(1);
    parts
        .map(|part| part.split("\n```").next().unwrap().to_string())
        .collect()
}
