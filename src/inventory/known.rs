//! Owns the names of Ansible's connection variables: those that are followed, and those that may stand unremarked.
//!
//! Must not know what they mean.

use super::settings::{hidden, is_password};
use crate::model::{Diagnostic, Place, did_you_mean};

// Known, and without meaning for a tool that needs no Python and no files on the target.
const IGNORED: [&str; 32] = [
    "ansible_async_dir",
    "ansible_config_file",
    "ansible_control_path",
    "ansible_control_path_dir",
    "ansible_facts_parallel",
    "ansible_group_priority",
    "ansible_managed",
    "ansible_module_compression",
    "ansible_os_family",
    "ansible_paramiko_pty",
    "ansible_pipelining",
    "ansible_private_role_vars",
    "ansible_python_interpreter",
    "ansible_remote_tmp",
    "ansible_scp_executable",
    "ansible_scp_extra_args",
    "ansible_scp_if_ssh",
    "ansible_sftp_batch_mode",
    "ansible_sftp_executable",
    "ansible_sftp_extra_args",
    "ansible_shell_executable",
    "ansible_shell_type",
    "ansible_ssh_executable",
    "ansible_ssh_password_mechanism",
    "ansible_ssh_pipelining",
    "ansible_ssh_transfer_method",
    "ansible_ssh_use_tty",
    "ansible_ssh_verbosity",
    "ansible_sshpass_prompt",
    "ansible_system_tmpdirs",
    "ansible_use_ssh_args",
    "ansible_verbosity",
];

// One row for each thing, strongest name first.
pub(super) const HOST: &[&str] = &["ansible_ssh_host", "ansible_host"];
pub(super) const PORT: &[&str] = &["ansible_ssh_port", "ansible_port"];
pub(super) const USER: &[&str] = &["ansible_ssh_user", "ansible_user"];
pub(super) const PASSWORD: &[&str] = &["ansible_ssh_password", "ansible_ssh_pass", "ansible_password"];
pub(super) const KEY: &[&str] = &["ansible_ssh_private_key_file", "ansible_private_key_file"];
pub(super) const ARGS: &[&str] = &["ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"];
pub(super) const CHECKING: &[&str] = &["ansible_ssh_host_key_checking", "ansible_host_key_checking"];
pub(super) const BECOME: &[&str] = &["ansible_become"];
pub(super) const METHOD: &[&str] = &["ansible_become_method"];
pub(super) const BECOME_USER: &[&str] = &["ansible_sudo_user", "ansible_become_user"];
pub(super) const BECOME_PASSWORD: &[&str] = &["ansible_sudo_pass", "ansible_become_pass", "ansible_become_password"];
pub(super) const TIMEOUT: &[&str] = &["ansible_ssh_timeout", "ansible_timeout"];
pub(super) const TRIES: &[&str] = &["ansible_ssh_retries"];
pub(super) const CONNECTION: &[&str] = &["ansible_connection"];
const HONOURED: [&[&str]; 14] = [
    HOST,
    PORT,
    USER,
    PASSWORD,
    KEY,
    ARGS,
    CHECKING,
    BECOME,
    METHOD,
    BECOME_USER,
    BECOME_PASSWORD,
    TIMEOUT,
    TRIES,
    CONNECTION,
];

/// The warning about an `ansible_*` variable that has no effect here, if it has none.
pub(super) fn unknown(name: &str, place: &Place) -> Option<Diagnostic> {
    let honoured = || HONOURED.iter().copied().flatten().copied();
    if honoured().any(|known| known == name) || IGNORED.contains(&name) || name.ends_with("_interpreter") {
        return None;
    }
    let place = if is_password(name) { hidden(place) } else { place.clone() };
    let told = Diagnostic::warning("a variable of Ansible's that has no effect")
        .at(&place, format!("`{name}` is not a connection variable here"))
        .because("templates can use it, but connections do not");
    Some(match did_you_mean(name, honoured()) {
        Some(near) => told.fix(format!("did you mean `{near}`?")),
        None => told.fix("remove it if it was meant for the connection"),
    })
}
