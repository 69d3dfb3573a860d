//! Owns the graph as a picture: hosts are columns, phases are bands, resources are boxes in the order of the plan.
//!
//! The layout needs no search: within a cell boxes stand under one another, so every edge on a host runs downwards.
//! Edges between neighbours are straight; the others swing out into the gutter beside the column, the longer the wider.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use super::escape::cut;
use super::picture::{Edge, EdgeKind, Picture};
use crate::model::Phase;
use crate::quote::quote_xml;

const GLYPH: usize = 7;
const BOX: usize = 24;
const STEP: usize = 34;
const GUTTER: usize = 70;
const LEFT: usize = 110;
const TOP: usize = 76;
const BAND_PAD: usize = 14;
/// Longer names are cut; the full one is the box's title, which viewers show under the pointer.
const NAME: usize = 46;

const STYLE: &str = "text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#1f2933}\
.h{font-weight:bold;font-size:13px}.p{fill:#61707f}.b{fill:#fff;stroke:#8795a1}.e{fill:none;stroke-width:1.3}\
.needs{stroke:#1f2933}.uses{stroke:#8795a1;stroke-dasharray:5 3}.watches{stroke:#b7590b;stroke-width:2}";

#[derive(Clone, Copy, Default)]
struct At {
    x: usize,
    y: usize,
    width: usize,
    column: usize,
    row: usize,
}

/// The picture, whole in itself.
pub(super) fn svg(picture: &Picture) -> String {
    let bands = bands(picture);
    let (columns, width) = columns(picture);
    let height = bands.last().map_or(TOP, |(_, y, height)| y + height) + 16;
    let boxes = boxes(picture, &bands, &columns);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
height=\"{height}\" role=\"img\" aria-label=\"The plan's graph\">\n<style>{STYLE}</style>\n<defs>\n"
    );
    for (name, colour) in [("needs", "#1f2933"), ("uses", "#8795a1"), ("watches", "#b7590b")] {
        let _ = writeln!(
            text,
            "<marker id=\"{name}\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"{colour}\"/></marker>"
        );
    }
    let _ = writeln!(text, "</defs>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>");
    legend(&mut text);
    for (at, (phase, y, tall)) in bands.iter().enumerate() {
        let fill = if at % 2 == 0 { "#f3f5f7" } else { "#fafbfc" };
        let _ = writeln!(text, "<rect x=\"0\" y=\"{y}\" width=\"{width}\" height=\"{tall}\" fill=\"{fill}\"/>");
        let _ = writeln!(text, "<text class=\"p\" x=\"12\" y=\"{}\">{phase}</text>", y + BAND_PAD + 16);
    }
    for (host, (x, _)) in picture.hosts.iter().zip(&columns) {
        let _ = writeln!(text, "<text class=\"h\" x=\"{x}\" y=\"{}\">{}</text>", TOP - 12, titled(&host.name));
    }
    for edge in &picture.edges {
        let _ = writeln!(text, "{}", path(edge, &boxes));
    }
    for (name, At { x, y, width, .. }) in picture.names.iter().zip(&boxes) {
        let _ = writeln!(
            text,
            "<g><rect class=\"b\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{BOX}\" rx=\"4\"/>\
<text x=\"{}\" y=\"{}\">{}</text></g>",
            x + 8,
            y + 16,
            titled(name)
        );
    }
    text.push_str("</svg>\n");
    text
}

fn titled(name: &str) -> String {
    format!("<title>{}</title>{}", quote_xml(name), quote_xml(&cut(name, NAME)))
}

// Each phase that anybody uses: where it begins and how tall it is.
fn bands(picture: &Picture) -> Vec<(Phase, usize, usize)> {
    let mut y = TOP;
    let mut bands = Vec::new();
    for phase in Phase::ALL {
        let cells = picture.hosts.iter().flat_map(|host| &host.phases).filter(|(of, _)| *of == phase);
        let Some(most) = cells.map(|(_, items)| items.len()).max() else { continue };
        let height = most * STEP - (STEP - BOX) + 2 * BAND_PAD;
        bands.push((phase, y, height));
        y += height;
    }
    bands
}

