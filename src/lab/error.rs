//! Owns the one error type of the lab: what went wrong, where, and what to do.
//! Must not know how an error is printed.

use std::path::PathBuf;

/// Everything that can stop a lab verb.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// Namespaces, mounts and debootstrap need root.
    #[error("a lab needs root: namespaces and mounts are made. Run the same command with sudo")]
    NotRoot,
    /// A program of the machine is not there.
    #[error("`{tool}` is not installed: run `apt-get install {package}`")]
    MissingTool {
        /// The program.
        tool: &'static str,
        /// The Debian package that brings it.
        package: &'static str,
    },
    /// The kernel has no overlay filesystem, or the state directory cannot hold one.
    #[error(
        "cannot mount an overlay on {path}: {why}. The kernel needs overlayfs (`modprobe overlay`) and the state directory must lie on ext4, xfs, btrfs or tmpfs (REMPART_LAB_STATE moves it)"
    )]
    NoOverlay {
        /// The mount point.
        path: PathBuf,
        /// The kernel's answer.
        why: String,
    },
    /// A value of the specification cannot be used.
    #[error("{what} `{value}`: {why}")]
    Spec {
        /// Which field.
        what: &'static str,
        /// What was given.
        value: String,
        /// Why it is refused.
        why: String,
    },
    /// No lab of that name is known in the state directory.
    #[error("no lab is named `{0}`")]
    NoSuchLab(String),
    /// The lab has no such host.
    #[error("lab `{lab}` has no host `{host}`; it has: {known}")]
    NoSuchHost {
        /// The lab.
        lab: String,
        /// What was asked for.
        host: String,
        /// The hosts it has, comma separated.
        known: String,
    },
    /// The host is not running.
    #[error("host `{host}` of lab `{lab}` is powered off: run `rempart lab up`")]
    HostOff {
        /// The lab.
        lab: String,
        /// The host.
        host: String,
    },
    /// A running lab was asked to be something else.
    #[error("lab `{lab}` is there with another {what}: run `rempart lab down --name {lab}` first")]
    Changed {
        /// The lab.
        lab: String,
        /// What differs.
        what: String,
    },
    /// A namespace of the lab's name belongs to someone else.
    #[error(
        "the network namespace `{0}` exists and is not of this state directory: choose another lab name, or remove it with `ip netns delete {0}`"
    )]
    NamespaceInUse(String),
    /// The mirror's address is taken.
    #[error("cannot listen on {address} inside the lab: {why}")]
    PortInUse {
        /// Address and port.
        address: String,
        /// The kernel's answer.
        why: String,
    },
    /// The machine's apt sources name no Debian archive.
    #[error(
        "no Debian archive in this machine's apt sources (/etc/apt/sources.list, /etc/apt/sources.list.d): add one, or set REMPART_LAB_MIRROR to its URL"
    )]
    MirrorNotFound,
    /// debootstrap does not know the release.
    #[error("debootstrap knows no release `{0}`: bookworm, trixie and bullseye are usual")]
    UnknownRelease(String),
    /// The base image could not be made.
    #[error("building the image of {release} failed; the whole log is {log}\n{tail}")]
    ImageBuild {
        /// The Debian release.
        release: String,
        /// The log file.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// The host did not answer on its SSH port in time.
    #[error("host `{host}` did not answer within {seconds} s; its console ends with:\n{tail}")]
    BootTimeout {
        /// The host.
        host: String,
        /// How long was waited, in seconds.
        seconds: u64,
        /// Last lines of its console.
        tail: String,
    },
    /// The host stopped while it was expected to start.
    #[error("host `{host}` stopped while booting; its console ends with:\n{tail}")]
    HostDied {
        /// The host.
        host: String,
        /// Last lines of its console.
        tail: String,
    },
    /// A process of the lab did not come up.
    #[error("the lab's {what} did not start; its log ends with:\n{tail}")]
    ServeDied {
        /// Which process.
        what: String,
        /// Last lines of its log.
        tail: String,
    },
    /// Something did not end although it was killed.
    #[error("{what} is still there after it was stopped; nothing was removed")]
    StillThere {
        /// What.
        what: String,
    },
    /// A program of the machine failed.
    #[error("`{command}` failed ({status}): {stderr}")]
    Tool {
        /// Program and arguments.
        command: String,
        /// How it ended.
        status: String,
        /// The end of what it said.
        stderr: String,
    },
    /// The operating system refused something.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was being done, with the path.
        doing: String,
        /// The reason.
        source: std::io::Error,
    },
}

/// Short for the results of this module.
pub type Result<T> = std::result::Result<T, LabError>;

/// Names what was being done when the system said no.
pub(super) fn io<T>(doing: impl Into<String>, result: std::result::Result<T, impl Into<std::io::Error>>) -> Result<T> {
    result.map_err(|source| LabError::Io { doing: doing.into(), source: source.into() })
}
