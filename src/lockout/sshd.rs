//! Owns what sshd's settings make of us: as `sshd -T -C` prints them for our user and addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::patterns::means_user;
use super::scene::{Account, Scene};
use super::verdict::Found;
use crate::resource::glob;
use crate::transport::{Agreed, Method};

/// Keywords in small letters, with all their lines.
pub(super) struct Settings(BTreeMap<String, Vec<String>>);

impl Settings {
    /// Reads what `sshd -T` printed.
    ///
    /// # Errors
    /// It is not the whole of it.
    pub fn read(text: &str) -> Result<Settings, String> {
        let mut table: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in text.lines() {
            let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
            table.entry(keyword.to_lowercase()).or_default().push(value.trim().to_owned());
        }
        // Every sshd tells these; without them this is not its whole answer.
        if ["port", "listenaddress", "maxstartups", "pubkeyauthentication"].iter().any(|key| !table.contains_key(*key))
        {
            return Err("sshd -T gave an answer that was not understood".into());
        }
        Ok(Settings(table))
    }

    fn lines(&self, keyword: &str) -> &[String] {
        self.0.get(keyword).map_or(&[], Vec::as_slice)
    }

    /// The one value of a keyword; empty where sshd does not know it.
    pub fn one(&self, keyword: &str) -> &str {
        self.lines(keyword).first().map_or("", String::as_str)
    }

    /// All words of a keyword, over all of its lines.
    pub fn words(&self, keyword: &str) -> Vec<&str> {
        self.lines(keyword).iter().flat_map(|line| line.split_ascii_whitespace()).collect()
    }

