//! SSH keys of an account: one, with its options, or exactly these.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::file::State;
use super::user::account_name;
use crate::model::count;
use crate::quote::Sh;
use crate::resource::{
    Answer, AuthorizedLine, Change, Context, Desired, Edit, Expect, Fault, FieldValue, Fields, Foreseen, Kind,
    ManagedFile, Part, PartWay, ProbeError, ProbeScript, Provision, Seen, Step, Touch, Undo, absolute_path, is_way_in,
    mode_text,
};
use crate::secret::Rendered;
use crate::sh;

mod spec;

/// One SSH key that an account may log in with, or with `keys` and `exclusive` all that it may. The file and the
/// directory that sshd looks into are made with the owner and mode that sshd demands.
///
/// A plan that would take away the key that rempart itself comes in by, with no other way left, is refused.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthorizedKey {
    /// The account's name.
    user: String,
    /// The public key as ssh-keygen writes it: type, key and, if it is to be kept, a comment.
    #[serde(default)]
    key: Option<String>,
    /// All keys of the file, each as in `key`, with options before it where it has some. Wants `exclusive: true`.
    #[serde(default)]
    keys: Vec<String>,
    /// Whether the file holds the listed keys and no other. Comments do not count. Default: false.
    #[serde(default)]
    exclusive: bool,
    /// With `state: absent` in place of the key: its fingerprint, `SHA256:...`.
    #[serde(default)]
    fingerprint: Option<String>,
    /// Addresses, networks and names that the key is taken from, with `!` before one that it is not; all unless said.
    #[serde(default)]
    from: Vec<String>,
    /// The command that the key starts, whatever the client asks for; without it the key starts any.
    #[serde(default)]
    command: Option<String>,
    /// More options of sshd, such as `restrict`, `no-pty` or `permitopen=10.0.0.7:5432`. Those not listed go.
    #[serde(default)]
    options: Vec<String>,
    /// Another file of keys, as an absolute path, where sshd's AuthorizedKeysFile names one; it belongs to root.
    /// Default: `.ssh/authorized_keys` in the account's home.
    #[serde(default)]
    file: Option<String>,
    /// Mode of the file in octal, between quotes. Default: `0600`; with `file`: `0644`.
    #[serde(default)]
    mode: Option<String>,
    /// Whether the key should be there.
    #[serde(default)]
    state: State,
    #[serde(skip)]
    lines: Vec<AuthorizedLine>,
    /// Whether rempart itself logs in with the account.
    #[serde(skip)]
    is_login: bool,
}

// Account, file, its group, and how folder and file stand; the file's text after that.
const PROGRAM: &str = r#"rp_passwd=$(getent passwd -- "$rp_user"); rp_s=$?
case $rp_s$rp_passwd in 2) echo nobody; exit 0 ;; 0"$rp_user":*) ;; *) echo "the account $rp_user could not be read" >&2; exit 3 ;; esac
rp_file=$(rp_home_of "$rp_named") && rp_group=$(id -gn -- "$rp_user") || exit 3
rp_stand() {
  if [ -e "$1" ] || [ -L "$1" ]; then stat --printf='%F\0%a\0%U\0' -- "$1"; else printf 'absent\0\0\0'; fi
}
printf 'keys\0%s\0%s\0' "$rp_file" "$rp_group"
rp_stand "${rp_file%/*}" && rp_stand "$rp_file" || exit 3
[ ! -f "$rp_file" ] || head -c 262145 -- "$rp_file""#;

// How a folder or file stands.
struct Stand<'a> {
    kind: &'a str,
    mode: String,
    owner: &'a str,
}

struct KeysFile<'a> {
    path: &'a str,
    folder: Stand<'a>,
    file: Stand<'a>,
    lines: Vec<(String, Option<AuthorizedLine>)>,
}

impl AuthorizedKey {
    // The file as steps name it.
    fn named(&self) -> String {
        self.file.clone().unwrap_or_else(|| format!("~{}/.ssh/authorized_keys", self.user))
    }

    fn section(&self) -> String {
        format!("authorized_keys {} {}", self.user, self.named())
    }

    fn mode(&self) -> String {
        let usual = if self.file.is_some() { "0644" } else { "0600" };
        format!("{:0>4}", self.mode.as_deref().unwrap_or(usual))
    }

    fn owner(&self) -> &str {
        if self.file.is_some() { "root" } else { &self.user }
    }

    fn looked_for(&self) -> String {
        self.fingerprint.clone().or_else(|| Some(self.lines.first()?.fingerprint())).unwrap_or_default()
    }

