//! A user account with its groups.

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::State;
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Expect, Fault, FieldValue, Fields, Foreseen, ForeseenAccount, Kind, ProbeError,
    ProbeScript, Provision, Seen, Step, Touch, Undo, absolute_path,
};
use crate::sh;

/// A user account with its groups. What is not given is left as it is, and chosen by Debian for a new account.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Login name.
    name: String,
    /// Number.
    #[serde(default)]
    uid: Option<u32>,
    /// Primary group's name. A new account without it, or with its own name here, gets a group of its own name.
    #[serde(default)]
    group: Option<String>,
    /// Supplementary groups, which must exist.
    #[serde(default)]
    groups: Vec<String>,
    /// Whether it is taken out of every other supplementary group. Default: false.
    #[serde(default)]
    groups_exclusive: bool,
    /// Home directory as the account names it. It is made only with a new account that is not a system one.
    #[serde(default)]
    home: Option<String>,
    /// Login shell, such as `/usr/sbin/nologin`. A new account: that for a system one, else `/bin/bash`.
    #[serde(default)]
    shell: Option<String>,
    /// Whether a new account is a service's: a low number, no login shell, no home made. Default: false.
    #[serde(default)]
    system: bool,
    /// The person's name, or what the account is for.
    #[serde(default)]
    comment: Option<String>,
    /// Whether no password opens it (keys still do); `false` wants a password that was set by other means.
    #[serde(default)]
    password_locked: Option<bool>,
    /// Whether it should be there. Removing it never removes its home.
    #[serde(default)]
    state: State,
    /// Whether rempart itself logs in with it.
    #[serde(skip)]
    is_login: bool,
}

// A password hash in the second place, as on very old systems, does not travel.
const HIDE: &str = r"s/^\([^:]*\):[^:]*:/\1:x:/";
const PASSWD: &str = "user passwd";
pub(super) const GROUP: &str = "user group";
const SHADOW: &str = "user shadow";