// Where each host's boxes begin and how wide they are, and the width of all.
fn columns(picture: &Picture) -> (Vec<(usize, usize)>, usize) {
    let mut x = LEFT;
    let mut columns = Vec::new();
    for host in &picture.hosts {
        let names = host.phases.iter().flat_map(|(_, items)| items).map(|item| &picture.names[*item]);
        let widest = names.chain([&host.name]).map(|name| cut(name, NAME).width()).max().unwrap_or(0);
        let width = widest * GLYPH + widest / 2 + 18;
        columns.push((x, width));
        x += width + GUTTER;
    }
    (columns, x.max(LEFT + 420))
}

fn boxes(picture: &Picture, bands: &[(Phase, usize, usize)], columns: &[(usize, usize)]) -> Vec<At> {
    let mut boxes = vec![At::default(); picture.names.len()];
    for (column, (host, (x, width))) in picture.hosts.iter().zip(columns).enumerate() {
        let mut row = 0;
        for (phase, items) in &host.phases {
            let Some((_, top, _)) = bands.iter().find(|(of, ..)| of == phase) else { continue };
            for (at, item) in items.iter().enumerate() {
                boxes[*item] = At { x: *x, y: top + BAND_PAD + at * STEP, width: *width, column, row };
                row += 1;
            }
        }
    }
    boxes
}

fn path(edge: &Edge, boxes: &[At]) -> String {
    let (from, to) = (boxes[edge.from], boxes[edge.to]);
    let class = class(edge.kind);
    let d = if from.column == to.column && to.row == from.row + 1 {
        let x = from.x + 20;
        format!("M{x} {}L{x} {}", from.y + BOX, to.y)
    } else if from.column == to.column {
        let right = from.x + from.width;
        let swing = right + 14 + (4 * to.row.abs_diff(from.row)).min(GUTTER - 24);
        // Leaving low and arriving high keeps the two ends of a box apart.
        let (start, end) = (from.y + BOX * 2 / 3, to.y + BOX / 3);
        format!("M{right} {start}C{swing} {start} {swing} {end} {right} {end}")
    } else {
        let forward = from.column < to.column;
        let (start, end) = if forward { (from.x + from.width, to.x) } else { (from.x, to.x + to.width) };
        let bend =
            |x: usize, out: bool| if out == forward { x + GUTTER * 3 / 4 } else { x.saturating_sub(GUTTER * 3 / 4) };
        let (low, high) = (from.y + BOX / 2, to.y + BOX / 2);
        format!("M{start} {low}C{} {low} {} {high} {end} {high}", bend(start, true), bend(end, false))
    };
    let words = quote_xml(&edge.words);
    format!("<path class=\"e {class}\" d=\"{d}\" marker-end=\"url(#{class})\"><title>{words}</title></path>")
}

fn class(kind: EdgeKind) -> &'static str {
    match kind {
        EdgeKind::Needs => "needs",
        EdgeKind::Uses => "uses",
        EdgeKind::Watches => "watches",
    }
}

fn legend(text: &mut String) {
    let words =
        [(EdgeKind::Needs, "is needed by"), (EdgeKind::Uses, "is used by"), (EdgeKind::Watches, "is watched by")];
    for (at, (kind, words)) in words.into_iter().enumerate() {
        let (x, class) = (LEFT + at * 140, class(kind));
        let _ = writeln!(
            text,
            "<path class=\"e {class}\" d=\"M{x} 22L{} 22\" marker-end=\"url(#{class})\"/>\
<text class=\"p\" x=\"{}\" y=\"26\">{words}</text>",
            x + 28,
            x + 34
        );
    }
}
