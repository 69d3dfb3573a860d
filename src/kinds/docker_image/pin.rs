//! What pins an image, and what names it.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{DockerImage, Format};
use crate::resource::{Fault, absolute_path, is_sha256};

const RECORDS: &str = "/var/lib/rempart/images";

/// The digits of `sha256:...`.
pub fn digest(text: &str) -> Option<&str> {
    text.strip_prefix("sha256:").filter(|digits| is_sha256(digits))
}

/// `HOST:PORT/PATH/NAME`, in lower case as docker wants it.
fn repository(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let part = |part: &str| {
        !part.is_empty()
            && part.chars().all(fine)
            && !part.starts_with(['.', '_', '-'])
            && !part.ends_with(['.', '_', '-'])
    };
    let (host, rest) = text.split_once('/').unwrap_or(("", text));
    let host_fine = match host.split_once(':') {
        Some((host, port)) => part(host) && port.parse::<u16>().is_ok(),
        None => host.is_empty() && !text.contains('/') || part(host),
    };
    text.len() <= 200 && host_fine && rest.split('/').all(part)
}

/// `NAME:TAG`.
pub fn is_name(text: &str) -> bool {
    let tag = |tag: &str| {
        let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        !tag.is_empty() && tag.len() <= 128 && !tag.starts_with(['.', '-']) && tag.chars().all(fine)
    };
    text.rsplit_once(':').is_some_and(|(name, word)| repository(name) && tag(word))
}

impl DockerImage {
    /// Where it is kept which image came of which pin.
    pub(super) fn record(&self) -> String {
        let sum: String = Sha256::digest(self.name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{RECORDS}/{sum}")
    }

    /// The name under which it comes.
    pub(super) fn first_name(&self) -> String {
        format!("rempart-new:{}", self.record().rsplit('/').next().unwrap_or_default())
    }

    /// What pins it and all that makes it what it is, in one line.
    pub(super) fn pin(&self) -> String {
        let sum = self.sha256.as_ref().map(|sum| format!("sha256:{sum}"));
        let sum = sum.or_else(|| self.id.clone()).unwrap_or_default();
        match (&self.pull, self.format) {
            (Some(pull), _) => format!("pulled as {pull}"),
            (None, Format::Save) => format!("loaded from {sum}"),
            (None, Format::Rootfs) if self.changes.is_empty() => format!("imported from {sum}"),
            (None, Format::Rootfs) => format!("imported from {sum} with {}", Value::from(self.changes.clone())),
        }
    }

    /// Refuses what comes from nowhere, or is not pinned.
    pub(super) fn settle_source(&self) -> Result<(), Fault> {
        let nothing = |field: &'static str, why: &str| Err(Fault::new(field, why));
        match (&self.archive, &self.pull) {
            (Some(archive), None) => {
                absolute_path("archive", archive)?;
                if self.sha256.is_none() && (self.id.is_none() || self.format == Format::Rootfs) {
                    return Err(
                        Fault::new("sha256", "the image must be pinned").fix("write the output of `sha256sum ARCHIVE`")
                    );
                }
                if self.format == Format::Rootfs && self.id.is_some() {
                    return nothing("id", "docker gives another id to every import");
                }
            }
            (None, Some(pull)) => {
                let pinned = pull.split_once('@').is_some_and(|(name, sum)| repository(name) && digest(sum).is_some());
                if !pinned {
                    return Err(Fault::new("pull", format!("`{}` pins nothing", pull.escape_debug()))
                        .fix("write NAME@sha256:DIGEST, as `docker pull` prints it"));
                }
                if self.sha256.is_some() {
                    return nothing("sha256", "this is an archive's sum; a pulled image is pinned by its digest");
                }
            }
            _ => {
                return nothing(
                    "archive",
                    "either `archive` or `pull` must say where it comes from, and only one of them",
                );
            }
        }
        if self.format == Format::Save && !self.changes.is_empty() {
            return nothing("changes", "only a root filesystem takes changes; say format: rootfs");
        }
        if self
            .changes
            .iter()
            .any(|change| change.trim().is_empty() || change.len() > 4096 || change.chars().any(char::is_control))
        {
            return nothing("changes", "a change is empty, over 4096 bytes, or holds a control character");
        }
        Ok(())
    }
}
