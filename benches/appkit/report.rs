//! The page: tables in Markdown, shown on the terminal and put between the markers of
//! `docs/benchmarks.md`. What stands outside the markers is written by hand and stays.

use std::path::{Path, PathBuf};

/// A table.
pub struct Rows {
    head: Vec<String>,
    body: Vec<Vec<String>>,
}

impl Rows {
    pub fn new(head: &[&str]) -> Rows {
        Rows {
            head: head.iter().map(|&cell| cell.to_owned()).collect(),
            body: Vec::new(),
        }
    }

    pub fn push(&mut self, row: impl IntoIterator<Item = String>) {
        self.body.push(row.into_iter().collect());
    }

    /// Markdown, in columns that line up on a terminal too. All but the first are flush right.
    pub fn markdown(&self) -> String {
        let rows = || std::iter::once(&self.head).chain(&self.body);
        let width = |column: usize| {
            let cells = rows().filter_map(|row| row.get(column));
            cells
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
                .max(3)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).enumerate();
            let padded = cells.map(|(column, (cell, &width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            format!("| {} |\n", padded.collect::<Vec<_>>().join(" | "))
        };
        let rule = widths
            .iter()
            .enumerate()
            .map(|(column, &width)| match column {
                0 => "-".repeat(width),
                _ => format!("{}:", "-".repeat(width - 1)),
            });
        let rule = format!("| {} |\n", rule.collect::<Vec<_>>().join(" | "));
        let body: String = self.body.iter().map(line).collect();
        line(&self.head) + &rule + &body
    }
}

/// A paragraph for each item, as a list.
pub fn bullets(items: &[String]) -> String {
    items.iter().map(|item| format!("- {item}\n")).collect()
}

/// Where results go: the terminal, and a page if there is one.
pub struct Report {
    page: Option<PathBuf>,
}

/// The folder of the page that belongs to the project.
pub fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

impl Report {
    /// Prints, and writes `benchmarks.md` in a folder if there is one. In a folder without such a
    /// page a copy of the project's own is begun.
    pub fn new(folder: Option<&Path>) -> Report {
        let page = folder.map(|folder| folder.join("benchmarks.md"));
        if let Some(page) = page.as_ref().filter(|page| !page.exists()) {
            std::fs::create_dir_all(folder.unwrap_or(Path::new("."))).expect("a folder");
            std::fs::copy(docs().join("benchmarks.md"), page).expect("a copy of the page");
        }
        Report { page }
    }

    /// Puts a result under its name.
    ///
    /// # Panics
    /// If the page has no such markers.
    pub fn put(&self, name: &str, text: &str) {
        println!("\n## {name}\n\n{text}");
        let Some(page) = &self.page else {
            return;
        };
        let old = std::fs::read_to_string(page).expect("the page is read");
        let (begin, end) = (
            format!("<!-- begin {name} -->\n"),
            format!("<!-- end {name} -->"),
        );
        let parts = (old.split_once(&begin))
            .and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
        let (before, after) = parts.unwrap_or_else(|| panic!("no markers for {name}"));
        let new = format!("{before}{begin}\n{}\n\n{end}{after}", text.trim_end());
        std::fs::write(page, new).expect("the page is written");
    }

    /// Writes an image, and returns the Markdown that shows it (nothing without a page).
    pub fn image(&self, name: &str, alt: &str, svg: &str) -> String {
        let Some(page) = &self.page else {
            return String::new();
        };
        let folder = page.with_file_name("images");
        std::fs::create_dir_all(&folder).expect("the folder images is made");
        std::fs::write(folder.join(format!("{name}.svg")), svg).expect("an image is written");
        format!("![{alt}](images/{name}.svg)\n\n")
    }
}
