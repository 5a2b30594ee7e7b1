//! The pages that name tests name tests that exist and run.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use std::path::Path;

/// Everything between backquotes that looks like `tests/file.rs::name` or `src/file.rs::name`.
fn named_tests(page: &str) -> Vec<(String, String)> {
    let quoted = page.split('`').skip(1).step_by(2);
    let named = quoted.filter_map(|text| text.split_once(".rs::"));
    let named = named.filter(|(file, _)| file.starts_with("tests/") || file.starts_with("src/"));
    named
        .map(|(file, test)| (format!("{file}.rs"), test.to_owned()))
        .collect()
}

/// The lines above `fn name(` that are attributes of it; `None` if there is no such function.
fn attributes(source: &str, name: &str) -> Option<String> {
    let start = source.find(&format!("fn {name}("))?;
    let above = source[..start].trim_end().lines().rev();
    let attributes = above.take_while(|line| {
        let line = line.trim();
        line.starts_with("#[") || line.starts_with("//")
    });
    Some(
        attributes
            .map(|line| line.trim().to_owned() + "\n")
            .collect(),
    )
}

fn complaint(root: &Path, file: &str, test: &str) -> Option<String> {
    let Ok(source) = std::fs::read_to_string(root.join(file)) else {
        return Some(format!("there is no file {file}"));
    };
    let Some(attributes) = attributes(&source, test) else {
        return Some(format!("{file} has no function {test}"));
    };
    // Property tests stand inside a macro that takes the attribute away.
    let is_test = attributes.contains("#[test]") || source.contains("proptest! {");
    if !is_test || attributes.contains("#[ignore") {
        return Some(format!("{file}::{test} is not run"));
    }
    None
}

#[test]
fn every_test_that_a_page_names_is_there_and_is_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (page, least) in [("docs/guarantees.md", 60), ("docs/security.md", 10)] {
        let text = std::fs::read_to_string(root.join(page)).expect(page);
        let tests = named_tests(&text);
        assert!(tests.len() >= least, "{page} names {} tests", tests.len());
        let complaints = tests
            .iter()
            .filter_map(|(file, test)| complaint(root, file, test));
        let complaints: Vec<String> = complaints.collect();
        assert!(complaints.is_empty(), "{page}: {complaints:#?}");
    }
}
