//! The same as one self-contained page of plots: a bar for each server, and a line from its lowest round to its highest.

use super::loads::{About, Figure, LOADS};
use super::peers::Kind;
use super::results::Results;
use crate::machine;
use crate::ratio::{Bench, figure};

const WIDTH: f64 = 760.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 90.0;
const ROW: f64 = 22.0;
const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:800px;margin:2rem auto;\
padding:0 1rem;color:#222;background:#fff}h1{font-size:1.3rem}h2{font-size:1rem;margin-top:2rem}\
svg{width:100%;height:auto}text{font-size:11px;fill:#444}.ours{fill:#1f6feb}.peer{fill:#9aa4b2}\
.floor{fill:#ddd}.span{stroke:#222}p{margin:.3rem 0}";

/// The page.
pub(super) fn page(bench: &Bench, results: &Results) -> String {
    let mut body = String::new();
    for (at, load) in LOADS.iter().enumerate() {
        let what = escape(load.what);
        let mut plot = |title: &str, of: Figure| {
            if let Some(svg) = bars(results, at, of) {
                let name = escape(load.name);
                body.push_str(&format!("<h2>{name}: {title}</h2>\n<p>{what}</p>\n{svg}\n"));
            }
        };
        match load.about {
            About::Deliveries => plot("deliveries for a second of server CPU", Figure::PerCpu),
            About::Publishes => plot("publishes for a second of server CPU", Figure::PerCpu),
            About::Memory => plot("KiB of a connection", Figure::Kib),
        }
        if load.words.contains("--rate") {
            plot("µs to a delivery, median", Figure::P50);
            plot("µs to a delivery, 99th percentile", Figure::P99);
            plot("µs to a delivery, 99.9th percentile", Figure::P999);
        }
        if load.name == "1 outstanding" {
            plot("bytes on the wire for a delivery", Figure::Bytes);
        }
    }
    let place = escape(&format!(
        "{}; {} rounds of {} s; the line in a bar goes from the lowest round to the highest. Grey: other servers; light grey: floors, \
         which are no servers.",
        machine::description(),
        bench.rounds,
        bench.seconds
    ));
    let mut list = String::new();
    for it in &results.entrants {
        let (name, version, about) = (escape(&it.name), escape(&it.version), escape(&it.about));
        list.push_str(&format!("<p><b>{name}</b> ({version}): {about}</p>\n"));
    }
    for (name, why) in &results.absent {
        list.push_str(&format!("<p>{} was left out: {}</p>\n", escape(name), escape(why)));
    }
    for line in results.failures() {
        list.push_str(&format!("<p>no figure, for it failed: {}</p>\n", escape(&line)));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Stentor beside others</title>\n<style>{STYLE}</style>\n\
         <h1>Stentor beside others</h1>\n<p>{place}</p>\n{body}<h2>Who took part</h2>\n{list}</html>\n"
    )
}

/// A bar for each entrant that has the figure; `None` if nobody has.
fn bars(results: &Results, load: usize, of: Figure) -> Option<String> {
    let entrants = results.entrants.iter().enumerate();
    let rows: Vec<(&str, &str, [f64; 3])> = entrants
        .filter_map(|(at, it)| {
            let class = match it.kind {
                None => "ours",
                Some(Kind::Peer | Kind::Library) => "peer",
                Some(Kind::Floor) => "floor",
            };
            Some((it.name.as_str(), class, results.spread(load, at, of)?))
        })
        .collect();
    let highest = rows.iter().map(|(.., [_, _, high])| *high).fold(0.0, f64::max);
    if highest <= 0.0 {
        return None;
    }
    let x = |value: f64| LEFT + value.max(0.0) / highest * (WIDTH - LEFT - RIGHT);
    let height = ROW * f64::from(u32::try_from(rows.len()).ok()?);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n");
    let mut top = 0.0;
    for (name, class, [middle, low, high]) in &rows {
        let (text, line) = (top + 15.0, top + ROW / 2.0);
        svg.push_str(&format!(
            "<text x=\"{:.1}\" y=\"{text:.1}\" text-anchor=\"end\">{}</text>\
             <rect class=\"{class}\" x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>\
             <line class=\"span\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{line:.1}\" y2=\"{line:.1}\"/>\
             <text x=\"{:.1}\" y=\"{text:.1}\">{}</text>\n",
            LEFT - 8.0,
            escape(name),
            top + 3.0,
            x(*middle) - LEFT,
            ROW - 6.0,
            x(*low),
            x(*high),
            x(*high) + 6.0,
            figure(*middle)
        ));
        top += ROW;
    }
    svg.push_str("</svg>");
    Some(svg)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
