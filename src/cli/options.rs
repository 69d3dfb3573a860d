//! Owns the groups of flags that several verbs share.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::Stopped;
use super::secrets::OfStore;
use crate::inventory::Overrides;
use crate::model::{Diagnostic, Phase, Place, did_you_mean};
use crate::report::Colour;
use crate::secret::Secret;

/// When to use colour.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum ColorWish {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl From<ColorWish> for Colour {
    fn from(wish: ColorWish) -> Colour {
        match wish {
            ColorWish::Auto => Colour::Auto,
            ColorWish::Always => Colour::Always,
            ColorWish::Never => Colour::Never,
        }
    }
}

/// How to print.
#[derive(Debug, Args)]
pub(super) struct Output {
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = ColorWish::Auto, help_heading = "Output")]
    pub color: ColorWish,

    /// Print results and errors only
    #[arg(short, long, global = true, help_heading = "Output")]
    pub quiet: bool,
}

/// Which inventory.
#[derive(Clone, Debug, Args)]
pub(super) struct Inventories {
    /// Inventory: file, program, folder or `host1,host2,`, as Ansible's; may be given several times
    #[arg(short, long = "inventory", value_name = "PATH", env = "REMPART_INVENTORY", help_heading = "Fleet")]
    pub inventory: Vec<PathBuf>,

    /// Set a variable on every host; the value is YAML; wins over the inventory
    #[arg(short = 'e', long = "set", value_name = "NAME=VALUE", help_heading = "Fleet")]
    pub set: Vec<String>,

    #[command(flatten)]
    pub store: OfStore,

    #[command(flatten)]
    pub project: OfProject,
}

/// What `rempart.toml` says and the command line cannot: each is weaker than something that is no flag.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct OfProject {
    /// Read where no inventory is named
    #[arg(long, hide = true)]
    pub project_inventory: Vec<PathBuf>,

    /// The login name where the inventory has none
    #[arg(long, hide = true)]
    pub project_user: Option<String>,

    /// Seconds to connect where the inventory has none
    #[arg(long, hide = true)]
    pub project_timeout: Option<u64>,
}

impl Inventories {
    /// Those that a run was made with; what the project says about connections still holds.
    pub fn of_run(&self, inventory: Vec<PathBuf>) -> Self {
        Self { inventory, ..self.clone() }
    }

    /// The paths that are meant: those named, those of the project, or the usual folder.
    pub fn paths(&self) -> Vec<PathBuf> {
        match (self.inventory.as_slice(), self.project.project_inventory.as_slice()) {
            ([], []) => vec![PathBuf::from("inventories")],
            ([], project) => project.to_vec(),
            (named, _) => named.to_vec(),
        }
    }
}

/// Which part of it.
#[derive(Clone, Debug, Args)]
pub(super) struct Selection {
    /// Only these hosts: `web`, `web:&prod`, `all:!db1`, `~regex`, `@file`
    #[arg(short, long, value_name = "PATTERN", help_heading = "Fleet")]
    pub limit: Option<String>,

    /// Only resources with one of these tags
    #[arg(short, long, value_name = "TAG", value_delimiter = ',', help_heading = "Fleet")]
    pub tags: Vec<String>,

    /// No resources with one of these tags
    #[arg(long, value_name = "TAG", value_delimiter = ',', help_heading = "Fleet")]
    pub skip_tags: Vec<String>,

    /// Only these phases
    #[arg(long, value_name = "PHASE", value_delimiter = ',', value_parser = phase, help_heading = "Fleet")]
    pub phase: Vec<Phase>,
}

/// How to get there.
#[derive(Debug, Args)]
pub(super) struct Connection {
    /// How many hosts at once
    #[arg(short, long, default_value_t = 50, value_name = "N", value_parser = forks, help_heading = "Connection")]
    pub forks: usize,

    /// Log in as this user
    #[arg(short, long, value_name = "NAME", help_heading = "Connection")]
    pub user: Option<String>,

    /// Try this private key first
    #[arg(long, value_name = "FILE", env = "REMPART_PRIVATE_KEY", help_heading = "Connection")]
    pub private_key: Option<PathBuf>,

