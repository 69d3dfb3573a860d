//! Settings of sshd in a drop-in, compared with what sshd makes of its whole configuration.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::State;
use crate::model::did_you_mean;
use crate::quote::{Format, Sh, fits};
use crate::resource::{
    Answer, Change, Context, Desired, Expect, Fault, FieldValue, Fields, Foreseen, Kind, ManagedFile, ProbeError,
    ProbeScript, Provision, RESTART_SSHD, Seen, Step, Touch, Undo, absolute_path, glob, is_newer, show_units,
    unit_state,
};
use crate::secret::Rendered;
use crate::sh;

const MAIN: &str = "/etc/ssh/sshd_config";
const FOLDER: &str = "/etc/ssh/sshd_config.d";
const SOCKET_DROP_IN: &str = "/etc/systemd/system/ssh.socket.d";

#[rustfmt::skip]
const KEYWORDS: &[&str] = &[
    "AcceptEnv", "AddressFamily", "AllowAgentForwarding", "AllowGroups", "AllowStreamLocalForwarding",
    "AllowTcpForwarding", "AllowUsers", "AuthenticationMethods", "AuthorizedKeysCommand", "AuthorizedKeysCommandUser",
    "AuthorizedKeysFile", "AuthorizedPrincipalsCommand", "AuthorizedPrincipalsCommandUser", "AuthorizedPrincipalsFile",
    "Banner", "CASignatureAlgorithms", "ChannelTimeout", "ChrootDirectory", "Ciphers", "ClientAliveCountMax",
    "ClientAliveInterval", "Compression", "DebianBanner", "DenyGroups", "DenyUsers", "DisableForwarding",
    "ExposeAuthInfo", "FingerprintHash", "ForceCommand", "GatewayPorts", "GSSAPIAuthentication",
    "GSSAPICleanupCredentials", "GSSAPIKexAlgorithms", "GSSAPIKeyExchange", "GSSAPIStoreCredentialsOnRekey",
    "GSSAPIStrictAcceptorCheck", "HostbasedAcceptedAlgorithms", "HostbasedAuthentication",
    "HostbasedUsesNameFromPacketOnly", "HostCertificate", "HostKey", "HostKeyAgent", "HostKeyAlgorithms",
    "IgnoreRhosts", "IgnoreUserKnownHosts", "IPQoS", "KbdInteractiveAuthentication", "KerberosAuthentication",
    "KerberosOrLocalPasswd", "KerberosTicketCleanup", "KexAlgorithms", "ListenAddress", "LoginGraceTime", "LogLevel",
    "LogVerbose", "MACs", "MaxAuthTries", "MaxSessions", "MaxStartups", "ModuliFile", "PAMServiceName",
    "PasswordAuthentication", "PermitEmptyPasswords", "PermitListen", "PermitOpen", "PermitRootLogin", "PermitTTY",
    "PermitTunnel", "PermitUserEnvironment", "PermitUserRC", "PerSourceMaxStartups", "PerSourceNetBlockSize",
    "PerSourcePenalties", "PerSourcePenaltyExemptList", "PidFile", "Port", "PrintLastLog", "PrintMotd",
    "PubkeyAcceptedAlgorithms", "PubkeyAuthentication", "PubkeyAuthOptions", "RefuseConnection", "RekeyLimit",
    "RequiredRSASize", "RevokedKeys", "SecurityKeyProvider", "SetEnv", "StreamLocalBindMask", "StreamLocalBindUnlink",
    "StrictModes", "Subsystem", "SyslogFacility", "TCPKeepAlive", "TrustedUserCAKeys", "UnusedConnectionTimeout",
    "UseDNS", "UsePAM", "VersionAddendum", "X11DisplayOffset", "X11Forwarding", "X11UseLocalhost", "XAuthLocation",
];

// How several values are written: comma-separated, on a line each, or else with spaces between.
#[rustfmt::skip]
const COMMAS: &[&str] = &[
    "CASignatureAlgorithms", "Ciphers", "GSSAPIKexAlgorithms", "HostbasedAcceptedAlgorithms", "HostKeyAlgorithms",
    "KexAlgorithms", "LogVerbose", "MACs", "PerSourcePenaltyExemptList", "PubkeyAcceptedAlgorithms",
    "PubkeyAuthOptions",
];
const LINES: &[&str] = &["HostCertificate", "HostKey", "ListenAddress", "Port", "SetEnv", "Subsystem"];

