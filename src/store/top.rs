//! Owns which project a store belongs to: what lies below one top can be moved by whoever writes to that project.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The tops of the projects that may have named a store, and whether those names are remembered with it.
#[derive(Debug)]
pub(super) struct Tops {
    /// Of the place where rempart runs, and of the folder that the store stands in by its name.
    pub all: Vec<PathBuf>,
    /// Those that the store is a part of. Who names a store by a path from the root may be anywhere.
    pub own: Vec<PathBuf>,
}

impl Tops {
    /// The tops of a store. Links in its own name are not followed: they are a part of the project, too.
    pub fn of(root: &Path) -> Self {
        let above = root.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let beside = fs::canonicalize(above).ok().and_then(|above| top_of(&above));
        let here = env::current_dir().ok().and_then(|here| fs::canonicalize(here).ok()).and_then(|here| top_of(&here));
        let is_from_here = root.is_relative();
        let own = once(beside.iter().chain(here.iter().filter(|_| is_from_here)));
        Self { all: once(beside.iter().chain(&here)), own }
    }
}

fn once<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = paths.cloned().collect();
    all.sort();
    all.dedup();
    all
}

// The nearest repository of git, and where there is none, the nearest folder with settings of a project.
fn top_of(from: &Path) -> Option<PathBuf> {
    let holds = |name: &str| from.ancestors().find(|at| at.join(name).exists()).map(Path::to_owned);
    holds(".git").or_else(|| holds("rempart.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_counts_before_settings_and_a_link_is_no_way_out() {
        let place = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(place.path()).unwrap();
        let deep = top.join("repository/deep/project");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("rempart.toml"), "").unwrap();
        assert_eq!(top_of(&deep), Some(deep.clone()));
        fs::create_dir(top.join("repository/.git")).unwrap();
        assert_eq!(top_of(&deep), Some(top.join("repository")));
        fs::create_dir(top.join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(top.join("elsewhere"), deep.join("secrets")).unwrap();
        assert_eq!(Tops::of(&deep.join("secrets")).own, [top.join("repository")]);
    }
}
