//! Owns what a resource may learn about its host before anybody connects, and how it refuses a value.

use std::borrow::Cow;

use crate::model::HostName;
use crate::secret::Rendered;

/// Finds the hosts of a pattern with their addresses, in order; or says why there are none.
pub type Select<'a> = dyn Fn(&str) -> Result<Vec<(HostName, String)>, String> + 'a;

/// What a resource may learn about its host and fleet while it is loaded.
pub struct Context<'a> {
    /// The host it stands on.
    pub host: &'a HostName,
    /// The host's address as the inventory gives it.
    pub address: &'a str,
    /// The name that rempart logs in with, if the inventory says.
    pub login_user: Option<&'a str>,
    /// The port that rempart logs in at.
    pub ssh_port: u16,
    /// Finds the hosts of a pattern.
    pub select: &'a Select<'a>,
}

/// Why a resource refuses a value: which field, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field as written in the playbook; parts of it as `field.part`.
    pub field: Cow<'static, str>,
    /// What is wrong in a few words, if more can be said than that the kind cannot take the value.
    pub summary: Option<&'static str>,
    /// Why.
    pub why: String,
    /// What to do.
    pub fix: Option<String>,
}

impl Fault {
    /// A refusal.
    pub fn new(field: impl Into<Cow<'static, str>>, why: impl Into<String>) -> Self {
        Self { field: field.into(), summary: None, why: why.into(), fix: None }
    }

    /// Says in a few words what is wrong.
    #[must_use]
    pub fn called(mut self, summary: &'static str) -> Self {
        self.summary = Some(summary);
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

/// Checks that a value is a clean absolute path: no `..`, no doubled or trailing slash, no control characters.
///
/// # Errors
/// Says what is wrong with it.
pub fn absolute_path(field: &'static str, path: &str) -> Result<(), Fault> {
    let bad = |why: &str| Err(Fault::new(field, format!("`{}` {why}", path.escape_debug())));
    if !path.starts_with('/') {
        return bad("is not an absolute path");
    }
    if path.chars().any(char::is_control) {
        return bad("holds a control character");
    }
    if path.len() > 1 && path[1..].split('/').any(|part| matches!(part, "" | "." | "..")) {
        return bad("is not a clean path: no `..`, no `.`, no doubled or trailing slash");
    }
    Ok(())
}

/// Checks that a value is a file mode of three or four octal digits, as text.
///
/// # Errors
/// Says what is wrong with it.
pub fn mode_text(field: &'static str, mode: &str) -> Result<(), Fault> {
    if (3..=4).contains(&mode.len()) && mode.bytes().all(|b| (b'0'..=b'7').contains(&b)) {
        return Ok(());
    }
    Err(Fault::new(field, format!("`{}` is not a file mode", mode.escape_debug()))
        .fix("write three or four octal digits between quotes, such as \"0644\""))
}

/// Checks that a file with this text may be read by its owner and its group alone, where the text holds a secret.
///
/// # Errors
/// Others may read it, or write it.
pub fn private_mode(field: &'static str, mode: &str, content: Option<&Rendered>) -> Result<(), Fault> {
    let others = mode.bytes().next_back().is_some_and(|digit| digit != b'0');
    let Some(secret) = content.filter(|_| others).and_then(|content| content.secret_names().first().copied()) else {
        return Ok(());
    };
    let why = format!("with the mode {mode} every account of the host may open the secret {}", secret.escape_debug());
    Err(Fault::new(field, why)
        .called("a secret in a file that others may read")
        .fix("write mode: \"0600\", or \"0640\" and as `group` the one of the service that reads it"))
}

/// Checks that a value can be the name of a user, group, package or container: no spaces, no leading dash.
///
/// # Errors
/// Says what is wrong with it.
pub fn plain_name(field: &'static str, name: &str) -> Result<(), Fault> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-+:@~=".contains(c);
    if !name.is_empty() && name.len() <= 255 && !name.starts_with(['-', '.']) && name.chars().all(fine) {
        return Ok(());
    }
    Err(Fault::new(field, format!("`{}` cannot be a name", name.escape_debug()))
        .fix("use letters, digits and . _ - + : @ ~ =, beginning with a letter or digit"))
}
