//! Owns the way into a host in words: whether the plan leaves it open, and the rule that decides.

use super::escape::visible;
use super::{Paint, Tone};
use crate::lockout::{Ruling, Verdict, WayIn};

/// The lines of one host, indented; `name` is said where several hosts share a paragraph.
pub(super) fn way_in(way: &WayIn, name: Option<&str>, paint: &Paint) -> String {
    let of = name.map(|name| format!(" into {name}")).unwrap_or_default();
    let path = path(way);
    let mut text = String::new();
    let ruling = way.ruling();
    if ruling == Ruling::Open {
        let parts: Vec<String> = way.verdicts.iter().map(told).collect();
        return format!("  {} way in{of}: {path}: stays open: {}\n", paint.tone(Tone::Good, "✓"), parts.join("; "));
    }
    for verdict in way.verdicts.iter().filter(|verdict| verdict.ruling != Ruling::Open) {
        let (sign, tone, word) = match verdict.ruling {
            Ruling::Closed => ("✗", Tone::Bad, "WOULD BE CLOSED by"),
            _ => ("?", Tone::Doubt, "cannot be judged:"),
        };
        text.push_str(&format!(
            "  {} way in{of}: {path}: {} {}\n",
            paint.tone(tone, sign),
            paint.tone(tone, word),
            told(verdict)
        ));
        if let Some(fix) = &verdict.fix {
            text.push_str(&format!("      {}\n", visible(fix)));
        }
    }
    text
}

/// The way itself: `192.0.2.1 -> 192.0.2.11:22 as admin (ssh-ed25519 key)`.
fn path(way: &WayIn) -> String {
    let login = format!("as {} ({})", visible(&way.user), visible(&way.with));
    match (way.from, way.to, way.port) {
        (Some(from), Some(to), Some(port)) => format!("{from} -> {} {login}", std::net::SocketAddr::new(to, port)),
        _ => login,
    }
}

fn told(verdict: &Verdict) -> String {
    let whose = match (&verdict.resource, &verdict.place) {
        (Some(id), Some(place)) => format!(" ({}, {})", visible(&id.to_string()), visible(place)),
        _ => String::new(),
    };
    format!("{}: {}{whose}", verdict.part.words(), visible(&verdict.by))
}
