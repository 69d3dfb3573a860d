//! Owns the judgement of a host: each part of the way in that the plan touches, now and then.

use std::collections::BTreeMap;

use super::question::{KEYS, SOCKET, SSHD, SUDO, WRAPPED, WRAPPERS};
use super::scene::{Account, Connection, Scene};
use super::sshd::Settings;
use super::touched::Touched;
use super::ufw::standing;
use super::verdict::{Found, Part, PartVerdict, WayIn};
use super::{access, firewall, keys, sudo};
use crate::resource::{ForeseenFile, ForeseenText, Origin, unit_state};
use crate::transport::{Login, Method};

/// Judges the way into a host as the plan will leave it.
pub fn judge(scene: &Scene<'_>) -> WayIn {
    let touched = Touched::by(scene.foreseen, &scene.login.user);
    let connection = scene.connection();
    let mut verdicts = Vec::new();
    let mut tell = |part: Part, found: Found, origin: Option<Origin>| verdicts.push(found.of(part, origin.as_ref()));
    let unclear = |why: &String| Found::Undecided(why.clone());
    network(scene, connection.as_ref().ok(), &mut tell);
    if touched.firewall() {
        match &connection {
            Ok(connection) => {
                let (found, origin) = firewall::judge(scene, *connection, touched);
                tell(Part::Firewall, found, origin);
            }
            Err(why) => tell(Part::Firewall, unclear(why), scene.foreseen.sole_origin()),
        }
    }
    service(scene, &mut tell);
    let account = scene.account();
    if touched.sshd || touched.keys || touched.account {
        match (&connection, &account) {
            (Ok(connection), Ok(account)) => login(scene, *connection, account, touched, &mut tell),
            (Err(why), _) | (_, Err(why)) => tell(Part::Admission, unclear(why), scene.foreseen.sole_origin()),
        }
    }
    before_the_account(scene, connection.as_ref().ok(), touched, &mut tell);
    if touched.sudo && scene.by_sudo {
        root(scene, &mut tell);
    }
    verdicts.sort_by_key(|verdict: &PartVerdict| verdict.part);
    let connection = connection.ok();
    WayIn {
        from: connection.map(|known| known.from),
        to: connection.map(|known| known.to),
        port: connection.map(|known| known.port),
        user: scene.login.user.clone(),
        with: scene.login.method.words(),
        verdicts,
    }
}

/// The way into a host that could not be asked.
pub fn unknown(login: Option<&Login>, why: &str) -> WayIn {
    WayIn {
        from: None,
        to: None,
        port: None,
        user: login.map(|login| login.user.clone()).unwrap_or_default(),
        with: login.map(|login| login.method.words()).unwrap_or_default(),
        verdicts: vec![Found::Undecided(why.to_owned()).of(Part::Network, None)],
    }
}

type Tell<'a> = dyn FnMut(Part, Found, Option<Origin>) + 'a;

const NETWORK_FILES: [&str; 4] = ["/etc/systemd/network/", "/etc/network/", "/etc/netplan/", "/etc/NetworkManager/"];
const NETWORKS: [&str; 3] = ["systemd-networkd.service", "networking.service", "NetworkManager.service"];

fn network(scene: &Scene<'_>, connection: Option<&Connection>, tell: &mut Tell<'_>) {
    let by_ipv6 = connection.is_none_or(|known| known.to.is_ipv6());
    for (name, (value, origin)) in &scene.foreseen.sysctls {
        if by_ipv6 && value != "0" {
            let found =
                Found::Closed(format!("{name} = {value} takes IPv6 away, by which we come"), "reach it by IPv4");
            tell(Part::Network, found, Some(origin.clone()));
        }
    }
    for (path, file) in &scene.foreseen.files {
        let told = |what: &str| Found::Undecided(format!("what {path} makes of {what} is not simulated"));
        if NETWORK_FILES.iter().any(|tree| path.starts_with(tree)) {
            tell(Part::Network, told("the network"), Some(file.origin.clone()));
        } else if path.starts_with("/etc/systemd/system/ssh") {
            tell(Part::Listening, told("sshd"), Some(file.origin.clone()));
        }
    }
    for name in NETWORKS {
        if let Some(unit) = scene.foreseen.units.get(name) {
            let why = format!("what becomes of the network when {name} changes is not simulated");
            tell(Part::Network, Found::Undecided(why), Some(unit.origin.clone()));
        }
    }
    if let Some(unit) = scene.foreseen.units.get("firewalld.service") {
        let why = "firewalld is not simulated".to_owned();
        tell(Part::Firewall, Found::Undecided(why), Some(unit.origin.clone()));
    }
}

