//! Owns the names of Ansible's connection variables: those that are followed, those that are told to have no effect, and
//! those that may stand unremarked.
//!
//! Must not know what they mean.

use super::settings::{hidden, is_password};
use crate::model::{Diagnostic, Place, did_you_mean};

// About Ansible's own work on a host (Python, temporary files, copying), which is not done here; about facts and playbooks;
// and how much is told. None of it changes where, as whom or by which key a host is reached.
const SILENT: [&str; 34] = [
    "ansible_admin_users",
    "ansible_async_dir",
    "ansible_common_remote_group",
    "ansible_config_file",
    "ansible_control_path",
    "ansible_control_path_dir",
    "ansible_deprecation_warnings",
    "ansible_facts_modules",
    "ansible_facts_parallel",
    "ansible_group_priority",
    "ansible_interpreter_python_fallback",
    "ansible_managed",
    "ansible_module_compression",
    "ansible_no_target_syslog",
    "ansible_os_family",
    "ansible_pipelining",
    "ansible_private_role_vars",
    "ansible_python_module_rlimit_nofile",
    "ansible_remote_tmp",
    "ansible_scp_executable",
    "ansible_scp_extra_args",
    "ansible_scp_if_ssh",
    "ansible_sftp_batch_mode",
    "ansible_sftp_executable",
    "ansible_sftp_extra_args",
    "ansible_shell_allow_world_readable_temp",
    "ansible_ssh_password_mechanism",
    "ansible_ssh_pipelining",
    "ansible_ssh_transfer_method",
    "ansible_ssh_verbosity",
    "ansible_sshpass_prompt",
    "ansible_system_tmpdirs",
    "ansible_target_log_info",
    "ansible_verbosity",
];

// These change in Ansible how a host is reached, and do not here: told by name, with the reason.
const WITHOUT_EFFECT: [(&str, &str); 16] = [
    ("ansible_ssh_executable", "rempart speaks SSH itself and starts no ssh"),
    ("ansible_use_ssh_args", "the arguments of ssh that the inventory gives are always read"),
    ("ansible_ssh_use_tty", "rempart never asks for a terminal; a sudo that wants one is told with the line to change"),
    (
        "ansible_paramiko_pty",
        "rempart never asks for a terminal; a sudo that wants one is told with the line to change",
    ),
    ("ansible_shell_executable", "scripts run in /bin/sh, whatever the login shell is"),
    ("ansible_shell_type", "scripts run in /bin/sh, whatever the login shell is"),
    ("ansible_become_exe", "root is become by `sudo`, as it is found in the account's PATH"),
    ("ansible_sudo_exe", "root is become by `sudo`, as it is found in the account's PATH"),
    ("ansible_become_flags", "sudo is started with rempart's own flags"),
    ("ansible_sudo_flags", "sudo is started with rempart's own flags"),
    ("ansible_sudo_chdir", "scripts run in `/`"),
    ("ansible_private_key", "a key is named by its file, or stands in the agent"),
    ("ansible_ssh_private_key", "a key is named by its file, or stands in the agent"),
    ("ansible_private_key_passphrase", "a key with a passphrase is taken from the agent: load it with ssh-add"),
    ("ansible_ssh_private_key_passphrase", "a key with a passphrase is taken from the agent: load it with ssh-add"),
    ("ansible_ssh_pkcs11_provider", "a key on a card is taken from the agent: load it with ssh-add -s"),
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
    if honoured().any(|known| known == name) || SILENT.contains(&name) || name.ends_with("_interpreter") {
        return None;
    }
    let place = if is_password(name) { hidden(place) } else { place.clone() };
    let told = Diagnostic::warning("a variable of Ansible's that has no effect")
        .at(&place, format!("`{name}` is not a connection variable here"));
    if let Some((_, why)) = WITHOUT_EFFECT.iter().find(|(known, _)| *known == name) {
        return Some(told.because(*why).fix("remove it if it was meant for the connection"));
    }
    let told = told.because("templates can use it, but connections do not");
    Some(match did_you_mean(name, honoured()) {
        Some(near) => told.fix(format!("did you mean `{near}`?")),
        None => told.fix("remove it if it was meant for the connection"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Every variable of Ansible 2.19's plugins ssh, paramiko_ssh and sudo, and of its magic variables for connections.
    const OF_ANSIBLE: &str = "ansible_become ansible_become_exe ansible_become_flags ansible_become_method \
        ansible_become_pass ansible_become_password ansible_become_user ansible_connection ansible_control_path \
        ansible_control_path_dir ansible_host ansible_host_key_checking ansible_paramiko_host \
        ansible_paramiko_host_key_checking ansible_paramiko_pass ansible_paramiko_password ansible_paramiko_port \
        ansible_paramiko_private_key_file ansible_paramiko_proxy_command ansible_paramiko_timeout \
        ansible_paramiko_use_rsa_sha2_algorithms ansible_paramiko_user ansible_password ansible_pipelining ansible_port \
        ansible_private_key ansible_private_key_file ansible_private_key_passphrase ansible_scp_executable \
        ansible_scp_extra_args ansible_sftp_batch_mode ansible_sftp_executable ansible_sftp_extra_args \
        ansible_shell_executable ansible_shell_type ansible_ssh_args ansible_ssh_common_args ansible_ssh_executable \
        ansible_ssh_extra_args ansible_ssh_host ansible_ssh_host_key_checking ansible_ssh_pass ansible_ssh_password \
        ansible_ssh_password_mechanism ansible_ssh_pipelining ansible_ssh_pkcs11_provider ansible_ssh_port \
        ansible_ssh_private_key ansible_ssh_private_key_file ansible_ssh_private_key_passphrase ansible_ssh_retries \
        ansible_ssh_timeout ansible_ssh_transfer_method ansible_ssh_use_tty ansible_ssh_user ansible_ssh_verbosity \
        ansible_sshpass_prompt ansible_sudo_chdir ansible_sudo_exe ansible_sudo_flags ansible_sudo_pass \
        ansible_sudo_user ansible_timeout ansible_user";

    #[test]
    fn every_variable_of_a_connection_is_followed_or_told_or_cannot_matter() {
        let honoured: Vec<&str> = HONOURED.iter().copied().flatten().copied().collect();
        let place = Place::outside("hosts.yaml");
        for name in OF_ANSIBLE.split_whitespace() {
            let told = unknown(name, &place);
            let followed = honoured.contains(&name);
            assert_eq!(told.is_none(), followed || SILENT.contains(&name), "{name}");
            // Nothing about paramiko, keys or sudo passes unremarked.
            let matters = ["paramiko", "private_key", "sudo", "become", "pkcs11", "executable", "shell"];
            if !followed
                && matters.iter().any(|part| name.contains(part))
                && !name.contains("scp")
                && !name.contains("sftp")
            {
                assert!(told.is_some_and(|told| told.place.is_some()), "{name} passes unremarked");
            }
        }
        for (name, _) in WITHOUT_EFFECT {
            assert!(!honoured.contains(&name) && !SILENT.contains(&name), "{name}");
        }
    }
}
