//! Owns how something is declared absent of which only the key is known: what rempart once made, and nobody declares.

use serde_json::Value;

use super::{Context, Desired, Entry, Provision, Resource, is_lifeline_unit};
use crate::model::{Diagnostic, Source};
use crate::yaml::{self, Dialect};

// What no host does without, and what lets people in.
#[rustfmt::skip]
const LASTING: &[&str] = &[
    "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt", "/proc", "/root", "/run",
    "/sbin", "/srv", "/sys", "/tmp", "/usr", "/var", "/var/lib", "/var/log",
    "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/sudoers", "/etc/fstab", "/etc/nsswitch.conf",
    "/etc/resolv.conf", "/etc/pam.d", "/etc/ssh", "/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d",
];
const LASTING_BELOW: &[&str] = &["/boot/", "/dev/", "/proc/", "/sys/", "/run/rempart", "/var/lib/rempart"];

// Whether a path is never removed only because nobody declares it any more.
fn is_lasting(path: &str) -> bool {
    LASTING.contains(&path)
        || LASTING_BELOW.iter().any(|start| path.starts_with(start))
        || path.split('/').any(|part| part == ".ssh" || part.starts_with("authorized_keys"))
}

/// Something declared absent from its key alone.
#[derive(Debug)]
pub struct Gone {
    /// The resource, wanted absent.
    pub resource: Box<dyn Resource>,
    /// What it brings to its host while it is there, as far as its key tells.
    pub brings: Vec<Provision>,
}

impl Entry {
    /// Whether there are things of this kind that can be removed by their key alone.
    pub fn has_removable(&self) -> bool {
        ["a", "allow 22/tcp", "a SHA256:a", "/a line a"].into_iter().any(|key| (self.named)(key).is_some())
    }

    /// What removes the resource of a key.
    ///
    /// # Errors
    /// Why it is never removed: it cannot be by rempart, or the host is out of reach without it.
    pub fn gone(&self, key: &str, context: &Context<'_>) -> Result<Gone, String> {
        if key.starts_with('/') && is_lasting(key) {
            return Err("no host does without it, so it is never removed".into());
        }
        let fields = (self.named)(key).ok_or("it cannot be removed by rempart")?;
        let load = |fields: &Value| {
            let node = yaml::parse(&Source::new(format!("{}:{key}", self.name), fields.to_string()), Dialect::Playbook)
                .map_err(|told| why(&told))?;
            (self.load)(&node, context).map_err(|told| why(&told))
        };
        let mut absent = fields.clone();
        absent["state"] = "absent".into();
        let resource = load(&absent)?;
        if resource.id().key != key || !matches!(resource.desired(), Desired::Absent) {
            return Err("its key does not tell how to remove it".into());
        }
        // Some cannot be written down by their key alone; then nothing is known of what they bring.
        let brings = load(&fields).map(|present| present.provides()).unwrap_or_default();
        if brings.iter().any(|brought| matches!(brought, Provision::Unit(name) if is_lifeline_unit(name))) {
            return Err("rempart comes in by it, so it is never removed".into());
        }
        Ok(Gone { resource, brings })
    }
}

fn why(told: &Diagnostic) -> String {
    told.detail.clone().unwrap_or_else(|| told.summary.clone())
}

#[cfg(test)]
mod tests {
    use super::is_lasting;

    #[test]
    fn what_a_host_does_not_do_without_lasts() {
        for path in ["/", "/etc", "/srv", "/etc/passwd", "/boot/grub/grub.cfg", "/home/a/.ssh/authorized_keys"] {
            assert!(is_lasting(path), "{path}");
        }
        for path in ["/etc/motd.d/x", "/models", "/srv/x", "/etc/systemd/system/x.service", "/home/a/file"] {
            assert!(!is_lasting(path), "{path}");
        }
    }
}