// Whether anybody listens at all.
fn service(scene: &Scene<'_>, tell: &mut Tell<'_>) {
    let fix = "leave ssh.service or ssh.socket running and enabled";
    let units = &scene.foreseen.units;
    let stops =
        |name: &str| units.get(name).is_some_and(|unit| unit.active == Some(false) || unit.masked == Some(true));
    for name in ["ssh.service", "sshd.service", "ssh.socket"] {
        let Some(unit) = units.get(name) else { continue };
        let (socket, service) = match (unit_state(scene.answer, "ssh.socket"), unit_state(scene.answer, "ssh.service"))
        {
            (Ok(socket), Ok(service)) => (socket.is_active(), service.is_active()),
            (Err(why), _) | (_, Err(why)) => {
                tell(Part::Listening, Found::Undecided(why.to_string()), Some(unit.origin.clone()));
                continue;
            }
        };
        let by_socket = socket && !stops("ssh.socket");
        let by_service = service && !stops("ssh.service") && !stops("sshd.service");
        let is_socket = name == "ssh.socket";
        let found = if unit.masked == Some(true) && !is_socket {
            Found::Closed(format!("{name} would be masked, so nobody would answer"), fix)
        } else if stops(name) && !by_socket && (!is_socket || socket) && !by_service {
            Found::Closed(format!("{name} would not run, so nobody would listen"), fix)
        } else if stops(name) && is_socket && socket {
            // The service was handed its socket, and keeps it until it is restarted.
            Found::Undecided(format!("{name} would not run"))
        } else if unit.enabled == Some(false) && !by_socket {
            Found::Undecided(format!("the next boot would not start {name}"))
        } else if unit.rewritten {
            Found::Undecided(format!("what the files of {name} do is not simulated"))
        } else {
            continue;
        };
        tell(Part::Listening, found, Some(unit.origin.clone()));
    }
}

fn login(scene: &Scene<'_>, connection: Connection, account: &Account, touched: Touched, tell: &mut Tell<'_>) {
    let foreseen = scene.foreseen;
    let Connection { from, to, port } = connection;
    let user = scene.login.user.as_str();
    let then_account = scene.account_then(account);
    let account_origin = scene.account_origin();
    let sshd_file = || foreseen.file(|path| path.starts_with("/etc/ssh/")).map(|(_, file)| file.origin.clone());
    let sshd_origin = || foreseen.sole_origin().or_else(sshd_file);
    if let Some((path, file)) = foreseen.hidden().find(|(path, _)| path.starts_with("/etc/ssh/")) {
        let why = format!("{path} will hold a secret, so nobody looked into it");
        return tell(Part::Admission, Found::Undecided(why), Some(file.origin.clone()));
    }
    let read = |section: &str| scene.text(section).and_then(Settings::read);
    let now = match read(SSHD[0]) {
        Ok(now) => now,
        Err(why) => return tell(Part::Admission, Found::Undecided(format!("sshd -T: {why}")), sshd_origin()),
    };
    let then = match read(SSHD[1]) {
        Ok(then) => then,
        Err(why) => {
            let refused = scene.answer.section(SSHD[1]).is_ok_and(|section| !matches!(section.status, 0 | 125 | 127));
            let found = if refused && touched.sshd && !foreseen.installed.contains("openssh-server") {
                Found::Closed(format!("sshd would refuse its configuration: {why}"), "mend the configuration")
            } else {
                Found::Undecided(format!("sshd -T: {why}"))
            };
            return tell(Part::Listening, found, sshd_origin());
        }
    };
    if touched.sshd {
        tell(Part::Listening, listening(scene, &now, &then, to, port), sshd_origin());
        let agreed = &scene.login.agreed;
        let takes = then.takes(scene).checked_by(&now.takes(scene));
        let agrees = then.agrees(agreed).checked_by(&now.agrees(agreed));
        if let Some(found) = Found::worst([takes, agrees]) {
            tell(Part::Method, found, sshd_origin());
        }
    }
    if touched.sshd || touched.account {
        let method = &scene.login.method;
        let found = then.admits(user, &then_account, from, method).checked_by(&now.admits(user, account, from, method));
        tell(Part::Admission, found, sshd_origin().filter(|_| touched.sshd).or(account_origin.clone()));
    }
    if let Method::Key(key) = &scene.login.method {
        let judged =
            |settings: &Settings, account: &Account, files: &BTreeMap<String, ForeseenFile>| match key_files(scene) {
                Ok(there) => {
                    let files = keys::at_home(files, user, account);
                    keys::judge(&keys::paths(settings, user, account), &there, &files, (user, account), key, from)
                }
                Err(why) => Found::Undecided(why),
            };
        let found = by_command(&then, judged(&then, &then_account, &foreseen.files));
        let found = found.checked_by(&by_command(&now, judged(&now, account, &Default::default())));
        let paths = keys::paths(&then, user, &then_account);
        let of_keys = |path: &String| paths.iter().any(|keys| keys == path || keys.starts_with(&format!("{path}/")));
        let files = keys::at_home(&foreseen.files, user, &then_account);
        let owner = files.iter().find(|(path, _)| of_keys(path)).map(|(_, file)| file.origin.clone());
        // Where nothing of it changes there is nothing to tell.
        if owner.is_some() || !matches!(found, Found::Open(_)) {
            tell(Part::Key, found, owner.or_else(sshd_origin).or(account_origin.clone()));
        }
    }
    if touched.account {
        let found = usable(scene, &then, &then_account).checked_by(&usable(scene, &now, account));
        tell(Part::Account, found, account_origin);
    }
}

