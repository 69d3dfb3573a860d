//! Owns whether a file that nobody named may be somebody else's: who owns it, and who could put another in its place.
//!
//! What is found because somebody stands in a folder (`rempart.toml`, `group_vars`, `host_vars`, `inventories`) chooses
//! keys, programs and proxy commands. So it counts only where nobody but the user and root can have written it.
//! Must not know what is in it.
//!
//! Who called sudo is the user, too. Groups are not asked: a folder that a group may write is somebody's decision, and
//! many systems give each user a group of one; what everybody may write is a slip, or `/tmp`.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const BY_EVERYBODY: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Those whose files are as good as the user's own.
#[derive(Clone, Debug)]
pub struct Owners {
    mine: Vec<u32>,
}

// What counts of a file or a folder.
#[derive(Clone, Copy)]
struct About {
    owner: u32,
    mode: u32,
}

impl Owners {
    /// The user; root always counts besides.
    pub fn user() -> Self {
        let me = rustix::process::geteuid();
        let caller = std::env::var("SUDO_UID").ok().and_then(|text| text.parse().ok());
        Self { mine: [me.as_raw()].into_iter().chain(caller.filter(|_| me.is_root())).collect() }
    }

    /// And whoever owns these: what stands beside an inventory that was named is as good as that.
    pub(super) fn and_of<'a>(mut self, named: impl Iterator<Item = &'a Path>) -> Self {
        self.mine.extend(named.filter_map(|path| fs::metadata(path).ok()).map(|about| about.uid()));
        self
    }

    /// Why a file or a folder may be somebody else's, or what it says may be; `None` if it is not, or is not there.
    pub fn doubt(&self, path: &Path) -> Option<String> {
        // What cannot be asked now may be read a moment later; so may what a link leads to that leads nowhere yet.
        self.doubt_of(path).unwrap_or_else(|error| Some(format!("whose it is cannot be told: {error}")))
    }

    fn doubt_of(&self, path: &Path) -> io::Result<Option<String>> {
        let about = |found: fs::Metadata| About { owner: found.uid(), mode: found.mode() };
        let entry = match fs::symlink_metadata(path) {
            Ok(found) => about(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let real = fs::canonicalize(path)?;
        let file = about(fs::metadata(&real)?);
        let folder = |path: &Path| {
            let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
            fs::metadata(above).map(about)
        };
        // A link is written by who owns it, wherever it leads; and what it leads to stands somewhere, too.
        let places = [(entry, folder(path)?), (file, folder(&real)?)];
        Ok(places.into_iter().find_map(|(entry, folder)| self.judge(entry, file, folder)))
    }

    fn judge(&self, entry: About, file: About, folder: About) -> Option<String> {
        let mine = |about: About| self.mine.contains(&about.owner);
        let trusted = |about: About| about.owner == 0 || mine(about);
        if let Some(other) = [entry, file].into_iter().find(|about| !trusted(*about)) {
            return Some(format!("it belongs to another user (uid {})", other.owner));
        }
        if file.mode & BY_EVERYBODY != 0 {
            return Some("everybody on this computer may write it".into());
        }
        if !trusted(folder) {
            return Some(format!("its folder belongs to another user (uid {})", folder.owner));
        }
        // In a sticky folder nobody removes or replaces what is mine; what is not may have been put there by anybody.
        let kept = folder.mode & STICKY != 0 && mine(entry);
        if folder.mode & BY_EVERYBODY != 0 && !kept {
            return Some("everybody on this computer may write into its folder".into());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn what_another_could_have_written_is_doubted() {
        let owners = Owners { mine: vec![1000] };
        let of = |owner, mode| About { owner, mode };
        let (mine, home) = (of(1000, 0o644), of(1000, 0o755));
        for (entry, file, folder, doubted) in [
            (mine, mine, home, false),
            (of(0, 0o644), of(0, 0o644), of(0, 0o755), false),
            (of(1001, 0o644), of(1001, 0o644), home, true),
            (of(1001, 0o777), mine, home, true),
            (of(1000, 0o777), of(1001, 0o644), home, true),
            (of(1000, 0o666), of(1000, 0o666), home, true),
            (of(1000, 0o664), of(1000, 0o664), of(1000, 0o775), false),
            (mine, mine, of(1001, 0o755), true),
            (mine, mine, of(0, 0o777), true),
            (mine, mine, of(0, 0o1777), false),
            (of(0, 0o644), of(0, 0o644), of(0, 0o1777), true),
        ] {
            let told = owners.judge(entry, file, folder);
            let words = format!("{}:{:o} in {}:{:o}", file.owner, file.mode, folder.owner, folder.mode);
            assert_eq!(told.is_some(), doubted, "{words}: {told:?}");
        }
    }

    #[test]
    fn a_link_is_followed_to_where_it_leads() {
        let folder = tempfile::tempdir().unwrap();
        let open = folder.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::write(open.join("file"), "").unwrap();
        symlink(open.join("file"), folder.path().join("link")).unwrap();
        let owners = Owners::user();
        assert_eq!(owners.doubt(&folder.path().join("link")), None);
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(owners.doubt(&folder.path().join("link")).is_some_and(|why| why.contains("into its folder")));
        assert_eq!(owners.doubt(&folder.path().join("gone")), None);
        // Not that it is not there, but that nobody can say: a link in a circle, for one.
        for (name, leads) in [("circle", "circle"), ("nowhere", "gone")] {
            symlink(leads, folder.path().join(name)).unwrap();
            assert!(
                owners.doubt(&folder.path().join(name)).is_some_and(|why| why.contains("cannot be told")),
                "{name}"
            );
        }
    }
}
