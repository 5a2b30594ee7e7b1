//! The figures of throughput as tables and as a chart.

use std::fmt::Write;

use crate::cases::Case;
use crate::report::{Report, Rows, bullets};
use crate::statistics::median;
use crate::svg::{self, Bar};
use crate::throughput::{Figure, Setting, Table};

/// One table: calls a second, in brackets the ratio to the first case.
pub fn markdown(table: &Table) -> String {
    let reference = table.group.cases[0].name;
    let titles: Vec<String> = table
        .settings
        .iter()
        .map(|setting| setting.title())
        .collect();
    let (first, last) = ("thousand calls/s", ["server busy", "µs of server CPU"]);
    let head: Vec<&str> = std::iter::once(first)
        .chain(titles.iter().map(String::as_str))
        .chain(last)
        .collect();
    let mut rows = Rows::new(&head);
    for case in table.group.cases {
        let figures = || {
            table
                .settings
                .iter()
                .map(|&setting| table.figure(case.name, setting))
        };
        let Some(leading) = figures().flatten().next() else {
            continue;
        };
        let cells = (table.settings.iter().zip(figures()))
            .map(|(&setting, figure)| cell(table, case.name, reference, setting, figure));
        let busy = format!("{:.0} %", median(&leading.busy) * 100.0);
        let cpu = format!("{:.2}", leading.cpu_us());
        let name = std::iter::once(case.name.to_owned());
        rows.push(name.chain(cells).chain([busy, cpu]));
    }
    let aof = if table.aof {
        "AOF every second"
    } else {
        "no AOF"
    };
    let mut text = format!(
        "### {}: {}, {aof}\n\n{}",
        table.group.title,
        table.program,
        rows.markdown()
    );
    if !table.left_out.is_empty() {
        let _ = write!(text, "\nLeft out:\n\n{}", bullets(&table.left_out));
    }
    text
}

fn cell(
    table: &Table,
    case: &str,
    reference: &str,
    setting: Setting,
    figure: Option<&Figure>,
) -> String {
    let Some(figure) = figure else {
        return "–".to_owned();
    };
    let rate = median(&figure.calls_per_second) / 1000.0;
    match table.ratio(case, reference, setting) {
        Some(ratio) => format!("{rate:.0} ({ratio:.2})"),
        None => format!("{rate:.0}"),
    }
}

/// Bars of one kind have one colour.
const SERIES: [&str; 3] = [
    "redis-appkit",
    "one of the server's own commands",
    "what people run instead",
];

/// Which of [`SERIES`] a case belongs to.
fn series_of(case: &Case) -> usize {
    let mut lines = case.call.iter().copied().flatten();
    let is_script = |line: &&str| line.starts_with("{lua:") || line.starts_with("CL.");
    match (lines.next(), lines.next()) {
        (Some(line), _) if line.starts_with("APP.") => 0,
        (Some(line), None) if !is_script(line) => 1,
        _ => 2,
    }
}

/// A chart of the first setting of a table.
pub fn chart(table: &Table, report: &Report) -> String {
    let setting = table.settings[0];
    let bars: Vec<Bar> = (table.group.cases.iter())
        .filter_map(|case| {
            let figure = table.figure(case.name, setting)?;
            let value = median(&figure.calls_per_second) / 1000.0;
            Some(Bar {
                label: case.name.to_owned(),
                value,
                shown: format!("{value:.0}"),
                series: series_of(case),
            })
        })
        .collect();
    let title = format!("{}: thousand calls a second", table.group.title);
    let used = |index: usize| bars.iter().any(|bar| bar.series == index);
    let series = std::array::from_fn(|index| if used(index) { SERIES[index] } else { "" });
    let svg = svg::bars(&title, &series as &[&str; 3], &bars);
    let alt = format!("{title}, {}, {}", table.program, setting.title());
    report.image(&format!("throughput-{}", table.group.name), &alt, &svg)
}