// Tries the new drop-in on a copy of the whole configuration, before anything is touched: rp_try DROP_IN KEYWORD...
// Where "$P/0" is there it is the drop-in's new text; otherwise the drop-in goes.
const TRY: &str = r#"RP_KEEP=
rp_include() {
  [ -z "$RP_KEEP" ] || return 0
  sed '/^[[:space:]]*[Mm][Aa][Tt][Cc][Hh][[:space:]]/,$d' /etc/ssh/sshd_config \
    | grep -qiE '^[[:space:]]*include[[:space:]=].*sshd_config\.d/\*\.conf' \
    || echo 'Include /etc/ssh/sshd_config.d/*.conf'
}
rp_no() { rm -rf -- "$rp_t"; printf '%s\n' "$@" >&2; exit 1; }
rp_try() {
  rp_own=$1; shift
  # sshd refuses to look at anything without it, and it is gone while nobody is connected to a socket.
  [ -d /run/sshd ] || mkdir -m 0755 /run/sshd
  rp_t=$(mktemp -d /run/rempart-sshd.XXXXXX)
  mkdir -- "$rp_t/d"
  [ ! -d /etc/ssh/sshd_config.d ] || cp -a -- /etc/ssh/sshd_config.d/. "$rp_t/d"
  rm -f -- "$rp_t/d/${rp_own##*/}"
  [ ! -e "$P/0" ] || cat -- "$P/0" > "$rp_t/d/${rp_own##*/}"
  rp_include >> "$rp_t/main"
  cat -- /etc/ssh/sshd_config >> "$rp_t/main"
  sed "/^[[:space:]]*[Ii][Nn][Cc][Ll][Uu][Dd][Ee]/{
    s|/etc/ssh/sshd_config\.d/|$rp_t/d/|g
    s|\([[:space:]=]\)sshd_config\.d/|\1$rp_t/d/|g
  }" "$rp_t/main" > "$rp_t/merged"
  sshd -t -f "$rp_t/merged" > "$rp_t/said" 2>&1 || {
    sed -i "s|$rp_t/d/|/etc/ssh/sshd_config.d/|g; s|$rp_t/merged|/etc/ssh/sshd_config|g" "$rp_t/said"
    rp_no "$(cat "$rp_t/said")" "sshd refuses the new configuration; nothing was changed"
  }
  [ "$#" = 0 ] || {
    sshd -T -f "$rp_t/merged" > "$rp_t/is"
    sshd -T -f "$P/0" > "$rp_t/meant"
    cp -- "$rp_t/is" "$rp_t/login"
    [ -z "$RP_USER" ] || sshd -T -C "user=$RP_USER,host=127.0.0.1,addr=127.0.0.1" -f "$rp_t/merged" > "$rp_t/login"
  }
  for rp_k; do
    rp_meant=$(grep "^$rp_k " "$rp_t/meant" | sort)
    { [ "$(grep "^$rp_k " "$rp_t/is" | sort)" = "$rp_meant" ] \
      && [ "$(grep "^$rp_k " "$rp_t/login" | sort)" = "$rp_meant" ]; } || rp_no \
      "another line decides over $rp_k; nothing was changed. It is one of:" \
      "$(grep -Hni "^[[:space:]]*$rp_k[[:space:]=]" /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf \
        | grep -v "^$rp_own:")"
  done
}
rp_take() {
  if [ -n "$(rp_include)" ]; then
    rp_put "$rp_t/main" /etc/ssh/sshd_config "$(stat -c %a /etc/ssh/sshd_config)" root root
  fi
  rm -rf -- "$rp_t"
}
# Restarts in a row would end in "attempted too often", and with that in nobody getting in.
rp_afresh() { systemctl reset-failed ssh.service ssh.socket 2>/dev/null || :; }
rp_reload() {
  sleep 0.02
  if systemctl is-active --quiet ssh.service; then
    # A reload loses the sockets that systemd handed over, and sshd dies of it. Sessions outlive a restart.
    rp_afresh
    if systemctl is-active --quiet ssh.socket; then systemctl restart ssh.service
    else systemctl reload ssh.service; fi
    sleep 0.5
    systemctl is-active --quiet ssh.service || {
      systemctl status --no-pager --full --lines=12 ssh.service >&2
      echo "sshd did not survive the reload" >&2
      exit 1
    }
  fi
}"#;

