//! Owns a change as data: one step on one host.

use super::{Part, Stat};
use crate::quote::Sh;
use crate::secret::Rendered;

// What a step says that says nothing.
const UNSAID: &str = "its kind does not say what it touches";

/// One command that changes a host, with what must hold before it and how it is undone.
///
/// The script runs under `set -eu` as root in POSIX sh with `LC_ALL=C`, umask 077 and no standard input. Payload `i`
/// stands in the file `"$P/i"`, readable by root alone, in memory; `"$RP_IMAGE"` is the folder of the step's before-image, for
/// notes that the way back of a broken step needs. These functions are at hand:
/// `rp_put SOURCE TARGET MODE OWNER GROUP [VALIDATOR]` replaces a file atomically: a temporary file beside it, owner
/// and mode before content, fsync, VALIDATOR (a shell function name called with the temporary path), rename, fsync of
/// the directory. It refuses a parent that is a symlink or belongs to somebody who is not root or OWNER, as does
/// `rp_parent DIRECTORY OWNER` alone; `rp_real PATH` refuses a path with a symlink on its way; `rp_link TARGET PATH OWNER
/// GROUP` makes a symbolic link in one rename; `rp_part_write FILE WAY TEXT LINES AFTER VALIDATOR [MODE OWNER GROUP]`
/// replaces a [`Part`] of a file by the lines in the file LINES.
#[derive(Clone, Debug)]
pub struct Step {
    /// Which resources of the batch it serves, by position.
    pub serves: Vec<usize>,
    /// What it does, in a few words, without secrets: `write /etc/squid/squid.conf`.
    pub title: String,
    /// What must hold on the host before it runs.
    pub expects: Vec<Expect>,
    /// What runs.
    pub script: Sh,
    /// What it reads from `"$P/0"`, `"$P/1"`, ...
    pub payloads: Vec<Rendered>,
    /// How it is taken back, by `rempart rollback` or by the guard.
    pub reversal: Reversal,
    /// Whether it can lock people out; the guard is armed before such a step.
    pub risky: bool,
    /// Whether all that it writes is on the disk when it ends, as after `rp_put`; else everything is synced after it.
    pub synced: bool,
    /// How long it may take, in seconds.
    pub timeout: u64,
    /// Whether the host reboots a moment after it, and how long it may take to be back, in seconds.
    pub reboots: Option<u64>,
}

impl Step {
    /// A step with a title and a script; five minutes at most.
    pub fn new(title: impl Into<String>, script: Sh) -> Self {
        Self {
            serves: Vec::new(),
            title: title.into(),
            expects: Vec::new(),
            script,
            payloads: Vec::new(),
            reversal: Reversal::Never(UNSAID),
            risky: false,
            synced: false,
            timeout: 300,
            reboots: None,
        }
    }

    /// Says which resources of the batch it serves.
    #[must_use]
    pub fn serving(mut self, positions: impl IntoIterator<Item = usize>) -> Self {
        self.serves = positions.into_iter().collect();
        self
    }

    /// Adds something that must hold before it runs.
    #[must_use]
    pub fn expecting(mut self, expect: Expect) -> Self {
        self.expects.push(expect);
        self
    }

    /// Adds a payload.
    #[must_use]
    pub fn with_payload(mut self, payload: Rendered) -> Self {
        self.payloads.push(payload);
        self
    }

    /// Says what it touches, and how that is taken back.
    #[must_use]
    pub fn undone_by(mut self, undo: Undo) -> Self {
        self.reversal = Reversal::Undo(undo);
        self
    }

    /// Says that nobody can take it back, and why.
    #[must_use]
    pub fn permanent(mut self, why: &'static str) -> Self {
        self.reversal = Reversal::Never(why);
        self
    }

    /// Says that it can lock people out. It must say how it is undone: the guard has nothing to put back otherwise.
    #[must_use]
    pub fn risky(mut self) -> Self {
        self.risky = true;
        self
    }

