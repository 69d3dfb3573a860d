//! Owns what packet filters make of our connection: as the kernel holds them, and as the plan will leave them.

use super::packet::{Packet, Tables, Verdict};
use super::question::{INTERFACE, IPTABLES, NFT};
use super::scene::{Connection, Scene};
use super::touched::Touched;
use super::ufw::Ufw;
use super::verdict::Found;
use crate::resource::{ForeseenFile, ForeseenText, Origin, unit_state};

const FIX: &str = "add a rule that lets rempart in, before the one that stops it";

/// What the filters make of us now and then, and whose rule decides then.
pub(super) fn judge(scene: &Scene<'_>, connection: Connection, touched: Touched) -> (Found, Option<Origin>) {
    let packet = Packet {
        from: connection.from,
        to: connection.to,
        port: connection.port,
        interface: interface(scene),
        connections: scene.connections,
    };
    let now = match standing(scene) {
        Ok(tables) => tables,
        Err(why) => return (Found::Undecided(why), None),
    };
    let then = match foreseen(scene, touched, now.clone()) {
        Ok(tables) => tables,
        Err(why) => return (Found::Undecided(why), None),
    };
    let before = found(now.verdict(&packet));
    let after = found(then.verdict(&packet));
    let origin = match &after {
        Found::Open(by) => origin(scene, touched, by, true),
        Found::Closed(by, _) | Found::Undecided(by) => origin(scene, touched, by, false),
    };
    (after.checked_by(&before), origin)
}

fn found(verdict: Verdict) -> Found {
    match verdict {
        Verdict::In { by } => Found::Open(by),
        Verdict::Out { by } => Found::Closed(by, FIX),
        Verdict::Undecided { by, why } => Found::Undecided(format!("{by}: {why}")),
    }
}

// The interface that answers to us leave by, and so, as a rule, the one that we come in by.
fn interface(scene: &Scene<'_>) -> Option<String> {
    let words: Vec<&str> = scene.text(INTERFACE).ok()?.split_ascii_whitespace().collect();
    words.iter().position(|word| *word == "dev").and_then(|at| words.get(at + 1)).map(|name| (*name).to_owned())
}

fn standing(scene: &Scene<'_>) -> Result<Tables, String> {
    let read = |name: &'static str| {
        let section = scene.answer.section(name).map_err(|why| why.to_string())?;
        // Who has no such tool has loaded nothing with it.
        if section.is_missing_tool() {
            return Ok(None);
        }
        scene.text(name).map(Some).map_err(|why| format!("{}: {why}", name.trim_start_matches("lockout: ")))
    };
    Tables::read(read(IPTABLES[0])?, read(IPTABLES[1])?, read(NFT[0])?).map_err(|error| error.to_string())
}

fn foreseen(scene: &Scene<'_>, touched: Touched, mut tables: Tables) -> Result<Tables, String> {
    if touched.ufw {
        let now = Ufw::read(scene)?;
        let was_on = now.enabled;
        let then = match &scene.foreseen.ufw {
            Some(foreseen) => now.with(foreseen),
            None => now,
        };
        if was_on || then.enabled {
            then.put_into(&mut tables)?;
        }
    }
    if touched.nft && is_loaded(scene)? {
        if let Some((path, _)) = scene.foreseen.hidden().find(|(path, _)| path.contains("nft")) {
            return Err(format!("{path} will hold a secret, so nobody looked into it"));
        }
        let section = scene.answer.section(NFT[1]).map_err(|why| why.to_string())?;
        if section.is_missing_tool() {
            return Err("nft is not there yet to tell what it makes of the rules".into());
        }
        let rules = scene.text(NFT[1]).map_err(|why| format!("nft -f /etc/nftables.conf: {why}"))?;
        if !rules.trim().is_empty() {
            tables.replace_nft(rules).map_err(|error| error.to_string())?;
        }
    }
    if let Some((text, _)) = &scene.foreseen.nft {
        let removed = r#"{"nftables":[{"delete":{"table":{"family":"inet","name":"rempart"}}}]}"#;
        let table = match text {
            None => removed,
            Some(_) if scene.answer.section(NFT[2]).map_err(|why| why.to_string())?.is_missing_tool() => {
                return Err("nft is not there yet to tell what it makes of the rules".into());
            }
            Some(_) => scene.text(NFT[2]).map_err(|why| format!("nft on the table inet rempart: {why}"))?,
        };
        tables.replace_nft(table).map_err(|error| error.to_string())?;
    }
    if touched.iptables {
        return Err("rules in /etc/iptables are not simulated".into());
    }
    Ok(tables)
}

// Whether /etc/nftables.conf is loaded, by the plan or by the next boot.
fn is_loaded(scene: &Scene<'_>) -> Result<bool, String> {
    let unit = unit_state(scene.answer, "nftables.service").map_err(|why| why.to_string())?;
    let foreseen = scene.foreseen.units.get("nftables.service");
    let will = |now: bool, then: Option<bool>| then.unwrap_or(now);
    let active = will(unit.is_active(), foreseen.and_then(|unit| unit.active));
    let enabled = will(unit.is_enabled(), foreseen.and_then(|unit| unit.enabled));
    Ok((active || enabled) && foreseen.and_then(|unit| unit.masked) != Some(true))
}

// Whose rule it is: the one whose line the verdict quotes, else the owner of the policy or of the rule file.
fn origin(scene: &Scene<'_>, touched: Touched, by: &str, is_open: bool) -> Option<Origin> {
    let foreseen = scene.foreseen;
    let quoted = |line: &String| line.splitn(3, ' ').nth(2).is_some_and(|rule| by.contains(rule));
    let ufw = foreseen.ufw.as_ref();
    let rule = ufw.and_then(|ufw| ufw.rules.iter().find(|rule| rule.lines.iter().flatten().any(quoted)));
    if let Some(rule) = rule {
        return Some(rule.origin.clone());
    }
    let switch = ufw.and_then(|ufw| ufw.switch.as_ref()).filter(|_| by.contains("policy"));
    if let Some(switch) = switch {
        return Some(switch.origin.clone());
    }
    if let Some((_, origin)) = foreseen.nft.as_ref().filter(|_| by.contains("table inet rempart,")) {
        return Some(origin.clone());
    }
    if touched.nft {
        let holds = |file: &ForeseenFile| match &file.text {
            ForeseenText::Plain(text) => text.lines().map(str::trim).any(|line| line.len() > 6 && by.contains(line)),
            _ => false,
        };
        let nft = || foreseen.files.iter().filter(|(path, _)| path.starts_with("/etc/nft") || path.ends_with(".nft"));
        let file =
            nft().find(|(_, file)| holds(file)).or_else(|| nft().find(|(path, _)| *path == "/etc/nftables.conf"));
        if let Some((_, file)) = file.or_else(|| nft().next()) {
            return Some(file.origin.clone());
        }
    }
    // What stays open was open by somebody else's rule.
    if is_open { None } else { foreseen.sole_origin() }
}