// systemd hands over the sockets that it listens on itself, whatever sshd's configuration says of ports.
const SOCKET: &str = r#"rp_socket() {
  systemctl is-active --quiet ssh.socket || return 0
  rp_directory /etc/systemd/system/ssh.socket.d 0755 root:root
  { printf '[Socket]\nListenStream=\n'; printf 'ListenStream=%s\n' "$@"; } > "$P/socket"
  rp_put "$P/socket" /etc/systemd/system/ssh.socket.d/rempart.conf 0644 root root
  systemctl daemon-reload
  # A socket cannot be opened anew while the service holds it; sessions go on, each has a process of its own.
  systemctl stop ssh.service 2>/dev/null
  rp_afresh
  systemctl restart ssh.socket
  systemctl start ssh.service
}"#;

/// Settings of sshd in a drop-in, compared with what sshd makes of its whole configuration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sshd {
    /// Keywords of sshd_config(5) with their values: text, a number, `true` for `yes`, or a list.
    #[serde(default)]
    settings: BTreeMap<String, Setting>,
    /// The drop-in's path, in /etc/ssh/sshd_config.d; the first file there that sets a keyword wins.
    #[serde(default = "default_drop_in")]
    drop_in: String,
    /// Whether the drop-in should be there.
    #[serde(default)]
    state: State,
    #[serde(skip)]
    login_user: Option<String>,
}

/// A setting's value.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected text, a number, true, false, or a list of texts and numbers")]
enum Setting {
    Bool(bool),
    Number(i64),
    Text(String),
    List(Vec<Setting>),
}

impl Setting {
    fn values(&self) -> Vec<String> {
        match self {
            Setting::Bool(value) => vec![if *value { "yes" } else { "no" }.into()],
            Setting::Number(value) => vec![value.to_string()],
            Setting::Text(value) => vec![value.clone()],
            Setting::List(values) => values.iter().flat_map(Setting::values).collect(),
        }
    }
}

// The field of one setting; a keyword that no file has is no part of one.
fn of_setting(keyword: &str) -> String {
    if keyword.contains('.') { "settings".to_owned() } else { format!("settings.{keyword}") }
}

fn default_drop_in() -> String {
    format!("{FOLDER}/00-rempart.conf")
}

impl Sshd {
    fn lines(&self) -> String {
        let mut text = String::new();
        for (keyword, setting) in &self.settings {
            let values = setting.values();
            let lines = match keyword.as_str() {
                repeated if LINES.contains(&repeated) => values,
                listed if COMMAS.contains(&listed) => vec![values.join(",")],
                _ => vec![values.join(" ")],
            };
            for line in lines {
                text.push_str(&format!("{keyword} {line}\n"));
            }
        }
        text
    }

    fn file(&self) -> ManagedFile {
        ManagedFile {
            path: self.drop_in.clone(),
            content: Some(Rendered::plain(format!("# Managed by rempart.\n{}", self.lines()))),
            mode: "0600".into(),
            owner: "root".into(),
            group: "root".into(),
        }
    }

    fn wanted(&self, keyword: &str) -> FieldValue {
        FieldValue::text(self.settings.get(keyword).map(|setting| setting.values().join(" ")).unwrap_or_default())
    }

    // The sections: what sshd does, what it does for rempart's login, and what it understands by the settings alone.
    fn for_login(&self) -> Option<String> {
        self.login_user.as_ref().map(|user| format!("sshd -T for {user}"))
    }