    /// Says that all it writes is on the disk when it ends.
    #[must_use]
    pub fn synced(mut self) -> Self {
        self.synced = true;
        self
    }

    /// Says that the host reboots once the step has ended, and within how many seconds it must be back.
    #[must_use]
    pub fn rebooting(mut self, within: u64) -> Self {
        self.reboots = Some(within);
        self
    }

    /// How it is taken back, if it can be.
    pub fn undo(&self) -> Option<&Undo> {
        match &self.reversal {
            Reversal::Undo(undo) => Some(undo),
            Reversal::Never(_) => None,
        }
    }

    /// Whether its kind says how it is taken back, or why it cannot be. One that says nothing is a bug.
    pub fn says_how_it_is_undone(&self) -> bool {
        !matches!(&self.reversal, Reversal::Never(why) if *why == UNSAID)
    }

    /// Sets how long it may take, in seconds.
    #[must_use]
    pub fn within(mut self, seconds: u64) -> Self {
        self.timeout = seconds;
        self
    }
}

/// What must hold on the host before a step runs: the last value that this run measured.
#[derive(Clone, Debug)]
pub enum Expect {
    /// The file is as it was when probed: same inode, size, change time, mode and owner; or still absent.
    File {
        /// Its path.
        path: String,
        /// As probed; `None` = absent.
        stat: Option<Stat>,
    },
    /// A read-only command prints this, trailing newlines aside.
    Prints {
        /// The command.
        command: Sh,
        /// What it must print.
        output: String,
    },
    /// Nothing to measure beforehand; the reason is for people.
    Nothing(&'static str),
}

/// Whether a step can be taken back.
#[derive(Clone, Debug)]
pub enum Reversal {
    /// The target copies what it touches beforehand, and can put it back.
    Undo(Undo),
    /// Nobody can; why, for people.
    Never(&'static str),
}

/// What a step touches, and so what the target keeps before it and can put back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undo {
    /// Everything it may touch; put back in this order, but units last.
    pub touches: Vec<Touch>,
    /// What makes the restored state effective, such as restarting a service; it must not depend on the network.
    pub after: Sh,
}

impl Undo {
    /// What puts these back, with nothing to be done afterwards.
    pub fn of(touches: impl IntoIterator<Item = Touch>) -> Self {
        Self { touches: touches.into_iter().collect(), after: Sh::default() }
    }

    /// Says what makes the restored state effective.
    #[must_use]
    pub fn then(mut self, after: Sh) -> Self {
        self.after = after;
        self
    }
}

/// One thing that a step may touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touch {
    /// One file or symlink; of a directory its own owner and mode, not what it holds.
    Path(String),
    /// A directory with all that it holds, or a file.
    Tree(String),
    /// In a file that others own: the lines that begin with `KEY:`, as in /etc/passwd.
    Line {
        /// The file.
        file: String,
        /// What stands before the first colon.
        key: String,
    },
    /// In /etc/group and the like: one user among the members of one group.
    Member {
        /// The file.
        file: String,
        /// The group.
        group: String,
        /// The user.
        user: String,
    },
    /// In a text file that others write in too: the lines that are one thing. A file that begins with `~NAME/` is of that
    /// account, as is such a path in `Path`.
    Part(Part),
    /// Owners and modes of all that is below a directory, on its file system: those that the step changes.
    Access(String),
    /// Debian packages: which are there, at which version, held or not. Whatever apt brings along is found out.
    Packages,
    /// A systemd unit: enabled or masked, and running or not.
    Unit(String),
    /// A kernel setting by its path below /proc/sys.
    Kernel(String),
    /// A home directory that is made with an account: it goes again while it holds no more than the skeleton.
    Home(String),
    /// A Docker container: there or not, running or not. One that was made anew cannot become the old one.
    Container(String),
    /// A Docker network: there or not, and how. One that was not there goes again while no container is in it.
    Network(String),
    /// A name of a Docker image: the image that has it. One that had it before must still be there.
    Image(String),
    /// The lines of /etc/fstab for one mount point, whose path holds no space.
    Fstab(String),
    /// What is mounted at a path without a space, and with which options. What is busy is not unmounted.
    Mount(String),
    /// What a command did that nobody can look at: it stands until the way back's own command has run.
    Effect(String),
}