fn key_files(scene: &Scene<'_>) -> Result<keys::KeyFiles, String> {
    let section = scene.answer.section(KEYS).map_err(|why| why.to_string())?;
    keys::read_listing(&section.stdout)
}

// Keys may come from a program, too.
fn by_command(settings: &Settings, found: Found) -> Found {
    let command = settings.one("authorizedkeyscommand");
    let authority = settings.one("trustedusercakeys");
    match found {
        Found::Closed(by, _) if !matches!(command, "" | "none") => {
            Found::Undecided(format!("{by}; AuthorizedKeysCommand {command} may know it"))
        }
        Found::Closed(by, _) if !matches!(authority, "" | "none") => {
            Found::Undecided(format!("{by}; an authority of TrustedUserCAKeys may have signed it"))
        }
        Found::Open(_) if !matches!(settings.one("revokedkeys"), "" | "none") => {
            Found::Undecided(format!("RevokedKeys {} was not looked into", settings.one("revokedkeys")))
        }
        found => found,
    }
}

fn listening(scene: &Scene<'_>, now: &Settings, then: &Settings, to: std::net::IpAddr, port: u16) -> Found {
    match unit_state(scene.answer, "ssh.socket") {
        Err(why) => return Found::Undecided(why.to_string()),
        Ok(socket) if !socket.is_active() => return then.listens(to, port).checked_by(&now.listens(to, port)),
        Ok(_) => {}
    }
    // systemd hands over what it listens at itself, whatever sshd's settings say.
    match &scene.foreseen.socket {
        Some((ports, _)) if ports.iter().any(|known| *known == port.to_string()) => {
            Found::Open(format!("ssh.socket listens at port {port}"))
        }
        Some((ports, _)) => Found::Closed(
            format!("ssh.socket would listen at port {} only", ports.join(", ")),
            "list the old and the new port, change the inventory, then drop the old one",
        ),
        None => match scene.text(SOCKET).map(str::trim) {
            Ok(listens) if listens.contains(&format!(":{port} ")) => {
                Found::Open(format!("ssh.socket listens: {}", listens.replace('\n', ", ")))
            }
            _ => Found::Undecided("ssh.socket does not tell where it listens".into()),
        },
    }
}