    fn meant(&self) -> String {
        format!("sshd -T of {}", self.drop_in)
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let Some(mut fields) = self.file().read(answer)? else { return Ok(Seen::Absent) };
        if self.state == State::Absent {
            return Ok(Seen::Present(fields));
        }
        let effective = answer.section("sshd -T")?;
        let as_wanted = self.file().content.map(FieldValue::Wanted);
        let content_agrees =
            as_wanted.zip(fields.get("content")).is_some_and(|(wanted, seen)| wanted.agrees_with(seen));
        // A broken drop-in of ours is drift and can be mended; a breach elsewhere is not for us to judge.
        if content_agrees || effective.status == 0 {
            self.read_settings(answer, &mut fields)?;
        }
        let Some(FileText(main)) = file_text(answer, MAIN)? else {
            return Err(ProbeError(format!("there is no {MAIN}")));
        };
        fields.insert("included".into(), FieldValue::Bool(includes(&main, &self.drop_in)));
        fields.insert("reload_pending".into(), FieldValue::Bool(self.is_older(answer)?));
        Ok(Seen::Present(fields))
    }

    fn read_settings(&self, answer: &Answer, fields: &mut Fields) -> Result<(), ProbeError> {
        let meant = table(answer, &self.meant(), "the settings are not for this sshd")?;
        let effective = table(answer, "sshd -T", "sshd does not accept its configuration")?;
        let for_login = match self.for_login() {
            Some(section) => table(answer, &section, "sshd does not accept its configuration")?,
            None => effective.clone(),
        };
        for keyword in self.settings.keys() {
            let key = keyword.to_lowercase();
            let Some(meant) = meant.get(&key) else {
                return Err(ProbeError(format!("sshd does not tell how {keyword} stands")));
            };
            let is = effective.get(&key).cloned().unwrap_or_default();
            let login = for_login.get(&key).cloned().unwrap_or_default();
            let seen = if &is != meant {
                FieldValue::text(is.join(" "))
            } else if &login != meant {
                let user = self.login_user.as_deref().unwrap_or_default();
                FieldValue::text(format!("{} for {user}, by a Match block", login.join(" ")))
            } else {
                self.wanted(keyword)
            };
            fields.insert(format!("settings.{keyword}"), seen);
        }
        if self.settings.contains_key("Port") && unit_state(answer, "ssh.socket")?.is_active() {
            let section = answer.section("ssh.socket")?;
            let mut ports: Vec<&str> = section
                .text()?
                .split_whitespace()
                .filter_map(|word| word.rsplit_once(':'))
                .map(|(_, port)| port)
                .collect();
            ports.sort_unstable();
            ports.dedup();
            if ports.is_empty() {
                return Err(ProbeError(format!("ssh.socket does not tell its ports: {}", section.complaint())));
            }
            let mut wanted = self.settings.get("Port").map(Setting::values).unwrap_or_default();
            wanted.sort_unstable();
            if ports != wanted {
                let seen = format!("{} by ssh.socket", ports.join(" "));
                fields.insert("settings.Port".into(), FieldValue::Text(seen));
            }
        }
        Ok(())
    }