impl User {
    /// The lines of such an answer. `root` stands in every one of these files: an answer without it is no answer.
    pub(super) fn lines<'a>(answer: &'a Answer, name: &str, fields: usize) -> Result<Vec<Vec<&'a str>>, ProbeError> {
        let section = answer.section(name)?;
        let text = section.text()?;
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(':').collect()).collect();
        let sound = lines.iter().all(|line| line.len() == fields) && lines.iter().any(|line| line[0] == "root");
        // getent's 2: one of the names is not known.
        if !sound || !matches!(section.status, 0 | 2) {
            let why = format!("accounts could not be read (status {}): {}", section.status, section.complaint());
            return Err(ProbeError(why));
        }
        Ok(lines)
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let accounts = Self::lines(answer, PASSWD, 7)?;
        let Some(account) = accounts.iter().find(|line| line[0] == self.name) else {
            let no_tool = String::from_utf8_lossy(&answer.section(PASSWD)?.stderr).contains("no useradd");
            return Ok(match self.state {
                State::Present if no_tool => Seen::NotYet {
                    missing: "useradd is not installed".into(),
                    brought_by: vec![Provision::Package("passwd".into())],
                },
                _ => Seen::Absent,
            });
        };
        let uid = account[2].parse().map_err(|_| ProbeError(format!("`{}` is no user number", account[2])))?;
        let groups = Self::lines(answer, GROUP, 4)?;
        let primary = groups.iter().find(|group| group[2] == account[3]).map_or(account[3], |group| group[0]);
        let mut members: Vec<&str> = groups
            .iter()
            .filter(|group| group[3].split(',').any(|member| member == self.name))
            .map(|group| group[0])
            .collect();
        members.sort_unstable();
        members.dedup();
        let mut fields = Fields::from([
            ("uid".to_owned(), FieldValue::Int(uid)),
            ("group".to_owned(), FieldValue::text(primary)),
            ("comment".to_owned(), FieldValue::text(account[4])),
            ("home".to_owned(), FieldValue::text(account[5])),
            ("shell".to_owned(), FieldValue::text(account[6])),
            ("line".to_owned(), FieldValue::text(account.join(":"))),
        ]);
        for group in &members {
            fields.insert(format!("groups.{group}"), FieldValue::text("member"));
        }
        fields.insert("groups".to_owned(), FieldValue::list(members));
        if self.password_locked.is_some() {
            let known = Self::lines(answer, SHADOW, 2)?;
            let state = known.iter().find(|line| line[0] == self.name).map_or("not in /etc/shadow", |line| line[1]);
            fields.insert("password_locked".to_owned(), FieldValue::text(state));
        }
        Ok(Seen::Present(fields))
    }

    fn create(&self) -> Step {
        let name = &self.name;
        let home = self.home.clone().unwrap_or_else(|| match self.system {
            true => "/nonexistent".to_owned(),
            false => format!("/home/{name}"),
        });
        let shell = self.shell.as_deref().unwrap_or(if self.system { "/usr/sbin/nologin" } else { "/bin/bash" });
        let mut words = vec![if self.system { "--system" } else { "--create-home" }, "--home-dir", &home];
        words.extend(["--shell", shell]);
        let (uid, groups) = (self.uid.map(|uid| uid.to_string()), self.groups.join(","));
        words.extend(uid.iter().flat_map(|uid| ["--uid", uid]));
        words.extend(self.comment.iter().flat_map(|comment| ["--comment", comment]));
        if !groups.is_empty() {
            words.extend(["--groups", &groups]);
        }
        let mut script = match &self.group {
            Some(group) if group != name => sh!("rp_group={}", format!("--gid={group}")),
            _ => sh!(
                "if getent group -- {} >/dev/null; then rp_group={}; else rp_group=--user-group; fi",
                name,
                format!("--gid={name}")
            ),
        };
        script.line(sh!("umask 022\nuseradd {} \"$rp_group\" -- {}", words, name));
        if self.password_locked == Some(false) {
            script.line(sh!("usermod --unlock -- {}", name));
        }
        let mut undo = self.undo(&self.groups, true);
        if !self.system {
            undo.touches.push(Touch::Home(home));
        }
        Step::new(format!("add the user {name}"), script).undone_by(undo)
    }

    // Line by line, and member by member: what others change in these files meanwhile is theirs.
    fn undo<'a>(&self, groups: impl IntoIterator<Item = &'a String>, whole: bool) -> Undo {
        let line = |file: &str| Touch::Line { file: file.to_owned(), key: self.name.clone() };
        let mut touches: Vec<Touch> = ["/etc/passwd", "/etc/shadow"].map(line).into();
        if whole {
            // An account may bring a group of its own name, and take it along.
            touches.extend(["/etc/group", "/etc/gshadow", "/etc/subuid", "/etc/subgid"].map(line));
        }
        let mut groups: Vec<&String> = groups.into_iter().filter(|group| !whole || **group != self.name).collect();
        groups.sort_unstable();
        groups.dedup();
        for group in groups {
            let member =
                |file: &str| Touch::Member { file: file.to_owned(), group: group.clone(), user: self.name.clone() };
            touches.extend(["/etc/group", "/etc/gshadow"].map(member));
        }
        Undo::of(touches)
    }

    // usermod gives the files of a home to the new number, and so does this to the old one.
    fn give_back(&self, was: &Fields, fields: &[String]) -> Sh {
        let (Some(FieldValue::Int(uid)), Some(FieldValue::Text(group)), Some(FieldValue::Text(home))) =
            (was.get("uid"), was.get("group"), was.get("home"))
        else {
            return Sh::default();
        };
        let mut after = Sh::default();
        if !is_home(home) {
            return after;
        }
        let differs = |name: &str| fields.iter().any(|field| field == name);
        if let (Some(new), true) = (self.uid, differs("uid")) {
            let (new, old) = (new.to_string(), uid.to_string());
            let found = Sh::program_of_the_user("{} +");
            after.line(sh!(
                "[ ! -d {} ] || find {} -xdev -uid {} -exec chown -h -- {} {}",
                home,
                home,
                new,
                old,
                found
            ));
        }
        if differs("group") {
            let new = self.group.as_deref().unwrap_or(&self.name);
            let (owner, found) = (uid.to_string(), Sh::program_of_the_user("{} +"));
            let find = sh!("find {} -xdev -uid {} -group {}", home, owner, new);
            after.line(sh!("[ ! -d {} ] || {} -exec chgrp -h -- {} {}", home, find, group, found));
        }
        after
    }

    fn modify(&self, was: &Fields, fields: &[String]) -> Step {
        let wanted = |value: &Option<String>| value.clone().unwrap_or_else(|| self.name.clone());
        let (mut words, mut joined) = (Vec::new(), Vec::new());
        for field in fields {
            words.extend(match field.as_str() {
                "uid" => ["--uid".to_owned(), self.uid.unwrap_or_default().to_string()],
                "group" => ["--gid".to_owned(), wanted(&self.group)],
                "home" => ["--home".to_owned(), wanted(&self.home)],
                "shell" => ["--shell".to_owned(), wanted(&self.shell)],
                "comment" => ["--comment".to_owned(), wanted(&self.comment)],
                "groups" => ["--groups".to_owned(), self.groups.join(",")],
                other => {
                    joined.extend(other.strip_prefix("groups."));
                    continue;
                }
            });
        }
        if !joined.is_empty() {
            words.extend(["--append".to_owned(), "--groups".to_owned(), joined.join(",")]);
        }
        let mut script = Sh::default();
        if !words.is_empty() {
            script.line(sh!("usermod {} -- {}", words, self.name));
        }
        // On its own: with `--lock`, usermod takes no other option that touches the password.
        if fields.iter().any(|field| field == "password_locked") {
            let lock = if self.password_locked == Some(false) { "--unlock" } else { "--lock" };
            script.line(sh!("usermod {} -- {}", lock, self.name));
        }
        let step = Step::new(format!("change the user {} ({})", self.name, fields.join(", ")), script);
        let had = groups_of(was);
        let undo = self.undo(had.iter().chain(&self.groups), false).then(self.give_back(was, fields));
        let step = step.undone_by(undo);
        if self.is_login { step.risky() } else { step }
    }

    fn remove(&self, was: &Fields) -> Step {
        let what = format!("remove the user {}, but not its home", self.name);
        Step::new(what, sh!("userdel -- {}", self.name)).undone_by(self.undo(&groups_of(was), true))
    }
}

