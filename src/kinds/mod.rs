//! Owns the kinds: one file each, and the registry that lists them.
//!
//! A kind reads and proposes; it must not know the transport, plans, the engine, other kinds' insides, the clock, or
//! this machine's files and network. To add one: its file, and its two sorted lines here.

mod apt_repository;
mod apt_unattended_upgrades;
mod archive;
mod assert;
mod auditd;
mod authorized_key;
mod command;
mod cron;
mod directory;
mod docker;
mod docker_compose;
mod docker_container;
mod docker_image;
mod docker_network;
mod download;
mod file;
mod firewall_nftables;
mod firewall_rule;
mod firewall_ufw;
mod group;
mod http_probe;
mod journald;
mod line;
mod logrotate;
mod mount;
mod ollama_model;
mod package_apt;
mod port_scan;
mod postgres;
mod postgres_database;
mod postgres_role;
mod postgres_setting;
mod reboot;
mod squid;
mod sshd;
mod sudoers;
mod symlink;
mod sysctl;
mod systemd_credential;
mod systemd_timer;
mod systemd_unit;
mod template;
mod user;

use crate::resource::{Entry, Resource, Reversal, Seen, Touch};

/// Every kind, sorted by name.
pub const KINDS: &[Entry] = &[
    Entry::of::<apt_repository::AptRepository>(),
    Entry::of::<apt_unattended_upgrades::AptUnattendedUpgrades>(),
    Entry::of::<archive::Archive>(),
    Entry::of::<assert::Assert>(),
    Entry::of::<auditd::Auditd>(),
    Entry::of::<authorized_key::AuthorizedKey>(),
    Entry::of::<command::Command>(),
    Entry::of::<cron::Cron>(),
    Entry::of::<directory::Directory>(),
    Entry::of::<docker_compose::DockerCompose>(),
    Entry::of::<docker_container::DockerContainer>(),
    Entry::of::<docker_image::DockerImage>(),
    Entry::of::<docker_network::DockerNetwork>(),
    Entry::of::<download::Download>(),
    Entry::of::<file::File>(),
    Entry::of::<firewall_nftables::FirewallNftables>(),
    Entry::of::<firewall_rule::FirewallRule>(),
    Entry::of::<firewall_ufw::FirewallUfw>(),
    Entry::of::<group::Group>(),
    Entry::of::<http_probe::HttpProbe>(),
    Entry::of::<journald::Journald>(),
    Entry::of::<line::Line>(),
    Entry::of::<logrotate::Logrotate>(),
    Entry::of::<mount::Mount>(),
    Entry::of::<ollama_model::OllamaModel>(),
    Entry::of::<package_apt::PackageApt>(),
    Entry::of::<port_scan::PortScan>(),
    Entry::of::<postgres_database::PostgresDatabase>(),
    Entry::of::<postgres_role::PostgresRole>(),
    Entry::of::<postgres_setting::PostgresSetting>(),
    Entry::of::<reboot::Reboot>(),
    Entry::of::<squid::Squid>(),
    Entry::of::<sshd::Sshd>(),
    Entry::of::<sudoers::Sudoers>(),
    Entry::of::<symlink::Symlink>(),
    Entry::of::<sysctl::Sysctl>(),
    Entry::of::<systemd_credential::SystemdCredential>(),
    Entry::of::<systemd_timer::SystemdTimer>(),
    Entry::of::<systemd_unit::SystemdUnit>(),
    Entry::of::<template::Template>(),
    Entry::of::<user::User>(),
];

/// The row of a kind.
pub fn find(name: &str) -> Option<&'static Entry> {
    KINDS.iter().find(|entry| entry.name == name)
}

/// Why a change of this resource, from what was seen, could not be taken back; `None` = it could.
pub fn permanent(resource: &dyn Resource, seen: &Seen, fields: &[String]) -> Option<&'static str> {
    let steps = (find(resource.kind())?.steps)(&[(resource, seen, fields)]);
    let stands = matches!(seen, Seen::Present(_));
    steps.into_iter().find_map(|step| match &step.reversal {
        Reversal::Never(why) => Some(*why),
        // A host keeps no copy of what a secret is written over, since that may hold an old one.
        Reversal::Undo(undo) => (stands
            && step.payloads.iter().any(crate::secret::Rendered::is_secret)
            && undo.touches.iter().any(|touch| !matches!(touch, Touch::Effect(_))))
        .then_some("what a secret is written over is not kept"),
    })
}

/// The ids of what a resource makes: its own, unless its kind makes several things of one item.
pub fn parts(kind: &str, key: &str) -> Vec<String> {
    let keys = find(kind).map_or_else(|| vec![key], |entry| (entry.parts)(key));
    keys.into_iter().map(|key| format!("{kind}:{key}")).collect()
}

#[cfg(test)]
mod tests;