    // Whether the daemon has not read the files as they stand. One that is started per connection always has.
    fn is_older(&self, answer: &Answer) -> Result<bool, ProbeError> {
        let service = unit_state(answer, "ssh.service")?;
        if !service.is_active() {
            if unit_state(answer, "ssh.socket")?.is_active() {
                return Ok(false);
            }
            let why = "neither ssh.service nor ssh.socket runs, so nobody can say what the running sshd has read";
            return Err(ProbeError(why.into()));
        }
        let since = service.reloaded_us()?;
        for path in [MAIN, &self.drop_in] {
            if answer.stat(path)?.is_some_and(|stat| is_newer(stat.ctime_us(), since)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    // `written` has each keyword as the playbook writes it.
    fn refuse_lockout(&self, context: &Context<'_>, written: &BTreeMap<String, String>) -> Result<(), Fault> {
        let values = |keyword: &str| self.settings.get(keyword).map(Setting::values);
        let said = |keyword: &str| values(keyword).map(|values| values.join(" ").to_lowercase());
        let locked = |keyword: &str, why: String, fix: String| {
            let fault = Fault::new(of_setting(written.get(keyword).map_or(keyword, String::as_str)), why);
            Err(fault.called("this would lock rempart out").fix(fix))
        };
        if let Some(user) = context.login_user {
            let matches = |pattern: &String| glob(pattern.split_once('@').map_or(pattern, |(user, _)| user), user);
            if let Some(allowed) = values("AllowUsers").filter(|allowed| !allowed.iter().any(matches)) {
                let why =
                    format!("AllowUsers names all who may log in, and leaves out `{user}`, whom rempart logs in as");
                return locked("AllowUsers", why, format!("write AllowUsers: [{}, {user}]", allowed.join(", ")));
            }
            let denies = |pattern: &String| glob(pattern.strip_suffix("@*").unwrap_or(pattern), user);
            if let Some(entry) = values("DenyUsers").and_then(|denied| denied.into_iter().find(denies)) {
                let why = format!("DenyUsers lets nobody in whom `{entry}` means, and rempart logs in as `{user}`");
                return locked("DenyUsers", why, format!("take `{entry}` out of DenyUsers"));
            }
            let root = said("PermitRootLogin").filter(|root| root == "no" || root == "forced-commands-only");
            if let Some(root) = root.filter(|_| user == "root") {
                let why = format!("PermitRootLogin {root} keeps root out, and rempart logs in as root");
                let fix =
                    "log in as another user with sudo (`ansible_user`), or write `PermitRootLogin: prohibit-password`";
                return locked("PermitRootLogin", why, fix.to_owned());
            }
        }
        if let Some(ports) = values("Port").filter(|ports| !ports.contains(&context.ssh_port.to_string())) {
            let why =
                format!("sshd would listen at {} only, and rempart logs in at {}", ports.join(", "), context.ssh_port);
            let both = format!(
                "write Port: [{}, {}], change the inventory, then drop the old one",
                context.ssh_port,
                ports.join(", ")
            );
            return locked("Port", why, both);
        }
        let off = |keyword: &str| said(keyword).is_some_and(|value| value == "no");
        let on = |keyword: &str| said(keyword).is_some_and(|value| value == "yes");
        if off("PubkeyAuthentication") && !on("PasswordAuthentication") && !on("KbdInteractiveAuthentication") {
            let why =
                "without PubkeyAuthentication no key lets anybody in, and nothing here allows passwords".to_owned();
            let fix = "leave it on, or allow passwords in the same settings, if that is meant";
            return locked("PubkeyAuthentication", why, fix.to_owned());
        }
        for (keyword, harmless) in [("ForceCommand", "none"), ("ChrootDirectory", "none"), ("RefuseConnection", "no")] {
            if said(keyword).is_some_and(|value| value != harmless) {
                let why = format!("{keyword} holds for everybody here, and for rempart's login with them");
                return locked(keyword, why, "write it into a Match block, in a file of its own".to_owned());
            }
        }
        for keyword in ["MaxSessions", "MaxAuthTries"] {
            if said(keyword).is_some_and(|value| value == "0") {
                return locked(keyword, format!("{keyword} 0 lets nobody work"), format!("write {keyword}: 1 or more"));
            }
        }
        Ok(())
    }
}

struct FileText(String);

fn file_text(answer: &Answer, path: &str) -> Result<Option<FileText>, ProbeError> {
    use crate::resource::FileContent;
    match answer.content(path)? {
        Some(FileContent::Bytes(bytes)) => match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(Some(FileText(text.to_owned()))),
            Err(_) => Err(ProbeError(format!("{path} is not UTF-8 text"))),
        },
        Some(_) => Err(ProbeError(format!("{path} is too long to be read"))),
        None => Ok(None),
    }
}

// Whether the main configuration reads the drop-in at all, and not for some users only.
fn includes(main: &str, drop_in: &str) -> bool {
    let words = main.lines().map(|line| line.split(|c: char| c.is_whitespace() || c == '=').filter(|w| !w.is_empty()));
    for mut words in words {
        match words.next().map(str::to_lowercase).as_deref() {
            Some("match") => return false,
            Some("include") => {
                let absolute = |p: &str| if p.starts_with('/') { p.to_owned() } else { format!("/etc/ssh/{p}") };
                if words.any(|pattern| glob(&absolute(pattern.trim_matches('"')), drop_in)) {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

// Keywords in small letters, with all their lines, sorted.
fn table(answer: &Answer, section: &str, trouble: &str) -> Result<BTreeMap<String, Vec<String>>, ProbeError> {
    let section = answer.section(section)?;
    if section.status != 0 {
        return Err(ProbeError(format!("{trouble}: {}", section.complaint())));
    }
    let mut table: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in section.text()?.lines() {
        let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
        table.entry(keyword.to_lowercase()).or_default().push(value.trim().to_owned());
    }
    table.values_mut().for_each(|values| values.sort());
    // Every sshd has a port; without one this is not its whole answer.
    if !table.contains_key("port") || !table.contains_key("maxstartups") {
        return Err(ProbeError("sshd -T gave an answer that was not understood".into()));
    }
    Ok(table)
}

impl Kind for Sshd {
    const NAME: &'static str = "sshd";
    const NAMED_BY: Option<&'static str> = Some("drop_in");
    const SUMMARY: &'static str =
        "Settings of sshd in a drop-in, compared with what sshd makes of its whole configuration.";
    const EXAMPLE: &'static str =
        "sshd: { settings: { PermitRootLogin: \"no\", PasswordAuthentication: false, AllowUsers: [admin] } }";
    const UNDO: &'static str = "the drop-in, the `Include` line and the socket, and sshd runs on them again.";
    const RISKY: bool = true;

    fn key(&self) -> String {
        self.drop_in.clone()
    }

    fn settle(&mut self, context: &Context<'_>) -> Result<(), Fault> {
        absolute_path("drop_in", &self.drop_in)?;
        let name = self.drop_in.strip_prefix(FOLDER).and_then(|rest| rest.strip_prefix('/'));
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !name.is_some_and(|name| name.ends_with(".conf") && !name.starts_with('.') && name.chars().all(plain)) {
            return Err(Fault::new("drop_in", format!("it must be a plain file name ending in .conf in {FOLDER}")));
        }
        let mut written: BTreeMap<String, String> = BTreeMap::new();
        for (keyword, setting) in std::mem::take(&mut self.settings) {
            let bad = |why: String| Fault::new(of_setting(&keyword), why);
            let Some(known) = KEYWORDS.iter().find(|known| known.eq_ignore_ascii_case(&keyword)) else {
                let why = format!("sshd has no setting `{}` that can stand in a drop-in", keyword.escape_debug());
                let mut fault = bad(why);
                fault.fix =
                    did_you_mean(&keyword, KEYWORDS.iter().copied()).map(|near| format!("did you mean `{near}`?"));
                return Err(fault);
            };
            let values = setting.values();
            if values.is_empty() || values.iter().any(|value| value.trim().is_empty()) {
                return Err(bad(format!("{known} has no value")));
            }
            for value in &values {
                fits(Format::Sshd, value).map_err(|why| bad(format!("{known}: {why}")))?;
                let spaced = value.contains(char::is_whitespace);
                if spaced && matches!(setting, Setting::List(_)) && !LINES.contains(known) {
                    return Err(bad(format!("{known}: a value of the list holds a space")));
                }
            }
            if self.settings.insert((*known).to_owned(), setting).is_some() {
                return Err(bad(format!("{known} is written twice")));
            }
            written.insert((*known).to_owned(), keyword);
        }
        if self.settings.is_empty() && self.state == State::Present {
            return Err(Fault::new("settings", "there is nothing to set"));
        }
        self.login_user = context.login_user.map(str::to_owned);
        self.refuse_lockout(context, &written)
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Path(self.drop_in.clone())]
    }

    fn uses(&self) -> Vec<Provision> {
        let mut all = vec![Provision::Package("openssh-server".into()), Provision::Unit("ssh.service".into())];
        for setting in self.settings.values() {
            all.extend(setting.values().into_iter().filter(|value| value.starts_with('/')).map(Provision::Path));
        }
        all
    }

    fn desired(&self) -> Desired {
        let Desired::Present(mut fields) = self.file().desired() else { return Desired::Absent };
        if self.state == State::Absent {
            return Desired::Absent;
        }
        for keyword in self.settings.keys() {
            fields.insert(format!("settings.{keyword}"), self.wanted(keyword));
        }
        fields.insert("included".into(), FieldValue::Bool(true));
        fields.insert("reload_pending".into(), FieldValue::Bool(false));
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            wanted.file().probe(script);
            script.section("sshd -T", sh!("sshd -T"));
            if wanted.state == State::Absent {
                continue;
            }
            script.content(MAIN, None);
            script.section(wanted.meant(), sh!("printf %s {} | sshd -T -f /dev/stdin", wanted.lines()));
            if let (Some(section), Some(user)) = (wanted.for_login(), &wanted.login_user) {
                let address = Sh::program_of_the_user("rp_a=${SSH_CONNECTION:-127.0.0.1}; rp_a=${rp_a%% *}");
                let login = sh!("sshd -T -C user={},host=\"$rp_a\",addr=\"$rp_a\"", user);
                script.section(section, Sh::lines([address, login]));
            }
            show_units(script, "ssh.service");
            show_units(script, "ssh.socket");
            if wanted.settings.contains_key("Port") {
                script.section("ssh.socket", sh!("systemctl show -p Listen --value ssh.socket"));
            }
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        if answer.section("sshd -T").is_ok_and(|section| section.is_missing_tool()) {
            let brought_by = vec![Provision::Package("openssh-server".into()), Provision::Kind("package_apt")];
            let missing = "sshd is not installed".to_owned();
            return batch
                .iter()
                .map(|_| Seen::NotYet { missing: missing.clone(), brought_by: brought_by.clone() })
                .collect();
        }
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn foresee(&self, seen: &Seen, foreseen: &mut Foreseen) {
        foreseen.put_file(&self.file(), self.state == State::Absent);
        if self.state == State::Present {
            let included = matches!(seen, Seen::Present(fields)
                if matches!(fields.get("included"), Some(FieldValue::Bool(true))));
            foreseen.sshd_include |= !included;
            foreseen.socket = self.settings.get("Port").map(|ports| (ports.values(), foreseen.origin()));
        }
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch.iter().map(step).collect()
    }
}

fn step(change: &Change<'_, Sshd>) -> Step {
    let Change { position, wanted, seen, fields } = change;
    let file = wanted.file();
    let path = &wanted.drop_in;
    let socket = format!("{SOCKET_DROP_IN}/rempart.conf");
    // The folders after what is in them: one that was not there goes again.
    let touches = [path, MAIN, FOLDER, &socket, SOCKET_DROP_IN].map(|path| Touch::Path(path.to_owned()));
    let undo = Undo::of(touches).then(Sh::program_of_the_user(RESTART_SSHD));
    let mut script = Sh::program_of_the_user(TRY);
    if wanted.state == State::Absent {
        script.line(sh!("RP_KEEP=1\nrp_try {}\nrp_take\nrm -f -- {}", path, path));
        script.line(sh!("if [ -e {} ]; then rm -f -- {}", socket, socket));
        script.line(Sh::program_of_the_user(RESTART_SSHD));
        script.line(sh!("fi"));
        script.line(sh!("rp_reload"));
        let step = Step::new(format!("remove {path} and reload sshd"), script).expecting(file.expect(seen));
        return step.undone_by(undo).risky().serving([*position]);
    }
    if !fields.is_empty() && fields.iter().all(|field| field == "reload_pending") {
        script.line(sh!("sshd -t\nrp_reload"));
        let expect = Expect::Nothing("sshd itself says whether the files are good");
        return Step::new("reload sshd", script).expecting(expect).undone_by(undo).risky().serving([*position]);
    }
    let keywords: Vec<String> = wanted.settings.keys().map(|keyword| keyword.to_lowercase()).collect();
    script.line(sh!("RP_USER={}", wanted.login_user.as_deref().unwrap_or("")));
    script.line(sh!("rp_try {} {}\nrp_directory {} 0755 root:root", path, keywords, FOLDER));
    script.line(sh!("rp_put \"$P/0\" {} 0600 root root\nrp_take\nsshd -t", path));
    if let Some(ports) = wanted.settings.get("Port") {
        script.line(Sh::program_of_the_user(SOCKET));
        script.line(sh!("rp_socket {}", ports.values()));
    }
    script.line(sh!("rp_reload"));
    Step::new(format!("write {path} and reload sshd"), script)
        .with_payload(file.content.clone().unwrap_or_default())
        .expecting(file.expect(seen))
        .undone_by(undo)
        .risky()
        .serving([*position])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kinds::tests::{drift, made, recorded};

    fn drifts(name: &str, spoil: impl Fn(String) -> String) -> String {
        let (batch, seen) = recorded::<Sshd>(name, spoil);
        drift(&batch[0], &seen[0])
    }

    #[test]
    fn the_effective_value_counts_and_not_the_file() {
        // The drop-in is as wanted; an earlier file and a Match block decide otherwise.
        assert_eq!(drifts("changed", |text| text), "settings.MaxAuthTries settings.PasswordAuthentication");
    }

    #[test]
    fn what_sshd_does_not_say_is_unknown() {
        assert!(drifts("broken_elsewhere", |text| text).contains("Bad configuration option: Bogus"));
        assert!(drifts("unsupported", |text| text).contains("PerSourcePenalties"));
        assert!(drifts("no_sshd", |text| text).starts_with("NotYet"));
        let silent = drifts("changed", |text| text.replace("maxstartups", "x"));
        assert!(silent.contains("not understood"), "{silent}");
        let gone = drifts("changed", |text| text.replace("loglevel", "x"));
        assert!(gone.starts_with("Unknown") && gone.contains("LogLevel"), "{gone}");
        let idle = drifts("changed", |text| text.replace("ActiveState=active", "ActiveState=inactive"));
        assert!(idle.contains("neither ssh.service nor ssh.socket"), "{idle}");
        assert!(drifts("changed", |text| text[..text.len() / 2].to_owned()).starts_with("Unknown"));
    }

    #[test]
    fn what_would_lock_rempart_out_is_refused() {
        for settings in [
            "AllowUsers: [bob]",
            "DenyUsers: \"ad*\"",
            "Port: [2222]",
            "PubkeyAuthentication: false",
            "MaxSessions: 0",
            "ForceCommand: /bin/true",
            "RefuseConnection: true",
        ] {
            let told = made::<Sshd>(&format!("{{ settings: {{ {settings} }} }}")).unwrap_err();
            let keyword = settings.split(':').next().unwrap();
            assert!(told.starts_with(&format!("settings.{keyword}: ")), "{told}");
        }
        for settings in ["AllowUsers: [bob, \"a*@192.0.2.*\"]", "Port: [22, 2222]", "DenyUsers: [eve]"] {
            made::<Sshd>(&format!("{{ settings: {{ {settings} }} }}")).unwrap();
        }
    }

    #[test]
    fn patterns_match_as_in_sshd() {
        for (pattern, text, fits) in [
            ("ops*", "ops1", true),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b", "abc", false),
            ("", "a", false),
            (&"*a".repeat(40), &"a".repeat(39), false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn an_include_counts_where_it_holds_for_everybody() {
        let drop_in = "/etc/ssh/sshd_config.d/00-rempart.conf";
        assert!(includes("# x\nInclude /etc/ssh/sshd_config.d/*.conf\n", drop_in));
        assert!(includes("include=sshd_config.d/*.conf\n", drop_in));
        assert!(!includes("#Include /etc/ssh/sshd_config.d/*.conf\n", drop_in));
        assert!(!includes("Match User x\nInclude /etc/ssh/sshd_config.d/*.conf\n", drop_in));
        assert!(!includes("Include /etc/ssh/sshd_config.d/*.cfg\n", drop_in));
    }

    proptest! {
        #[test]
        fn no_value_leaves_its_line(value in "[^\0]{1,40}", keyword in "[^\0]{1,20}") {
            let fields = serde_json::json!({ "settings": { "Banner": value } }).to_string();
            if let Ok(sshd) = made::<Sshd>(&fields) {
                prop_assert_eq!(sshd.lines(), format!("Banner {value}\n"));
                prop_assert!(value.lines().count() == 1 && !value.contains('#'));
            }
            let fields = serde_json::json!({ "settings": { keyword.clone(): "x" } }).to_string();
            let known = KEYWORDS.iter().any(|known| known.eq_ignore_ascii_case(&keyword));
            prop_assert!(known || made::<Sshd>(&fields).is_err());
        }
    }
}
