//! A group with its number and members.

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::State;
use super::user::{GROUP, User, account_name, ask_groups};
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Expect, Fault, FieldValue, Fields, Foreseen, Kind, ProbeError, ProbeScript,
    Provision, Seen, Step, Touch, Undo,
};
use crate::sh;

/// A group with its number and members. A membership is said either here or at the `user`, not at both.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name.
    name: String,
    /// Number; chosen by Debian for a new group unless said. Files keep the old number when it changes; accounts
    /// whose primary group it is follow.
    #[serde(default)]
    gid: Option<u32>,
    /// Whether a new group is a service's and gets a low number. Default: false.
    #[serde(default)]
    system: bool,
    /// Accounts that are members, which must exist. Those whose primary group it is need not be listed.
    #[serde(default)]
    members: Vec<String>,
    /// Whether every other account is taken out of it. Default: false.
    #[serde(default)]
    members_exclusive: bool,
    /// Whether it should be there. It is never removed while it is the primary group of an account.
    #[serde(default)]
    state: State,
    /// The account that rempart logs in with.
    #[serde(skip)]
    login: Option<String>,
}

const PRIMARY: &str = "group primary";
const TOOL: &str = "group tool";

// Made by Debian for every host, and meant by its files and programs.
#[rustfmt::skip]
const KEPT: &[&str] = &[
    "root", "daemon", "bin", "sys", "adm", "tty", "disk", "lp", "mail", "kmem", "dialout", "sudo", "audio", "www-data",
    "backup", "operator", "src", "shadow", "utmp", "video", "plugdev", "staff", "games", "users", "nogroup", "crontab",
    "_ssh", "input", "kvm", "render", "netdev", "messagebus", "systemd-journal", "systemd-network", "systemd-resolve",
];

impl Group {
    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let groups = User::lines(answer, GROUP, 4)?;
        // Whoever looks a group up by its name takes the first.
        let Some(group) = groups.iter().find(|line| line[0] == self.name) else {
            let tool = answer.section(TOOL)?;
            return Ok(match (self.state, tool.text()?) {
                (State::Absent, _) | (_, "there\n") => Seen::Absent,
                (State::Present, "missing\n") => Seen::NotYet {
                    missing: "groupadd is not installed".into(),
                    brought_by: vec![Provision::Package("passwd".into())],
                },
                _ => return Err(ProbeError(format!("whether groupadd is there is not clear: {}", tool.complaint()))),
            });
        };
        let gid: i64 = group[2].parse().map_err(|_| ProbeError(format!("`{}` is no group number", group[2])))?;
        let mut members: Vec<&str> = group[3].split(',').filter(|member| !member.is_empty()).collect();
        members.sort_unstable();
        members.dedup();
        let mut fields = Fields::from([
            ("gid".to_owned(), FieldValue::Int(gid)),
            ("line".to_owned(), FieldValue::text(group.join(":"))),
        ]);
        for member in &members {
            fields.insert(format!("members.{member}"), FieldValue::text("member"));
        }
        fields.insert("members".to_owned(), FieldValue::list(members));
        if self.gid.is_some() {
            let accounts = User::lines(answer, PRIMARY, 2)?;
            let primary = accounts.iter().filter(|account| account[1] == group[2]).map(|account| account[0]);
            fields.insert("primary".to_owned(), FieldValue::list(primary));
        }
        Ok(Seen::Present(fields))
    }

    // Line by line, and member by member: what others change in these files meanwhile is theirs.
    fn undo(&self, was: &Fields, fields: &[String]) -> Undo {
        let line = |file: &str, key: &str| Touch::Line { file: file.to_owned(), key: key.to_owned() };
        if fields.is_empty() {
            return Undo::of(["/etc/group", "/etc/gshadow"].map(|file| line(file, &self.name)));
        }
        let mut touches = Vec::new();
        if fields.iter().any(|field| field == "gid") {
            touches.push(line("/etc/group", &self.name));
            touches.extend(list(was, "primary").iter().map(|account| line("/etc/passwd", account)));
        }
        let had = list(was, "members");
        let mut moved: Vec<&String> = self.members.iter().filter(|member| !had.contains(member)).collect();
        if self.members_exclusive {
            moved.extend(had.iter().filter(|member| !self.members.contains(member)));
        }
        for user in moved {
            touches.extend(["/etc/group", "/etc/gshadow"].map(|file| Touch::Member {
                file: file.to_owned(),
                group: self.name.clone(),
                user: user.clone(),
            }));
        }
        Undo::of(touches)
    }

    fn create(&self) -> Step {
        let mut words = Vec::new();
        words.extend(self.system.then(|| "--system".to_owned()));
        words.extend(self.gid.iter().flat_map(|gid| ["--gid".to_owned(), gid.to_string()]));
        let mut script = sh!("umask 022\ngroupadd {} -- {}", words, self.name);
        if !self.members.is_empty() {
            script.line(sh!("gpasswd --members {} -- {} >/dev/null", self.members.join(","), self.name));
        }
        Step::new(format!("add the group {}", self.name), script)
    }

    fn modify(&self, was: &Fields, fields: &[String]) -> Step {
        let mut script = Sh::default();
        if let (Some(gid), true) = (self.gid, fields.iter().any(|field| field == "gid")) {
            script.line(sh!("groupmod --gid {} -- {}", gid.to_string(), self.name));
        }
        let had = list(was, "members");
        for member in self.members.iter().filter(|member| !had.contains(member)) {
            script.line(sh!("gpasswd --add {} -- {} >/dev/null", member, self.name));
        }
        for member in had.iter().filter(|member| self.members_exclusive && !self.members.contains(member)) {
            script.line(sh!("gpasswd --delete {} -- {} >/dev/null", member, self.name));
        }
        Step::new(format!("change the group {} ({})", self.name, fields.join(", ")), script)
    }

    // Whether the login may lose a membership by it, and with it sudo or the right to log in.
    fn takes_login_out(&self) -> bool {
        let Some(login) = self.login.as_ref().filter(|login| *login != "root") else { return false };
        self.state == State::Absent || (self.members_exclusive && !self.members.contains(login))
    }
}

