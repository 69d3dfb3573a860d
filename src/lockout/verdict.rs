//! Owns the words of a judgement: what becomes of each part of the way in, and what decides.

use std::net::IpAddr;

use serde::Serialize;

use crate::model::ResourceId;
use crate::resource::Origin;

/// A part of the way in. A connection gets through only if all of them let it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The network below: addresses, links, IPv6.
    Network,
    /// Packet filters.
    Firewall,
    /// Whether sshd listens where we knock.
    Listening,
    /// Whether sshd lets this account in.
    Admission,
    /// Whether sshd takes what we log in with.
    Method,
    /// Whether our very key opens the account.
    Key,
    /// Whether the account can be used at all.
    Account,
    /// PAM, and what stands before it.
    Access,
    /// Whether we become root.
    Sudo,
}

impl Part {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Part::Network => "network",
            Part::Firewall => "firewall",
            Part::Listening => "sshd's port",
            Part::Admission => "who sshd lets in",
            Part::Method => "how sshd lets in",
            Part::Key => "our key",
            Part::Account => "the account",
            Part::Access => "PAM and access files",
            Part::Sudo => "sudo",
        }
    }
}

/// What becomes of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// It lets us in.
    Open,
    /// Nobody can tell; the guard protects.
    Undecided,
    /// It locks us out.
    Closed,
}

/// What was found of one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartVerdict {
    /// Of which part.
    pub part: Part,
    /// What becomes of it.
    pub ruling: Ruling,
    /// The rule that decides, or why nobody can tell.
    pub by: String,
    /// The resource of the plan that the rule comes from, if it comes from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceId>,
    /// Where that is declared, as `file:line`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// The way into a host as the plan will leave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WayIn {
    /// Our address as the host sees it: the jump host's, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// The host's own address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<IpAddr>,
    /// Its port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The name that rempart logs in with.
    pub user: String,
    /// What it logs in with: `ssh-ed25519 key`.
    pub with: String,
    /// The parts that the plan touches.
    pub verdicts: Vec<PartVerdict>,
}

impl WayIn {
    /// What becomes of the whole.
    pub fn ruling(&self) -> Ruling {
        self.verdicts.iter().map(|verdict| verdict.ruling).max().unwrap_or(Ruling::Open)
    }

    /// The parts that lock us out.
    pub fn closed(&self) -> impl Iterator<Item = &PartVerdict> {
        self.verdicts.iter().filter(|verdict| verdict.ruling == Ruling::Closed)
    }
}

/// What was found of one part, before it is known whose doing it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It lets us in, by this.
    Open(String),
    /// It locks us out, by this; what to do.
    Closed(String, &'static str),
    /// Nobody can tell, because of this.
    Undecided(String),
}

impl Found {
    /// The first that is closed, else the first that is undecided, else the first.
    pub fn worst(all: impl IntoIterator<Item = Found>) -> Option<Found> {
        let rank = |found: &Found| match found {
            Found::Closed(..) => 0,
            Found::Undecided(_) => 1,
            Found::Open(_) => 2,
        };
        let mut worst: Option<Found> = None;
        for found in all {
            if worst.as_ref().is_none_or(|known| rank(&found) < rank(known)) {
                worst = Some(found);
            }
        }
        worst
    }

    /// The same, unless `now`, which is what the same look makes of the host as it stands, would keep us out: we are
    /// in, so whoever says so does not understand this host.
    pub fn checked_by(self, now: &Found) -> Found {
        match now {
            Found::Closed(by, _) => Found::Undecided(format!(
                "judged in the same way, the host as it stands would not let us in ({by}), yet it did"
            )),
            _ => self,
        }
    }

    /// As a verdict, with the resource that it comes from.
    pub fn of(self, part: Part, origin: Option<&Origin>) -> PartVerdict {
        let (ruling, by, fix) = match self {
            Found::Open(by) => (Ruling::Open, by, None),
            Found::Closed(by, fix) => (Ruling::Closed, by, Some(fix.to_owned())),
            Found::Undecided(by) => (Ruling::Undecided, by, None),
        };
        let (resource, place) = origin.map(|origin| (origin.id.clone(), origin.place.clone())).unzip();
        PartVerdict { part, ruling, by: printable(&by), resource, place, fix }
    }
}

// What hosts say is cut to what a line can hold; report makes it harmless.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect()
}