    // `None` = there is no such account.
    fn file_of<'a>(&self, answer: &'a Answer) -> Result<Option<KeysFile<'a>>, ProbeError> {
        let section = answer.section(&self.section())?;
        let unclear = || ProbeError(format!("the keys of {} could not be read: {}", self.user, section.complaint()));
        let text = section.text()?;
        if section.status != 0 {
            return Err(unclear());
        }
        if text == "nobody\n" {
            return Ok(None);
        }
        let parts: Vec<&str> = text.splitn(10, '\0').collect();
        let ["keys", path, _, folder, folder_mode, folder_owner, kind, mode, owner, text] = parts.as_slice() else {
            return Err(unclear());
        };
        let is_kind =
            |kind: &str| ["absent", "directory", "symbolic link"].contains(&kind) || kind.starts_with("regular");
        if !is_kind(folder) || !is_kind(kind) || !path.starts_with('/') {
            return Err(unclear());
        }
        if !matches!(*folder, "absent" | "directory") {
            return Err(ProbeError(format!("the directory of {path} is a {folder}")));
        }
        if *kind != "absent" && !kind.starts_with("regular") {
            return Err(ProbeError(format!("{path} is a {kind}, not a regular file")));
        }
        if text.len() > 262_144 {
            return Err(ProbeError(format!("{path} is over 256 KiB, which is not read")));
        }
        let stand = |kind, mode: &str, owner| Stand { kind, mode: format!("{mode:0>4}"), owner };
        Ok(Some(KeysFile {
            path,
            folder: stand(folder, folder_mode, folder_owner),
            file: stand(kind, mode, owner),
            lines: text.split_terminator('\n').map(|line| (line.to_owned(), AuthorizedLine::read(line))).collect(),
        }))
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let Some(there) = self.file_of(answer)? else {
            return Ok(match self.state {
                State::Absent => Seen::Absent,
                State::Present => Seen::NotYet {
                    missing: format!("there is no account {}", self.user),
                    brought_by: vec![Provision::User(self.user.clone())],
                },
            });
        };
        if there.file.kind == "absent" {
            return Ok(Seen::Absent);
        }
        let mut fields = Fields::from([
            ("mode".to_owned(), FieldValue::text(&there.file.mode)),
            ("file.owner".to_owned(), FieldValue::text(there.file.owner)),
            ("file.folder".to_owned(), FieldValue::text(format!("{} {}", there.folder.mode, there.folder.owner))),
            ("path".to_owned(), FieldValue::text(there.path)),
        ]);
        if self.exclusive {
            let written = |(text, line): &(String, Option<AuthorizedLine>)| match line {
                Some(line) => Some(spec::told(line)),
                // What is no comment and no key is something that somebody takes for one.
                None => Some(text.trim().to_owned()).filter(|text| !text.is_empty() && !text.starts_with('#')),
            };
            let mut keys: Vec<String> = there.lines.iter().filter_map(written).collect();
            keys.sort_unstable();
            fields.insert("keys".into(), FieldValue::list(keys));
            let all: Vec<String> = there.lines.into_iter().map(|(text, _)| text).collect();
            fields.insert("lines".into(), FieldValue::list(all));
            return Ok(Seen::Present(fields));
        }
        let wanted = self.looked_for();
        let ours = there.lines.iter().filter_map(|(text, line)| Some((text, line.as_ref()?)));
        let ours: Vec<(&String, &AuthorizedLine)> = ours.filter(|(_, line)| line.fingerprint() == wanted).collect();
        let Some((_, first)) = ours.first() else { return Ok(Seen::Absent) };
        fields.extend(spec::option_fields(&first.options));
        fields.insert("key".into(), FieldValue::text(&first.comment));
        fields.insert("base64".into(), FieldValue::text(&first.base64));
        fields.insert("times".into(), FieldValue::Int(i64::try_from(ours.len()).unwrap_or(i64::MAX)));
        fields.insert("lines".into(), FieldValue::list(ours.into_iter().map(|(text, _)| text.as_str())));
        Ok(Seen::Present(fields))
    }

    fn part(&self, seen: &Seen) -> Part {
        let known = match seen {
            Seen::Present(fields) => text_of(fields, "base64"),
            _ => None,
        };
        let text = known.or_else(|| Some(self.lines.first()?.base64.clone())).unwrap_or_else(|| "-".into());
        Part { file: self.named(), way: PartWay::Key, text }
    }

    fn script(&self, put: Sh) -> Sh {
        let set =
            sh!("rp_file=$(rp_home_of {}) || rp_fail {}", self.named(), format!("there is no account {}", self.user));
        let mut script = Sh::lines([set, sh!("rp_group=$(id -gn -- {})", self.owner())]);
        if self.file.is_none() {
            script.line(sh!("rp_directory \"${rp_file%/*}\" 0700 {}\"$rp_group\"", format!("{}:", self.user)));
        }
        script.line(put);
        script
    }

    fn text(&self) -> Rendered {
        Rendered::plain(self.lines.iter().map(|line| format!("{}\n", line.text())).collect::<String>())
    }

    fn step(&self, seen: &Seen) -> Step {
        let lines = match seen {
            Seen::Present(fields) => list_of(fields, "lines"),
            _ => Vec::new(),
        };
        let user = &self.user;
        let (step, touch) = if self.exclusive {
            let put = sh!("rp_put \"$P/0\" \"$rp_file\" {} {} \"$rp_group\"", self.mode(), self.owner());
            let keys = count(self.lines.len(), "key", "keys");
            let title = format!("let {user} log in with {keys} and no other");
            let was = match seen {
                Seen::Present(_) => lines.iter().map(|line| format!("{line}\n")).collect::<String>(),
                _ => "absent".into(),
            };
            let command = sh!(
                "rp_file=$(rp_home_of {}) && [ -e \"$rp_file\" ] || { echo absent; exit; }; cat -- \"$rp_file\"",
                self.named()
            );
            let expect = Expect::Prints { command, output: was.trim_end_matches('\n').to_owned() };
            (Step::new(title, self.script(put)).expecting(expect), Touch::Path(self.named()))
        } else {
            let part = self.part(seen);
            let words = sh!("\"$rp_file\" {} {}", part.way.word(), part.text);
            let is_there = self.state == State::Present;
            let put = match is_there {
                true => sh!("rp_part_write {} \"$P/0\" '' '' {} {} \"$rp_group\"", words, self.mode(), self.owner()),
                false => sh!("rp_part_write {} \"$P/0\" '' ''", words),
            };
            let title = match is_there {
                true => format!("let {user} log in with {}", self.looked_for()),
                false => format!("take the key {} of {user} away", self.looked_for()),
            };
            let script = match is_there {
                true => self.script(put),
                false => Sh::lines([sh!("rp_file=$(rp_home_of {})", self.named()), put]),
            };
            (Step::new(title, script).expecting(part.expect(&lines)), part.touch())
        };
        let folder = self.file.is_none().then(|| Touch::Path(format!("~{user}/.ssh")));
        let step = step.with_payload(if self.state == State::Present { self.text() } else { Rendered::plain("") });
        let step = step.synced().undone_by(Undo::of([touch].into_iter().chain(folder)));
        if self.is_login { step.risky() } else { step }
    }
}

