//! Code blocks: those in `redis` are run elsewhere, `lua` is compiled by a server, `text` is no code, and
//! every other language stands below a comment that says why the block is not run.

use crate::support::Server;
use crate::{all_pages, root};

/// A fenced block.
struct Fence {
    language: String,
    body: String,
    /// Whether the line above says why it is not run.
    excused: bool,
    line: usize,
}

fn fences(text: &str) -> Vec<Fence> {
    let mut found: Vec<Fence> = Vec::new();
    let (mut inside, mut above) = (false, "");
    for (index, line) in text.lines().enumerate() {
        match line.trim_start().strip_prefix("```") {
            Some(_) if inside => inside = false,
            Some(language) => {
                inside = true;
                found.push(Fence {
                    language: language.to_owned(),
                    body: String::new(),
                    excused: above.starts_with("<!-- not run: ") && above.ends_with(" -->"),
                    line: index + 1,
                });
            }
            None if inside => {
                let body = &mut found.last_mut().unwrap().body;
                body.push_str(line);
                body.push('\n');
            }
            None => {}
        }
        above = line;
    }
    assert!(!inside, "a block has no end");
    found
}

#[test]
fn every_block_is_run_or_says_why_not() {
    let server = Server::start();
    let mut redis = server.client();
    for page in all_pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for fence in fences(&text) {
            let place = format!("{}:{}", page.display(), fence.line);
            match fence.language.as_str() {
                "redis" | "text" => {}
                "syntax" => assert!(page.starts_with(root().join("docs/commands")), "{place}"),
                "lua" => {
                    let compiled = redis.call(redis::cmd("SCRIPT").arg("LOAD").arg(fence.body));
                    assert!(!compiled.is_error(), "{place}: {compiled:?}");
                }
                other => assert!(
                    fence.excused,
                    "{place}: {other:?} is not run and says nothing"
                ),
            }
        }
    }
}