fn list(was: &Fields, name: &str) -> Vec<String> {
    match was.get(name) {
        Some(FieldValue::List(names)) => names.clone(),
        _ => Vec::new(),
    }
}

impl Kind for Group {
    const NAME: &'static str = "group";
    const NAMED_BY: Option<&'static str> = Some("name");
    const SUMMARY: &'static str = "A group with its number and members.";
    const EXAMPLE: &'static str =
        "group: { name: models, gid: 3100, members: [ollama, backup], members_exclusive: true }";
    const UNDO: &'static str = "its lines in group and gshadow, the members that came and went, and the numbers of accounts whose primary group it is; not what others changed in these files.";

    const TOUCHES_OTHERS: bool = false;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn is_risky(&self) -> bool {
        self.takes_login_out()
    }

    fn settle(&mut self, context: &Context<'_>) -> Result<(), Fault> {
        account_name("name", &self.name)?;
        self.members.iter().try_for_each(|member| account_name("members", member))?;
        self.members.sort_unstable();
        self.members.dedup();
        if self.gid == Some(0) && self.name != "root" {
            return Err(Fault::new("gid", "0 is the number of the group root"));
        }
        if self.gid.is_some_and(|gid| gid >= u32::MAX - 1) {
            return Err(Fault::new("gid", "no group can have this number"));
        }
        if self.state == State::Absent && KEPT.contains(&self.name.as_str()) {
            return Err(Fault::new("state", format!("{} is never removed: Debian itself uses it", self.name)));
        }
        self.login = context.login_user.map(str::to_owned);
        Ok(())
    }

    fn provides(&self) -> Vec<Provision> {
        match self.state {
            State::Present => vec![Provision::Group(self.name.clone())],
            State::Absent => Vec::new(),
        }
    }