    /// known_hosts file to read in the place of the usual ones
    #[arg(long, value_name = "FILE", env = "REMPART_KNOWN_HOSTS", help_heading = "Connection")]
    pub known_hosts: Vec<PathBuf>,

    /// ssh_config to read in the place of the usual ones
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    pub ssh_config: Option<PathBuf>,

    /// Ask for the login password
    #[arg(short = 'k', long, help_heading = "Connection")]
    pub ask_pass: bool,

    /// Ask for the password of sudo
    #[arg(short = 'K', long, help_heading = "Connection")]
    pub ask_become_pass: bool,

    /// Read the password of sudo from a file
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    pub become_password_file: Option<PathBuf>,

    /// Seconds that connecting and logging in may take
    #[arg(short = 'T', long, value_name = "SECONDS", help_heading = "Connection")]
    pub timeout: Option<u64>,
}

impl Connection {
    /// What the command line says for every host; asks for passwords where told to.
    pub fn overrides(&self) -> Result<Overrides, Stopped> {
        let become_password = match (&self.become_password_file, self.ask_become_pass) {
            (Some(path), _) => Some(password_from(path, "sudo password")?),
            (None, true) => Some(ask_password("Password of sudo: ", "sudo password")?),
            (None, false) => None,
        };
        let password = if self.ask_pass { Some(ask_password("Login password: ", "login password")?) } else { None };
        Ok(Overrides {
            user: self.user.clone(),
            key: self.private_key.clone(),
            password,
            become_password,
            known_hosts: self.known_hosts.clone(),
            ssh_config: self.ssh_config.clone(),
            connect_timeout: self.timeout.map(Duration::from_secs),
            ..Overrides::default()
        })
    }
}

/// Asks a person for a password, without echo.
pub(super) fn ask_password(prompt: &str, name: &str) -> Result<Secret, Stopped> {
    rpassword::prompt_password(prompt).map(|text| Secret::new(name, text)).map_err(|error| {
        let told = Diagnostic::error("a password was to be asked for").because(error.to_string());
        Stopped::usage(told.fix("run it in a terminal, or give the password by a file"))
    })
}

/// What is to be said of a file with a password that others may read; a pipe is nobody else's.
pub(super) fn open_to_others(path: &Path) -> Option<Diagnostic> {
    let meta = std::fs::metadata(path).ok()?;
    let open = meta.is_file() && meta.permissions().mode() & 0o077 != 0;
    open.then(|| {
        let place = Place::outside(&path.display().to_string());
        let told = Diagnostic::warning("others may read a file that holds a password").at(&place, "");
        told.because(format!("its mode is {:04o}", meta.permissions().mode() & 0o7777))
            .fix(format!("chmod 600 {}", path.display()))
    })
}

/// Reads a password from a file, without the newline at its end.
pub(super) fn password_from(path: &Path, name: &str) -> Result<Secret, Stopped> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let place = Place::outside(&path.display().to_string());
        Diagnostic::error("cannot read a file").at(&place, "").because(error.to_string())
    })?;
    Ok(Secret::new(name, text.trim_end_matches(['\n', '\r'])))
}

fn forks(text: &str) -> Result<usize, String> {
    // Each host that is worked on holds a thread; more than this is slower, not faster.
    text.parse().ok().filter(|forks| (1..=500).contains(forks)).ok_or_else(|| "it takes a number from 1 to 500".into())
}

fn phase(text: &str) -> Result<Phase, String> {
    Phase::ALL.into_iter().find(|phase| phase.name() == text).ok_or_else(|| {
        let names = Phase::ALL.map(Phase::name);
        match did_you_mean(text, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the phases are {}", names.join(", ")),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn a_password_that_others_may_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("first");
        fs::write(&file, "x\n").unwrap();
        let told = |mode| {
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            open_to_others(&file).map(|told| told.fix.unwrap_or_default())
        };
        assert_eq!(told(0o644), Some(format!("chmod 600 {}", file.display())));
        assert!(told(0o640).is_some() && told(0o600).is_none() && told(0o400).is_none());
        assert!(open_to_others(Path::new("/dev/null")).is_none());
    }
}
