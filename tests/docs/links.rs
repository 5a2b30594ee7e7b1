//! Links: each leads to a page or a heading that is there, and the book has every page.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::{all_pages, pages, root};

/// The targets of `[text](target)` outside of code.
fn links(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            let mut rest = line;
            while let Some(end) = rest.find("](") {
                let start = rest[..end].rfind('[').unwrap_or(0);
                let name = rest[start..end].trim_start_matches('[').to_owned();
                let (target, after) = rest[end + 2..].split_once(')').unwrap();
                found.push((name, target.to_owned()));
                rest = after;
            }
        }
    }
    found
}

/// The anchors of a page's headings, as GitHub and mdBook make them.
fn anchors(page: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

fn is_elsewhere(target: &str) -> bool {
    target.starts_with("https://") || target.starts_with("http://")
}

#[test]
fn every_link_leads_somewhere() {
    let book = std::fs::canonicalize(root().join("docs")).unwrap();
    let mut followed = 0;
    for page in all_pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for (_, target) in links(&text) {
            if is_elsewhere(&target) {
                continue;
            }
            let place = format!("{}: {target}", page.display());
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let file = if path.is_empty() {
                page.clone()
            } else {
                page.parent().unwrap().join(path)
            };
            let file =
                std::fs::canonicalize(file).unwrap_or_else(|error| panic!("{place}: {error}"));
            if page.starts_with(root().join("docs")) {
                assert!(file.starts_with(&book), "{place} is not in the book");
            }
            assert!(
                anchor.is_empty() || anchors(&file).contains(anchor),
                "{place}: no such heading"
            );
            followed += 1;
        }
    }
    assert!(followed > 100, "{followed} links");
}

#[test]
fn the_book_has_every_page_once_under_its_own_title() {
    let summary = root().join("docs/SUMMARY.md");
    let listed = links(&std::fs::read_to_string(&summary).unwrap());
    let mut seen = BTreeSet::<PathBuf>::new();
    for (title, target) in listed {
        let page = root().join("docs").join(&target);
        let text =
            std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{target}: {error}"));
        assert_eq!(
            text.lines().next(),
            Some(format!("# {title}").as_str()),
            "{target}"
        );
        assert!(seen.insert(page), "{target} is listed twice");
    }
    let expected = pages("docs").into_iter().filter(|page| *page != summary);
    assert_eq!(seen, expected.collect(), "SUMMARY.md lists every page");
}

#[test]
fn compose_names_what_is_there() {
    let compose = std::fs::read_to_string(root().join("compose.yaml")).unwrap();
    let mounts = compose
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- ./"));
    for mount in mounts {
        let path = mount.split(':').next().unwrap();
        assert!(root().join(path).exists(), "{path}");
    }
    let images = compose
        .lines()
        .filter(|line| line.trim().starts_with("image:"));
    for image in images {
        assert!(!image.contains("alpine"), "{image}");
    }
}