fn groups_of(was: &Fields) -> Vec<String> {
    match was.get("groups") {
        Some(FieldValue::List(groups)) => groups.clone(),
        _ => Vec::new(),
    }
}

// A service's account may name a directory of the system, whose files are not its own.
fn is_home(path: &str) -> bool {
    path.trim_start_matches('/').contains('/')
        && !["/usr/", "/bin/", "/sbin/", "/lib/"].iter().any(|of| path.starts_with(of))
}

impl Kind for User {
    const NAME: &'static str = "user";
    const NAMED_BY: Option<&'static str> = Some("name");
    const SUMMARY: &'static str = "A user account with its groups.";
    const EXAMPLE: &'static str =
        "user: { name: ollama, system: true, home: /var/lib/ollama, groups: [render], password_locked: true }";
    const UNDO: &'static str = "its lines in passwd, shadow, group, subuid and subgid and its memberships, not what others changed in these files; its files' numbers where they were changed. A new home goes while it holds the skeleton alone.";

    const TOUCHES_OTHERS: bool = false;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn is_risky(&self) -> bool {
        self.is_login
    }

    fn settle(&mut self, context: &Context<'_>) -> Result<(), Fault> {
        account_name("name", &self.name)?;
        for group in self.groups.iter().chain(&self.group) {
            account_name(if self.groups.contains(group) { "groups" } else { "group" }, group)?;
        }
        self.groups.sort_unstable();
        self.groups.dedup();
        if self.uid == Some(0) && self.name != "root" {
            return Err(Fault::new("uid", "0 is root's number: whoever has it is root"));
        }
        for (field, path) in [("home", &self.home), ("shell", &self.shell)] {
            if let Some(path) = path {
                absolute_path(field, path)?;
                line_of_passwd(field, path)?;
            }
        }
        if let Some(comment) = &self.comment {
            line_of_passwd("comment", comment)?;
        }
        self.is_login = context.login_user == Some(self.name.as_str());
        if self.state == State::Absent && (self.is_login || self.name == "root") {
            return Err(Fault::new("state", format!("{} is never removed: rempart needs it to log in", self.name)));
        }
        let shut = self.shell.as_deref().is_some_and(|shell| shell.ends_with("/nologin") || shell.ends_with("/false"));
        if self.is_login && shut {
            return Err(Fault::new("shell", format!("rempart itself logs in as {}", self.name)));
        }
        Ok(())
    }