    fn uses(&self) -> Vec<Provision> {
        self.members.iter().cloned().map(Provision::User).collect()
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let mut fields = Fields::new();
        if let Some(gid) = self.gid {
            fields.insert("gid".into(), FieldValue::Int(gid.into()));
        }
        if self.members_exclusive {
            fields.insert("members".into(), FieldValue::list(self.members.clone()));
        } else {
            fields.extend(self.members.iter().map(|name| (format!("members.{name}"), FieldValue::text("member"))));
        }
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        ask_groups(script);
        script.section(TOOL, sh!("if command -v groupadd >/dev/null; then echo there; else echo missing; fi"));
        if batch.iter().any(|wanted| wanted.gid.is_some()) {
            script.section(PRIMARY, sh!("cut -d: -f1,4 /etc/passwd"));
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn foresee(&self, seen: &Seen, foreseen: &mut Foreseen) {
        let Some(login) = &self.login else { return };
        let was = matches!(seen, Seen::Present(fields) if list(fields, "members").contains(login));
        let joins = self.state == State::Present && self.members.contains(login);
        if joins != was && (joins || self.takes_login_out()) {
            foreseen.memberships.insert(self.name.clone(), (joins, foreseen.origin()));
        }
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
                let (step, fields) = match (wanted.state, seen) {
                    (State::Absent, _) => {
                        let title = format!("remove the group {}", wanted.name);
                        (Step::new(title, sh!("groupdel -- {}", wanted.name)), &[][..])
                    }
                    (State::Present, Seen::Present(_)) => (wanted.modify(was, fields), *fields),
                    (State::Present, _) => (wanted.create(), &[][..]),
                };
                let hide = r"s/^\([^:]*\):[^:]*:/\1:x:/";
                let command = sh!("getent group -- {} | sed -e {}", wanted.name, hide);
                let step = step.undone_by(wanted.undo(was, fields)).serving([*position]);
                let step = step.expecting(Expect::Prints { command, output });
                if wanted.is_risky() { step.risky() } else { step }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kinds::tests::load;
    use crate::resource::SectionOutput;

    fn seen(item: &str, groups: &str, status: i32) -> Seen {
        let wanted = load::<Group>(item).unwrap();
        let part = |text: &str, status| SectionOutput { status, stdout: text.into(), stderr: Vec::new() };
        let sections = [
            (GROUP, part(groups, status)),
            (TOOL, part("there\n", 0)),
            (PRIMARY, part("root:0\nanna:700\nberta:701\n", 0)),
        ];
        Group::parse(&[&wanted], &Answer::of_sections(sections)).remove(0)
    }

    #[test]
    fn a_group_is_read_with_number_and_members() {
        let there = seen("{ name: team, gid: 700 }", "root:x:0:\nteam:x:700:berta,anna\n", 0);
        let Seen::Present(fields) = there else { panic!("{there:?}") };
        assert_eq!(list(&fields, "members"), ["anna", "berta"]);
        assert_eq!(list(&fields, "primary"), ["anna"]);
        assert!(matches!(fields["gid"], FieldValue::Int(700)));
        assert!(matches!(seen("{ name: team }", "root:x:0:\n", 0), Seen::Absent));
    }

    #[test]
    fn no_answer_is_never_absence() {
        for (text, status) in [("", 0), ("team:x:7:\n", 0), ("root:x:0:\n\nx", 0), ("root:x:0:\n", 1), ("junk", 0)] {
            assert!(matches!(seen("{ name: team }", text, status), Seen::Unknown(_)), "{text}");
        }
        assert!(matches!(seen("{ name: t, gid: 7 }", "root:x:0:\nt:x:seven:\n", 0), Seen::Unknown(_)));
    }

    #[test]
    fn the_login_is_not_taken_out_unguarded() {
        let risky = |item: &str| load::<Group>(item).unwrap().is_risky();
        assert!(risky("{ name: team, state: absent }") && risky("{ name: sudo, members_exclusive: true }"));
        assert!(!risky("{ name: sudo, members: [admin], members_exclusive: true }") && !risky("{ name: team }"));
        assert!(load::<Group>("{ name: sudo, state: absent }").is_err());
        let wanted = load::<Group>("{ name: sudo, members: [anna], members_exclusive: true }").unwrap();
        let mut foreseen = Foreseen::default();
        let was = Fields::from([("members".to_owned(), FieldValue::list(["admin"]))]);
        wanted.foresee(&Seen::Present(was), &mut foreseen);
        assert!(!foreseen.memberships["sudo"].0);
        let mut foreseen = Foreseen::default();
        wanted.foresee(&Seen::Present(Fields::new()), &mut foreseen);
        assert!(foreseen.is_empty());
    }

    proptest! {
        #[test]
        fn hostile_names_are_refused(text in "[^\0]{1,30}") {
            let quoted = serde_json::to_string(&text).unwrap();
            for item in [format!("{{ name: {quoted} }}"), format!("{{ name: team, members: [{quoted}] }}")] {
                let made = load::<Group>(&item);
                prop_assert!(made.is_err() || account_name("name", &text).is_ok());
            }
        }
    }
}
