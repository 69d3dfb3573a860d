//! Owns the way into a host in words: whether the plan leaves it open, and the rule that decides.

use super::escape::visible;
use super::{Paint, Tone};
use crate::lockout::{PartVerdict, Ruling, WayIn};

/// The lines of one host, indented; `name` is said where several hosts share a paragraph.
pub(super) fn way_in(way: &WayIn, name: Option<&str>, paint: &Paint) -> String {
    let of = name.map_or_else(|| "way in".to_owned(), |name| format!("way into {name}"));
    let head = |sign: &str, tone: Tone, word: &str| {
        format!("  {} {of}: {}: {}", paint.tone(tone, sign), path(way), paint.tone(tone, word))
    };
    let telling = |ruling: Ruling| way.verdicts.iter().filter(move |verdict| verdict.ruling == ruling);
    let mut text = String::new();
    if way.ruling() == Ruling::Open {
        let all: Vec<&PartVerdict> = telling(Ruling::Open).collect();
        let mut parts = String::new();
        for (at, one) in all.iter().enumerate() {
            // A resource that several parts come from is named behind the last of them.
            let again = all.get(at + 1).is_some_and(|next| next.resource == one.resource);
            let more = if at + 1 < all.len() { "; " } else { "" };
            parts.push_str(&format!("{}{}{more}", what(one), if again { String::new() } else { whose(one) }));
        }
        return format!("{} {parts}\n", head("✓", Tone::Good, "stays open:"));
    }
    for (ruling, sign, tone, word) in [
        (Ruling::Closed, "✗", Tone::Bad, "WOULD BE CLOSED by"),
        (Ruling::Undecided, "?", Tone::Doubt, "cannot be judged:"),
    ] {
        let all: Vec<&PartVerdict> = telling(ruling).collect();
        match all.as_slice() {
            [] => {}
            [one] => text.push_str(&format!("{} {}\n{}", head(sign, tone, word), told(one), fix(one))),
            many => {
                text.push_str(&format!("{}\n", head(sign, tone, word)));
                many.iter().for_each(|one| text.push_str(&format!("      {}\n{}", told(one), fix(one))));
            }
        }
    }
    text
}

fn fix(verdict: &PartVerdict) -> String {
    verdict.fix.as_ref().map(|fix| format!("        = {}\n", visible(fix))).unwrap_or_default()
}

/// The way itself: `192.0.2.1 -> 192.0.2.11:22 as admin (ssh-ed25519 key)`.
fn path(way: &WayIn) -> String {
    let login = format!("as {} ({})", visible(&way.user), visible(&way.with));
    match (way.from, way.to, way.port) {
        (Some(from), Some(to), Some(port)) => format!("{from} -> {} {login}", std::net::SocketAddr::new(to, port)),
        _ => login,
    }
}

fn told(verdict: &PartVerdict) -> String {
    format!("{}{}", what(verdict), whose(verdict))
}

fn what(verdict: &PartVerdict) -> String {
    format!("{}: {}", verdict.part.words(), visible(&verdict.by))
}

fn whose(verdict: &PartVerdict) -> String {
    match (&verdict.resource, &verdict.place) {
        (Some(id), Some(place)) => format!(" ({}, {})", visible(&id.to_string()), visible(place)),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lockout::Part;
    use crate::model::ResourceId;

    fn verdict(part: Part, ruling: Ruling, by: &str) -> PartVerdict {
        let fix = (ruling == Ruling::Closed).then(|| "do something".to_owned());
        let resource = (part == Part::Firewall).then(|| ResourceId::new("firewall_rule", "allow 22/tcp"));
        let place = resource.as_ref().map(|_| "site.yaml:12".to_owned());
        PartVerdict { part, ruling, by: by.into(), resource, place, fix }
    }

    fn way(verdicts: Vec<PartVerdict>) -> WayIn {
        WayIn {
            from: Some("192.0.2.1".parse().unwrap()),
            to: Some("192.0.2.11".parse().unwrap()),
            port: Some(22),
            user: "admin".into(),
            with: "ssh-ed25519 key".into(),
            verdicts,
        }
    }

    #[test]
    fn open_closed_and_undecided_are_told_apart() {
        let open = verdict(Part::Firewall, Ruling::Open, "table ip filter, chain ufw-user-input: -j ACCEPT");
        let key = || verdict(Part::Key, Ruling::Closed, "our key stands in no\u{1b}[2J file");
        let sudo = verdict(Part::Sudo, Ruling::Closed, "sudoers lets admin run nothing");
        let pam = verdict(Part::Access, Ruling::Undecided, "PAM is not simulated");
        let told = |verdicts: Vec<PartVerdict>, name| way_in(&way(verdicts), name, &Paint::PLAIN);
        insta::assert_snapshot!(told(vec![open.clone()], None), @"  ✓ way in: 192.0.2.1 -> 192.0.2.11:22 as admin (ssh-ed25519 key): stays open: firewall: table ip filter, chain ufw-user-input: -j ACCEPT (firewall_rule:allow 22/tcp, site.yaml:12)");
        let port = || PartVerdict { part: Part::Listening, ..open.clone() };
        insta::assert_snapshot!(told(vec![open.clone(), port()], None), @"  ✓ way in: 192.0.2.1 -> 192.0.2.11:22 as admin (ssh-ed25519 key): stays open: firewall: table ip filter, chain ufw-user-input: -j ACCEPT; sshd's port: table ip filter, chain ufw-user-input: -j ACCEPT (firewall_rule:allow 22/tcp, site.yaml:12)");
        insta::assert_snapshot!(told(vec![open.clone(), key()], Some("web2")), @r"
        ✗ way into web2: 192.0.2.1 -> 192.0.2.11:22 as admin (ssh-ed25519 key): WOULD BE CLOSED by our key: our key stands in no\u{1b}[2J file
              = do something
        ");
        insta::assert_snapshot!(told(vec![key(), sudo, pam, open], None), @r"
        ✗ way in: 192.0.2.1 -> 192.0.2.11:22 as admin (ssh-ed25519 key): WOULD BE CLOSED by
            our key: our key stands in no\u{1b}[2J file
              = do something
            sudo: sudoers lets admin run nothing
              = do something
        ? way in: 192.0.2.1 -> 192.0.2.11:22 as admin (ssh-ed25519 key): cannot be judged: PAM and access files: PAM is not simulated
        ");
    }

    #[test]
    fn a_way_that_nobody_knows_is_told_without_addresses() {
        let way = WayIn { from: None, ..way(vec![verdict(Part::Network, Ruling::Undecided, "no answer")]) };
        insta::assert_snapshot!(way_in(&way, None, &Paint::PLAIN), @"  ? way in: as admin (ssh-ed25519 key): cannot be judged: network: no answer");
    }
}