    fn provides(&self) -> Vec<Provision> {
        if self.state == State::Absent {
            return Vec::new();
        }
        let own = self.group.as_ref().is_none_or(|group| *group == self.name);
        let group = own.then(|| Provision::Group(self.name.clone()));
        [Provision::User(self.name.clone())].into_iter().chain(group).collect()
    }

    fn uses(&self) -> Vec<Provision> {
        let groups = self.groups.iter().chain(self.group.as_ref().filter(|group| **group != self.name));
        groups.map(|group| Provision::Group(group.clone())).collect()
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let mut fields = Fields::new();
        for (name, value) in
            [("group", &self.group), ("home", &self.home), ("shell", &self.shell), ("comment", &self.comment)]
        {
            if let Some(value) = value {
                fields.insert(name.into(), FieldValue::text(value));
            }
        }
        if let Some(uid) = self.uid {
            fields.insert("uid".into(), FieldValue::Int(uid.into()));
        }
        if self.groups_exclusive {
            fields.insert("groups".into(), FieldValue::list(self.groups.clone()));
        } else {
            fields.extend(self.groups.iter().map(|group| (format!("groups.{group}"), FieldValue::text("member"))));
        }
        if let Some(locked) = self.password_locked {
            fields.insert("password_locked".into(), FieldValue::text(if locked { "locked" } else { "set" }));
        }
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        let mut names: Vec<&str> = batch.iter().map(|wanted| wanted.name.as_str()).chain(["root"]).collect();
        names.sort_unstable();
        names.dedup();
        let hide = sh!("sed -e {}", HIDE);
        let tool = sh!("command -v useradd >/dev/null || echo 'no useradd' >&2");
        let passwd =
            sh!("rp_o=$(getent passwd -- {}); rp_s=$?; printf '%s\\n' \"$rp_o\" | {}; exit $rp_s", names, hide);
        script.section(PASSWD, Sh::lines([tool, passwd]));
        ask_groups(script);
        if batch.iter().any(|wanted| wanted.password_locked.is_some()) {
            script.section(
                SHADOW,
                sh!(
                    "sed -n -e {} -e {} -e {} /etc/shadow",
                    r"s/^\([^:]*\):[!*][^:]*:.*/\1:locked/p;t",
                    r"s/^\([^:]*\)::.*/\1:empty, anyone may log in/p;t",
                    r"s/^\([^:]*\):.*/\1:set/p"
                ),
            );
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn foresee(&self, _seen: &Seen, foreseen: &mut Foreseen) {
        let account = ForeseenAccount {
            shell: self.shell.clone(),
            home: self.home.clone(),
            uid: self.uid,
            locked: self.password_locked,
            group: self.group.clone(),
            groups: self.groups.clone(),
            groups_only: self.groups_exclusive,
            origin: foreseen.origin(),
        };
        foreseen.accounts.insert(self.name.clone(), account);
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch
            .iter()
            .map(|Change { position, wanted, seen, fields }| {
                let nothing = Fields::new();
                let was = if let Seen::Present(was) = seen { was } else { &nothing };
                let output = match was.get("line") {
                    Some(FieldValue::Text(line)) => line.clone(),
                    _ => String::new(),
                };
                let step = match (wanted.state, seen) {
                    (State::Absent, _) => wanted.remove(was),
                    (State::Present, Seen::Present(_)) => wanted.modify(was, fields),
                    (State::Present, _) => wanted.create(),
                };
                let command = sh!("getent passwd -- {} | sed -e {}", wanted.name, HIDE);
                step.expecting(Expect::Prints { command, output }).serving([*position])
            })
            .collect()
    }
}

/// Asks for all groups; whatever else asks so, they are read once.
pub(super) fn ask_groups(script: &mut ProbeScript) {
    let hide = sh!("sed -e {}", HIDE);
    script.section(GROUP, sh!("rp_o=$(getent group); rp_s=$?; printf '%s\\n' \"$rp_o\" | {}; exit $rp_s", hide));
}

pub(super) fn account_name(field: &'static str, name: &str) -> Result<(), Fault> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if first && name.len() <= 32 && name.chars().all(fine) {
        return Ok(());
    }
    Err(Fault::new(field, format!("`{}` cannot be an account's name", name.escape_debug()))
        .fix("use up to 32 letters, digits and _ - . beginning with a letter"))
}

fn line_of_passwd(field: &'static str, text: &str) -> Result<(), Fault> {
    match text.chars().find(|c| *c == ':' || c.is_control()) {
        None => Ok(()),
        Some(bad) => Err(Fault::new(field, format!("it holds `{}`, which breaks /etc/passwd", bad.escape_debug()))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kinds::tests::{load, section};

    fn seen(item: &str, name: &str, status: i32) -> Seen {
        let wanted = load::<User>(item).unwrap();
        let part = |part: &str, status| section("user", &format!("{name}-{part}"), status);
        let sections = [(PASSWD, part("passwd", status)), (GROUP, part("group", 0)), (SHADOW, part("shadow", 0))];
        User::parse(&[&wanted], &Answer::of_sections(sections)).remove(0)
    }

    #[test]
    fn an_account_is_read_with_its_groups_and_whether_it_is_locked() {
        let Seen::Present(fields) = seen("{ name: gw, password_locked: true }", "there", 2) else { panic!() };
        let wanted = load::<User>(
            "{ name: gw, uid: 4711, group: staff, groups: [video, audio], groups_exclusive: true, home: /srv/gw, \
             shell: /usr/sbin/nologin, comment: The gateway, password_locked: true }",
        );
        let Desired::Present(wanted) = wanted.unwrap().desired() else { panic!() };
        for (name, value) in wanted {
            assert!(value.agrees_with(&fields[&name]), "{name}: {value:?}, {:?}", fields[&name]);
        }
        assert!(matches!(seen("{ name: nosuch }", "there", 2), Seen::Absent));
    }

    #[test]
    fn no_answer_is_never_absence() {
        assert!(matches!(seen("{ name: nosuch }", "garbled", 0), Seen::Unknown(_)));
        assert!(matches!(seen("{ name: nosuch }", "failing", 127), Seen::Unknown(_)));
        assert!(matches!(seen("{ name: gw, password_locked: true }", "no-shadow", 2), Seen::Unknown(_)));
    }

    #[test]
    fn the_way_in_is_kept() {
        assert!(load::<User>("{ name: admin, state: absent }").is_err());
        assert!(load::<User>("{ name: admin, shell: /bin/false }").is_err());
        assert!(load::<User>("{ name: root, state: absent }").is_err());
        let wanted = load::<User>("{ name: admin, shell: /bin/zsh }").unwrap();
        assert!(wanted.modify(&Fields::new(), &["shell".to_owned()]).risky);
    }

    proptest! {
        #[test]
        fn hostile_texts_are_refused_or_stay_one_word(text in "[^\0]{1,30}") {
            let quoted = serde_json::to_string(&text).unwrap();
            let named = load::<User>(&format!("{{ name: {quoted} }}"));
            prop_assert!(named.is_err() || account_name("name", &text).is_ok());
            if let Ok(wanted) = load::<User>(&format!("{{ name: gw, comment: {quoted} }}")) {
                prop_assert!(!text.contains([':', '\n']));
                let script = wanted.create().script;
                let word = format!(" --comment {} ", crate::quote::quote_sh(&text));
                prop_assert!(script.text().contains(&word));
            }
        }
    }
}
