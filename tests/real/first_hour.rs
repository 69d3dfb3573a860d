//! docs/first-hour.md, followed line by line as a stranger would: every command of its first half, in its order.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::fixture::{REMPART, Ran, is_skipped, run};

/// How a command ends, where the page says that it does not end with 0.
const OTHERWISE: [(&str, i32); 2] = [("rempart doctor", 1), ("rempart lab exec -- rempart drift", 2)];

struct Stranger {
    home: tempfile::TempDir,
    folder: PathBuf,
}

impl Stranger {
    fn types(&self, line: &str) -> Ran {
        let programs = Path::new(REMPART).parent().unwrap().to_path_buf();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([programs].into_iter().chain(std::env::split_paths(&path))).unwrap();
        let mut command = Command::new("bash");
        command.args(["--norc", "-c", line]).current_dir(&self.folder);
        command.env("PATH", path).env("HOME", self.home.path()).env("NO_COLOR", "1").env_remove("SSH_AUTH_SOCK");
        for name in ["REMPART_INVENTORY", "REMPART_PRIVATE_KEY", "REMPART_KNOWN_HOSTS", "REMPART_STATE"] {
            command.env_remove(name);
        }
        run(command, Duration::from_secs(400))
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        if self.folder.join("rempart.toml").exists() {
            self.types("rempart lab down");
        }
    }
}

// The lines of the blocks for a shell, up to the half that needs hosts of the reader's own.
fn lines(page: &str) -> Vec<String> {
    let half = page.split("\n## Your inventory").next().unwrap();
    let blocks = half.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(str::lines).map(|line| line.trim_start_matches("sudo ").to_owned()).collect()
}

#[test]
fn the_page_is_followed_line_by_line() {
    if is_skipped("the first hour") {
        return;
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/first-hour.md");
    let lines = lines(&std::fs::read_to_string(page).unwrap());
    assert!(lines.len() > 15, "{lines:?}");
    let home = tempfile::tempdir().unwrap();
    let mut stranger = Stranger { folder: home.path().to_path_buf(), home };
    for line in &lines {
        if let Some(folder) = line.strip_prefix("cd ") {
            stranger.folder = stranger.folder.join(folder);
            continue;
        }
        let wanted = OTHERWISE.iter().find(|(known, _)| known == line).map_or(0, |(_, code)| *code);
        let ran = stranger.types(line);
        assert_eq!(ran.code, wanted, "`{line}`: {ran}");
        match line.as_str() {
            "rempart lab exec -- rempart drift" => assert!(ran.out.contains("directory:/srv/www"), "{ran}"),
            "rempart lab exec -- rempart facts web1" => assert!(ran.out.contains("os_codename"), "{ran}"),
            "rempart lab test" => assert!(ran.err.contains("The lab test passed"), "{ran}"),
            _ => {}
        }
    }
}