fn usable(scene: &Scene<'_>, settings: &Settings, account: &Account) -> Found {
    if account.shell_runs == Some(false) {
        let by = format!("the shell {} of {} lets nobody work", account.shell, scene.login.user);
        return Found::Closed(by, "keep a shell that runs for the account that rempart logs in with");
    }
    if account.shell_runs.is_none() {
        return Found::Undecided(format!("the shell {} is not there yet", account.shell));
    }
    if account.locked && !matches!(scene.login.method, Method::Key(_)) {
        return Found::Closed("its password would be locked".into(), "log in with a key");
    }
    if account.locked && settings.one("usepam") == "no" {
        return Found::Closed("without PAM, sshd refuses an account that is locked".into(), "leave UsePAM on");
    }
    Found::Open(format!("the shell {} runs", account.shell))
}

fn before_the_account(scene: &Scene<'_>, connection: Option<&Connection>, touched: Touched, tell: &mut Tell<'_>) {
    let passwords = [!matches!(scene.login.method, Method::Key(_)), scene.has_sudo_password];
    for (path, file) in &scene.foreseen.files {
        if let Some(found) = access::judge(path, &file.text, &scene.login.user, passwords) {
            tell(Part::Access, found, Some(file.origin.clone()));
        }
    }
    if !touched.wrappers {
        return;
    }
    // Debian's sshd reads them, as long as it is linked so.
    if scene.text(WRAPPED).is_ok_and(|answer| answer.trim() == "no") {
        return;
    }
    let origin = scene.foreseen.file(|path| path.starts_with("/etc/hosts.")).map(|(_, file)| file.origin.clone());
    let now = |path: &str| standing(scene.answer, path).map(Option::unwrap_or_default);
    let then = |path: &str| match scene.foreseen.files.get(path).map(|file| &file.text) {
        Some(ForeseenText::Plain(text)) => Ok(text.clone()),
        Some(ForeseenText::Hidden) => Err(format!("{path} will hold a secret")),
        Some(ForeseenText::Edited(edits)) => {
            let text = now(path)?;
            let edited = edits.iter().try_fold(text, |text, edit| edit.of(&text));
            edited.ok_or_else(|| format!("what parts of {path} become is not simulated"))
        }
        Some(ForeseenText::Gone) => Ok(String::new()),
        Some(ForeseenText::Kept) | None => now(path),
    };
    let judged = |allow: Result<String, String>, deny: Result<String, String>| match (allow, deny, connection) {
        (Ok(allow), Ok(deny), Some(connection)) => access::wrappers(&allow, &deny, connection.from),
        (Err(why), ..) | (_, Err(why), _) => Found::Undecided(why),
        (.., None) => Found::Undecided("it is not known by which address we came".into()),
    };
    let [allow, deny] = WRAPPERS;
    let found = judged(then(allow), then(deny)).checked_by(&judged(now(allow), now(deny)));
    tell(Part::Access, found, origin);
}

fn root(scene: &Scene<'_>, tell: &mut Tell<'_>) {
    let foreseen = scene.foreseen;
    if let Some(origin) = foreseen.removed.get("sudo") {
        let found = Found::Closed("the package sudo would be removed".into(), "keep it, or log in as root");
        return tell(Part::Sudo, found, Some(origin.clone()));
    }
    // sudo lists what it makes of all files together, and not which of them a line is from.
    let file = foreseen.sole_file(|path| path.starts_with("/etc/sudo")).map(|(_, file)| file.origin.clone());
    let origin = file.or_else(|| scene.account_origin());
    if let Some((path, _)) = foreseen.hidden().find(|(path, _)| path.starts_with("/etc/sudo")) {
        return tell(Part::Sudo, Found::Undecided(format!("{path} will hold a secret")), origin);
    }
    let judged = |name: &str| {
        let section = match scene.answer.section(name) {
            Ok(section) => section,
            Err(why) => return Found::Undecided(why.to_string()),
        };
        let listing = String::from_utf8_lossy(&section.stdout);
        if section.status != 0 && !listing.contains("User ") {
            return match scene.text(name) {
                Err(why) if matches!(section.status, 125..=127) || scene.foreseen.installed.contains("sudo") => {
                    Found::Undecided(why)
                }
                _ => Found::Closed(format!("sudo would not work: {}", section.complaint()), "mend sudoers"),
            };
        }
        sudo::judge(&listing, &scene.login.user, scene.has_sudo_password)
    };
    let found = judged(SUDO[1]).checked_by(&judged(SUDO[0]));
    // What stays open may do so by a line that was there before.
    let origin = origin.filter(|_| !matches!(found, Found::Open(_)));
    tell(Part::Sudo, found, origin);
}
