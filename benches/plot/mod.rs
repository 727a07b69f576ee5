//! A picture of the shares: one panel per scenario, one line per merge.

use std::fmt::{self, Display, Formatter, Write};

/// The sorted items of the children, as multiples of an equal share.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) shares: Vec<f64>,
}

pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) lines: Vec<Line>,
}

/// Panels side by side, as SVG.
pub(crate) struct Plot(pub(crate) Vec<Panel>);

/// This crate first, in the darkest color.
const COLORS: [&str; 9] = [
    "#111111", "#d62728", "#1f77b4", "#17becf", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b",
    "#e377c2",
];
const COLUMNS: usize = 3;
const WIDTH: f64 = 370.0;
const HEIGHT: f64 = 170.0;
/// The margin around the axes of a panel.
const MARGIN: f64 = 24.0;
/// The height above the panels.
const HEAD: f64 = 70.0;
/// The largest multiple of an equal share that is drawn; lines are cut there.
const MOST: f64 = 3.0;

impl Display for Plot {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let width = WIDTH * COLUMNS as f64;
        let height = HEAD + HEIGHT * self.0.len().div_ceil(COLUMNS) as f64;
        writeln!(
            f,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="10">"#
        )?;
        writeln!(f, r#"<rect width="{width}" height="{height}" fill="white"/>"#)?;
        writeln!(
            f,
            r#"<text x="24" y="20" font-size="13">Items of each child, fewest to most, in equal shares (cut at {MOST}). Flat at 1 is fair.</text>"#
        )?;
        legend(f, self.0.first().map_or(&[], |panel| &panel.lines))?;
        for (number, panel) in self.0.iter().enumerate() {
            let x = (number % COLUMNS) as f64 * WIDTH + MARGIN;
            let y = HEAD + (number / COLUMNS) as f64 * HEIGHT + MARGIN;
            writeln!(f, r#"<g transform="translate({x} {y})">"#)?;
            panel.fmt(f)?;
            writeln!(f, "</g>")?;
        }
        writeln!(f, "</svg>")
    }
}

fn legend(f: &mut Formatter<'_>, lines: &[Line]) -> fmt::Result {
    const COLUMN: f64 = 215.0;
    for (number, (line, color)) in lines.iter().zip(COLORS).enumerate() {
        let x = 24.0 + (number % 5) as f64 * COLUMN;
        let y = 40.0 + (number / 5) as f64 * 16.0;
        writeln!(f, r#"<rect x="{x}" y="{}" width="14" height="3" fill="{color}"/>"#, y - 5.0)?;
        writeln!(f, r#"<text x="{}" y="{y}">{}</text>"#, x + 20.0, line.name)?;
    }
    Ok(())
}

impl Display for Panel {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (width, height) = (WIDTH - 2.0 * MARGIN, HEIGHT - 2.0 * MARGIN);
        writeln!(f, r#"<text y="-6">{}</text>"#, self.title)?;
        writeln!(f, r##"<rect width="{width}" height="{height}" fill="none" stroke="#bbbbbb"/>"##)?;
        for share in 0..=MOST as usize {
            let y = height * (1.0 - share as f64 / MOST);
            writeln!(f, r#"<text x="-4" y="{:.1}" text-anchor="end">{share}</text>"#, y + 3.0)?;
        }
        // This crate is drawn last, on top of the others.
        for (line, color) in self.lines.iter().zip(COLORS).rev() {
            let last = line.shares.len().saturating_sub(1).max(1) as f64;
            let mut points = String::new();
            for (number, share) in line.shares.iter().enumerate() {
                let x = width * number as f64 / last;
                let y = height * (1.0 - share.min(MOST) / MOST);
                write!(points, "{x:.1},{y:.1} ")?;
            }
            writeln!(
                f,
                r#"<polyline fill="none" stroke="{color}" stroke-width="1.5" points="{}"/>"#,
                points.trim_end()
            )?;
        }
        Ok(())
    }
}