    /// Whether sshd itself listens at our address and port.
    pub fn listens(&self, to: IpAddr, port: u16) -> Found {
        let listed = self.lines("listenaddress");
        let mut unclear = None;
        for line in listed {
            let socket = line.split_ascii_whitespace().next().unwrap_or("");
            let parts = match socket.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
                Some(parts) => Some(parts),
                None => socket.rsplit_once(':'),
            };
            let parsed = parts.and_then(|(address, at)| {
                let address = address.split('%').next().unwrap_or(address);
                Some((address.parse::<IpAddr>().ok()?, at.parse::<u16>().ok()?))
            });
            match parsed {
                // sshd's own sockets are of one family each.
                Some((address, at)) if at == port && address.is_ipv4() == to.is_ipv4() => {
                    if address.is_unspecified() || address == to {
                        return Found::Open(format!("sshd listens at {socket}"));
                    }
                }
                Some(_) => {}
                None => unclear = Some(socket),
            }
        }
        if let Some(socket) = unclear {
            return Found::Undecided(format!("ListenAddress {socket} was not understood"));
        }
        let only = listed.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        Found::Closed(
            format!("sshd would listen at {only} only, and not at {to} port {port}"),
            "let sshd listen at the old and the new place, change ansible_host or ansible_port in the inventory, then \
             drop the old one",
        )
    }

    /// Whether this account may come in from there at all.
    pub fn admits(&self, user: &str, account: &Account, from: IpAddr, method: &Method) -> Found {
        let closed = |by: String, fix| Found::Closed(by, fix);
        let entries = |keyword: &str| self.words(keyword);
        let means = |entry: &&str| means_user(entry, user, from);
        let told = |keyword: &str, words: &[&str]| format!("{keyword} {}", words.join(" "));
        let denied = entries("denyusers");
        if let Some(entry) = denied.iter().find(|entry| means(entry) == Some(true)) {
            return closed(format!("DenyUsers {entry} means {user}"), "take the account out of DenyUsers");
        }
        let allowed = entries("allowusers");
        if !allowed.is_empty() && allowed.iter().all(|entry| means(entry) == Some(false)) {
            let by = format!("{} leaves out {user} from {from}", told("AllowUsers", &allowed));
            return closed(by, "add the account that rempart logs in with to AllowUsers");
        }
        let in_group = |entry: &&str| account.groups.iter().any(|group| glob(entry, group));
        if let Some(entry) = entries("denygroups").iter().find(|entry| in_group(entry)) {
            return closed(format!("DenyGroups {entry} means {user}"), "take the group out of DenyGroups");
        }
        let groups = entries("allowgroups");
        if !groups.is_empty() && !groups.iter().any(in_group) {
            let by = format!("{user} is in none of {}", told("AllowGroups", &groups));
            return closed(by, "add a group of the account to AllowGroups");
        }
        if let Some(found) = self.shuts_root_out(user, method) {
            return found;
        }
        for (keyword, name, harmless) in [
            ("forcecommand", "ForceCommand", "none"),
            ("chrootdirectory", "ChrootDirectory", "none"),
            ("refuseconnection", "RefuseConnection", "no"),
        ] {
            let value = self.one(keyword);
            if !value.is_empty() && value != harmless {
                return closed(format!("{name} {value} applies to {user}"), "put it into a Match block for others");
            }
        }
        for (keyword, name) in [("maxsessions", "MaxSessions"), ("maxauthtries", "MaxAuthTries")] {
            if self.one(keyword) == "0" {
                return closed(format!("{name} 0 lets nobody work"), "write at least 1");
            }
        }
        if let Some(entry) = denied.iter().chain(&allowed).find(|entry| means(entry).is_none()) {
            return Found::Undecided(format!("`{entry}` names a host, which only the host's resolver can tell"));
        }
        if allowed.is_empty() {
            return Found::Open("no AllowUsers or DenyUsers keeps us out".into());
        }
        Found::Open(told("AllowUsers", &allowed))
    }

    fn shuts_root_out(&self, user: &str, method: &Method) -> Option<Found> {
        let value = self.one("permitrootlogin");
        let by_key = matches!(method, Method::Key(_));
        let shut = match value {
            "no" | "forced-commands-only" => true,
            "without-password" | "prohibit-password" => !by_key,
            _ => false,
        };
        let fix = "log in as another user with sudo, or use `prohibit-password` and a key";
        (user == "root" && shut).then(|| Found::Closed(format!("PermitRootLogin {value}"), fix))
    }

    /// Whether what we log in with is still taken.
    pub fn takes(&self, scene: &Scene<'_>) -> Found {
        let method = &scene.login.method;
        let yes = |keyword: &str| self.one(keyword) == "yes";
        let fix = "leave on what rempart logs in with";
        match method {
            Method::Key(_) if !yes("pubkeyauthentication") => {
                return Found::Closed("PubkeyAuthentication no".into(), fix);
            }
            Method::Key(_) => {
                let taken = self.one("pubkeyacceptedalgorithms");
                let taken = if taken.is_empty() { self.one("pubkeyacceptedkeytypes") } else { taken };
                let names: &[&str] = match method.key_type() {
                    Some("ssh-rsa") => &["ssh-rsa", "rsa-sha2-256", "rsa-sha2-512"],
                    Some(name) => &[name],
                    None => return Found::Undecided("our key could not be read".into()),
                };
                if !taken.is_empty() && !taken.split(',').any(|known| names.contains(&known)) {
                    let by = format!("PubkeyAcceptedAlgorithms has no {}", names[0]);
                    return Found::Closed(by, "list the type of the key that rempart logs in with");
                }
            }
            Method::Password | Method::Interactive => {
                if !yes("passwordauthentication") && !yes("kbdinteractiveauthentication") {
                    return Found::Closed("PasswordAuthentication no, and no keyboard-interactive".into(), fix);
                }
            }
            Method::Nothing => return Found::Undecided("the host wanted nothing of us".into()),
        }
        self.is_enough(method, scene.has_login_password)
    }

    /// Whether sshd and we still have algorithms in common.
    pub fn agrees(&self, agreed: &[Agreed]) -> Found {
        let mut unsure = None;
        for Agreed { keyword, chosen, able } in agreed {
            let offered: Vec<&str> =
                self.one(&keyword.to_lowercase()).split(',').filter(|name| !name.is_empty()).collect();
            if offered.is_empty() || offered.contains(&chosen.as_str()) {
                continue;
            }
            if !offered.iter().any(|name| able.iter().any(|known| known == name)) {
                let by = format!("{keyword} {} has nothing that rempart knows", offered.join(","));
                return Found::Closed(
                    by,
                    "keep one that is in use now; `ssh -Q` and sshd_config(5) tell what there is",
                );
            }
            unsure = Some(format!("{keyword} has no {chosen} any more, which was agreed on; another will have to do"));
        }
        unsure.map_or_else(|| Found::Open("sshd and rempart have algorithms in common".into()), Found::Undecided)
    }

    // AuthenticationMethods: lists, of which one has to be gone through to its end.
    fn is_enough(&self, method: &Method, has_password: bool) -> Found {
        let lists = self.words("authenticationmethods");
        if lists.is_empty() || lists.contains(&"any") {
            return Found::Open(format!("sshd takes {}", method.words()));
        }
        let names = |list: &str| -> Vec<String> {
            list.split(',').map(|name| name.split(':').next().unwrap_or(name).to_owned()).collect()
        };
        let by_password = |name: &str| matches!(name, "password" | "keyboard-interactive");
        let own = |name: &str| name == method.name() || by_password(name) && by_password(method.name());
        if let Some(list) = lists.iter().find(|list| names(list).iter().all(|name| own(name))) {
            return Found::Open(format!("AuthenticationMethods {list}"));
        }
        let able = |name: &str| own(name) || has_password && by_password(name);
        if let Some(list) = lists.iter().find(|list| names(list).iter().all(|name| able(name))) {
            return Found::Undecided(format!("AuthenticationMethods {list} wants more than what let us in now"));
        }
        Found::Closed(
            format!("AuthenticationMethods {} wants more than our {}", lists.join(" "), method.words()),
            "allow what rempart logs in with as a list of its own",
        )
    }
}
