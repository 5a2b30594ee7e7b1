//! Charts, written as SVG text.

use std::fmt::Write;

const FONT: &str = "font-family='system-ui, sans-serif' font-size='13'";
/// By series: ours, what is compared with it, and more.
const COLOURS: [&str; 4] = ["#2563eb", "#94a3b8", "#f59e0b", "#dc2626"];

/// One bar.
pub struct Bar {
    pub label: String,
    pub value: f64,
    pub shown: String,
    /// Index into the series, for the colour and the legend.
    pub series: usize,
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('\'', "&apos;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}

fn open(width: usize, height: usize, title: &str) -> String {
    let title = escaped(title);
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' \
         height='{height}' role='img' aria-label='{title}' {FONT}>\n\
         <rect width='{width}' height='{height}' rx='6' fill='#ffffff'/>\n\
         <text x='16' y='26' font-weight='600' font-size='15' fill='#0f172a'>{title}</text>\n"
    )
}

fn legend(svg: &mut String, names: &[&str], y: usize) {
    let mut x = 16;
    let used = names
        .iter()
        .zip(COLOURS)
        .filter(|(name, _)| !name.is_empty());
    for (name, colour) in used {
        let _ = writeln!(
            svg,
            "<rect x='{x}' y='{}' width='12' height='12' rx='2' fill='{colour}'/>\
             <text x='{}' y='{y}' fill='#334155'>{}</text>",
            y - 10,
            x + 18,
            escaped(name)
        );
        x += 40 + name.chars().count() * 8;
    }
}

/// Horizontal bars from 0, one below the other. A series without a name is not in the legend.
pub fn bars(title: &str, series: &[&str], bars: &[Bar]) -> String {
    const LABELS: usize = 320;
    const LENGTH: f64 = 380.0;
    let height = 70 + bars.len() * 24;
    let mut svg = open(810, height, title);
    legend(&mut svg, series, 50);
    let longest = bars
        .iter()
        .map(|bar| bar.value)
        .fold(0.0, f64::max)
        .max(f64::MIN_POSITIVE);
    for (index, bar) in bars.iter().enumerate() {
        let y = 64 + index * 24;
        let length = bar.value / longest * LENGTH;
        let _ = writeln!(
            svg,
            "<text x='{}' y='{}' text-anchor='end' fill='#334155'>{}</text>\
             <rect x='{LABELS}' y='{y}' width='{length:.1}' height='18' rx='2' fill='{}'/>\
             <text x='{:.1}' y='{}' fill='#0f172a'>{}</text>",
            LABELS - 8,
            y + 14,
            escaped(&bar.label),
            COLOURS[bar.series % COLOURS.len()],
            LABELS as f64 + length + 6.0,
            y + 14,
            escaped(&bar.shown),
        );
    }
    svg + "</svg>\n"
}

/// A line of a chart: name and points.
pub type Line = (&'static str, Vec<(f64, f64)>);

/// Lines over a logarithmic x axis, from 0 upwards.
pub fn lines(title: &str, unit: &str, lines: &[Line]) -> String {
    const LEFT: f64 = 70.0;
    const BOTTOM: f64 = 300.0;
    const WIDTH: f64 = 600.0;
    const HEIGHT: f64 = 210.0;
    let names: Vec<&str> = lines.iter().map(|(name, _)| *name).collect();
    let mut svg = open(740, 340, title);
    legend(&mut svg, &names, 50);
    let points = || lines.iter().flat_map(|(_, points)| points);
    let top = points().map(|point| point.1).fold(0.0, f64::max) * 1.1;
    let first = points()
        .map(|point| point.0.ln())
        .fold(f64::INFINITY, f64::min);
    let last = points()
        .map(|point| point.0.ln())
        .fold(first + 1e-9, f64::max);
    let x = |value: f64| LEFT + (value.ln() - first) / (last - first) * WIDTH;
    let y = |value: f64| BOTTOM - value / top * HEIGHT;
    for step in 0..=4 {
        let value = top * f64::from(step) / 4.0;
        let _ = writeln!(
            svg,
            "<line x1='{LEFT}' x2='{}' y1='{at:.1}' y2='{at:.1}' stroke='#e2e8f0'/>\
             <text x='{}' y='{:.1}' text-anchor='end' fill='#334155'>{value:.1}</text>",
            LEFT + WIDTH,
            LEFT - 8.0,
            y(value) + 4.0,
            at = y(value),
        );
    }
    let _ = writeln!(
        svg,
        "<text x='16' y='72' fill='#334155'>{}</text>",
        escaped(unit)
    );
    for &(value, _) in lines
        .first()
        .map(|(_, points)| points)
        .into_iter()
        .flatten()
    {
        let _ = writeln!(
            svg,
            "<text x='{:.1}' y='322' text-anchor='middle' fill='#334155'>{value}</text>",
            x(value)
        );
    }
    for ((_, points), colour) in lines.iter().zip(COLOURS) {
        let path = points
            .iter()
            .map(|point| format!("{:.1},{:.1}", x(point.0), y(point.1)));
        let path = path.collect::<Vec<_>>().join(" ");
        let _ = writeln!(
            svg,
            "<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2.5'/>"
        );
    }
    svg + "</svg>\n"
}