impl Touch {
    /// The line that tells the target about it: a word and what it is about. Holds no control characters, which
    /// loading refuses in each of its parts; where one slipped through, the target refuses the line.
    pub fn line(&self) -> String {
        match self {
            Touch::Path(path) => format!("path {path}"),
            Touch::Tree(path) => format!("tree {path}"),
            Touch::Line { file, key } => format!("line {file} {key}"),
            Touch::Member { file, group, user } => format!("member {file} {group} {user}"),
            Touch::Part(part) => part.line(),
            Touch::Access(path) => format!("access {path}"),
            Touch::Packages => "packages all".to_owned(),
            Touch::Unit(name) => format!("unit {name}"),
            Touch::Kernel(path) => format!("kernel {path}"),
            Touch::Home(path) => format!("home {path}"),
            Touch::Container(name) => format!("container {name}"),
            Touch::Network(name) => format!("network {name}"),
            Touch::Image(name) => format!("image {name}"),
            Touch::Fstab(path) => format!("fstab {path}"),
            Touch::Mount(path) => format!("mount {path}"),
            Touch::Effect(name) => format!("effect {name}"),
        }
    }

    /// Reads such a line; `None` = a word that this version does not know.
    pub fn read(line: &str) -> Option<Self> {
        let (word, what) = line.split_once(' ')?;
        let two = || what.split_once(' ').map(|(file, rest)| (file.to_owned(), rest.to_owned()));
        Some(match word {
            "path" => Touch::Path(what.to_owned()),
            "tree" => Touch::Tree(what.to_owned()),
            "line" => two().map(|(file, key)| Touch::Line { file, key })?,
            "member" => {
                let (file, rest) = two()?;
                let (group, user) = rest.split_once(' ')?;
                Touch::Member { file, group: group.to_owned(), user: user.to_owned() }
            }
            "part" => Touch::Part(Part::read(what)?),
            "access" => Touch::Access(what.to_owned()),
            "packages" => Touch::Packages,
            "unit" => Touch::Unit(what.to_owned()),
            "kernel" => Touch::Kernel(what.to_owned()),
            "home" => Touch::Home(what.to_owned()),
            "container" => Touch::Container(what.to_owned()),
            "network" => Touch::Network(what.to_owned()),
            "image" => Touch::Image(what.to_owned()),
            "fstab" => Touch::Fstab(what.to_owned()),
            "mount" => Touch::Mount(what.to_owned()),
            "effect" => Touch::Effect(what.to_owned()),
            _ => return None,
        })
    }

    /// Whether putting one back may change how the other stands.
    pub fn overlaps(&self, other: &Touch) -> bool {
        let inside =
            |tree: &str, path: &str| path == tree || path.strip_prefix(tree).is_some_and(|rest| rest.starts_with('/'));
        match (self.path(), other.path()) {
            (Some(a), Some(b)) => match (self, other) {
                (Touch::Line { .. }, Touch::Line { .. })
                | (Touch::Member { .. }, Touch::Member { .. })
                | (Touch::Part(_), Touch::Part(_)) => self == other,
                _ => inside(a, b) || inside(b, a),
            },
            _ => self == other,
        }
    }

    // The file or folder that it is about.
    fn path(&self) -> Option<&str> {
        match self {
            Touch::Path(path) | Touch::Tree(path) | Touch::Home(path) | Touch::Access(path) => Some(path),
            Touch::Line { file, .. } | Touch::Member { file, .. } | Touch::Part(Part { file, .. }) => Some(file),
            Touch::Packages
            | Touch::Unit(_)
            | Touch::Kernel(_)
            | Touch::Container(_)
            | Touch::Network(_)
            | Touch::Image(_)
            | Touch::Fstab(_)
            | Touch::Mount(_)
            | Touch::Effect(_) => None,
        }
    }
}