fn text_of(fields: &Fields, name: &str) -> Option<String> {
    match fields.get(name) {
        Some(FieldValue::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

fn list_of(fields: &Fields, name: &str) -> Vec<String> {
    match fields.get(name) {
        Some(FieldValue::List(lines)) => lines.clone(),
        _ => Vec::new(),
    }
}

impl Kind for AuthorizedKey {
    const NAME: &'static str = "authorized_key";
    const SUMMARY: &'static str = "SSH keys of an account: one, with its options, or exactly these.";
    const EXAMPLE: &'static str = "authorized_key: { user: deploy, key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJtVHLxA0EYCQ2S1Wn2V4xQ7EZ5nV0o3aP4T3P5oJ0d ci, from: [192.0.2.0/24], options: [restrict] }";
    const UNDO: &'static str = "the lines with the key as they were, in a file that others may have changed since; with `exclusive`, the file. Owner and mode of both, and the directory.";

    const TOUCHES_OTHERS: bool = false;

    fn key(&self) -> String {
        let what = if self.exclusive { "keys".to_owned() } else { self.looked_for() };
        let file = self.file.as_deref().map(|file| format!(" {file}")).unwrap_or_default();
        format!("{} {what}{file}", self.user)
    }

    fn named(key: &str) -> Option<Value> {
        let mut words = key.split(' ');
        let (user, fingerprint) = (words.next()?, words.next().filter(|word| word.starts_with("SHA256:"))?);
        Some(match words.next() {
            Some(file) => serde_json::json!({ "user": user, "fingerprint": fingerprint, "file": file }),
            None => serde_json::json!({ "user": user, "fingerprint": fingerprint }),
        })
    }

    fn is_risky(&self) -> bool {
        self.is_login
    }

    fn settle(&mut self, context: &Context<'_>) -> Result<(), Fault> {
        account_name("user", &self.user)?;
        self.is_login = context.login_user == Some(self.user.as_str());
        if let Some(file) = &self.file {
            absolute_path("file", file)?;
            if file.contains(' ') || !is_way_in(file) {
                let why = format!("`{file}` does not look like a file of keys");
                return Err(Fault::new("file", why)
                    .fix("let it stand in /etc/ssh, or let its name hold authorized_keys, without a space"));
            }
        }
        if let Some(mode) = &self.mode {
            mode_text("mode", mode)?;
            if u32::from_str_radix(mode, 8).unwrap_or(0o777) & 0o133 != 0 {
                return Err(Fault::new("mode", "sshd takes no keys from a file that others can write")
                    .fix("write \"0600\" or \"0644\""));
            }
        }
        self.lines = spec::lines(&self.key, &self.keys)?;
        let own = spec::own_options(&self.from, self.command.as_deref(), &self.options)?;
        if self.exclusive != self.key.is_none() && self.fingerprint.is_none() {
            return Err(Fault::new(
                "exclusive",
                "`keys` and `exclusive: true` go together, and a single `key` with neither",
            )
            .fix("for several keys beside others, write an item for each, with `each`"));
        }
        if let Some(fingerprint) = &self.fingerprint {
            spec::fingerprint(fingerprint)?;
            if self.state == State::Present || self.key.is_some() || !self.keys.is_empty() || self.exclusive {
                return Err(Fault::new(
                    "fingerprint",
                    "it names a key that goes: only beside `state: absent`, without the key",
                ));
            }
        }
        match (self.state, self.exclusive) {
            (State::Absent, true) => {
                return Err(
                    Fault::new("state", "which keys go must be said one by one").fix("give `key` or `fingerprint`")
                );
            }
            (_, true) if !own.is_empty() => {
                return Err(Fault::new("options", "with `keys`, each has its own")
                    .fix("write them before the key, as in the file"));
            }
            (State::Absent, _) if !own.is_empty() => {
                return Err(Fault::new("options", "a key that is absent has no options"));
            }
            (State::Present, true) if self.lines.is_empty() && self.is_login => {
                return Err(Fault::new("keys", format!("rempart itself logs in as {}", self.user)));
            }
            _ => {}
        }
        if let (Some(line), false) = (self.lines.first_mut(), self.exclusive) {
            line.options = own;
        }
        Ok(())
    }

    fn uses(&self) -> Vec<Provision> {
        let file = self.file.clone().map(Provision::Path);
        [Provision::User(self.user.clone())].into_iter().chain(file).collect()
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let text = FieldValue::text;
        let mut fields = Fields::from([
            ("mode".to_owned(), text(self.mode())),
            ("file.owner".to_owned(), text(self.owner().to_owned())),
        ]);
        if self.file.is_none() {
            fields.insert("file.folder".into(), text(format!("0700 {}", self.user)));
        }
        if self.exclusive {
            let mut keys: Vec<String> = self.lines.iter().map(spec::told).collect();
            keys.sort_unstable();
            fields.insert("keys".into(), FieldValue::list(keys));
        } else if let Some(line) = self.lines.first() {
            fields.extend(spec::option_fields(&line.options));
            fields.insert("times".into(), FieldValue::Int(1));
            if !line.comment.is_empty() {
                fields.insert("key".into(), text(line.comment.clone()));
            }
        }
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        script.prelude(Sh::program_of_the_user(crate::resource::PART_SHELL));
        for wanted in batch {
            let set = sh!("rp_user={} rp_named={}", wanted.user, wanted.named());
            script.section(wanted.section(), Sh::lines([set, Sh::program_of_the_user(PROGRAM)]));
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn foresee(&self, seen: &Seen, foreseen: &mut Foreseen) {
        if !self.is_login {
            return;
        }
        let (path, mode, owner) = (self.named(), self.mode(), self.owner().to_owned());
        if self.exclusive {
            let (content, group) = (Some(self.text()), owner.clone());
            return foreseen.put_file(&ManagedFile { path, content, mode, owner, group }, false);
        }
        let is_there = self.state == State::Present;
        let lines = if is_there { self.lines.iter().map(AuthorizedLine::text).collect() } else { Vec::new() };
        foreseen.put_part(Edit { part: self.part(seen), lines }, is_there.then_some([&mode, &owner, ""]));
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch.iter().map(|change| change.wanted.step(change.seen).serving([change.position])).collect()
    }
}

#[cfg(test)]
mod tests;
