//! A file of sudo's: who may run what, as whom, with or without a password.

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::State;
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Fault, Foreseen, Kind, ManagedFile, ProbeError, ProbeScript, Provision, Seen,
    Step,
};
use crate::secret::Rendered;
use crate::sh;

/// A file in /etc/sudoers.d: who may run what, as whom, with or without a password. visudo tries it before it replaces
/// another, and a plan after which rempart itself could not become root any more is refused.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sudoers {
    /// The file's name: letters, digits, `_` and `-`. sudo passes over names with a dot or a `~`. Files are read in the
    /// order of their names, and of several rules that fit, the last counts.
    name: String,
    /// What is allowed, in order; of several that fit, the last counts.
    #[serde(default)]
    rules: Vec<Rule>,
    /// More lines, as sudoers(5) has them, after the rules; without secrets.
    #[serde(default)]
    content: Option<String>,
    /// Whether it should be there.
    #[serde(default)]
    state: State,
}

/// One rule.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// Who may: names of accounts, `%group` for a group's members, or `ALL`.
    users: Vec<String>,
    /// What: absolute paths of programs, each with the arguments that it must be run with (without any, every one is
    /// allowed; `""` = none is), `sudoedit` with the files that may be edited, or `ALL`. `*`, `?` and `[...]` are patterns, which in
    /// arguments fit spaces and slashes too.
    commands: Vec<String>,
    /// As whom: names of accounts, or `ALL`. Default: root alone.
    #[serde(default = "root")]
    run_as: Vec<String>,
    /// With which groups: their names, or `ALL`; none but those of the account unless said.
    #[serde(default)]
    run_as_groups: Vec<String>,
    /// Whether sudo asks for the user's password. Default: true.
    #[serde(default = "yes")]
    password: bool,
    /// Whether the user may hand over an environment of their own. Default: false.
    #[serde(default)]
    setenv: bool,
    /// Whether the program is kept from starting others. Default: false.
    #[serde(default)]
    noexec: bool,
}

fn root() -> Vec<String> {
    vec!["root".into()]
}

fn yes() -> bool {
    true
}

const INCLUDED: &str = "sudoers included";
const FOLDER: &str = "/etc/sudoers.d";

impl Rule {
    fn check(&self) -> Result<(), Fault> {
        let lists = [
            ("rules", "users", &self.users),
            ("rules", "run_as", &self.run_as),
            ("rules", "run_as_groups", &self.run_as_groups),
        ];
        for (field, what, names) in lists {
            if names.is_empty() && what != "run_as_groups" {
                return Err(Fault::new(field, format!("`{what}` is empty, so the rule would allow nothing")));
            }
            for name in names {
                let bare = if what == "users" { name.strip_prefix('%').unwrap_or(name) } else { name };
                let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
                // In capitals it would be an alias, which somebody else may define.
                let alias =
                    bare != "ALL" && bare.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
                let first = bare.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
                if !first || alias || !bare.chars().all(fine) || (bare == "ALL" && bare != name) {
                    return Err(Fault::new(field, format!("`{}` in `{what}` is no name", name.escape_debug()))
                        .fix("what else sudoers knows can be written in `content`"));
                }
            }
        }
        if self.commands.is_empty() {
            return Err(Fault::new("rules", "`commands` is empty, so the rule would allow nothing"));
        }
        self.commands.iter().try_for_each(|command| Self::check_command(command))
    }

    fn check_command(command: &str) -> Result<(), Fault> {
        let bad = |why: &str| {
            Err(Fault::new("rules", format!("the command `{}` {why}", command.escape_debug()))
                .fix("name it by its absolute path; what else sudoers knows can be written in `content`"))
        };
        if command == "ALL" {
            return Ok(());
        }
        let (program, arguments) = command.split_once(' ').unwrap_or((command, ""));
        if command.starts_with('!') {
            return bad("takes something away from the others, which a copy under another name gets around");
        }
        if program != "sudoedit" && (!program.starts_with('/') || program.contains("/../")) {
            return bad("is no absolute path");
        }
        if program == "sudoedit" && !arguments.starts_with('/') {
            return bad("does not say which files may be edited");
        }
        let quoted = arguments != "\"\"" && command.contains('"');
        if quoted || command.chars().any(|c| c.is_control() || "\\^'".contains(c)) {
            return bad("holds a control character, a quote, `\\` or `^`");
        }
        if command.ends_with(' ') || arguments.starts_with(' ') {
            return bad("has spaces before or after its arguments");
        }
        if program.ends_with('/') {
            return bad("is a directory, which would allow all that is ever put there");
        }
        Ok(())
    }

    fn text(&self) -> String {
        let escaped = |command: &String| {
            let mut text = String::new();
            for c in command.chars() {
                if ",:=#".contains(c) {
                    text.push('\\');
                }
                text.push(c);
            }
            text
        };
        let groups = match self.run_as_groups.is_empty() {
            true => String::new(),
            false => format!(" : {}", self.run_as_groups.join(", ")),
        };
        let tags: String = [(!self.password, "NOPASSWD: "), (self.setenv, "SETENV: "), (self.noexec, "NOEXEC: ")]
            .into_iter()
            .filter_map(|(is_set, tag)| is_set.then_some(tag))
            .collect();
        let commands: Vec<String> = self.commands.iter().map(escaped).collect();
        format!("{} ALL=({}{groups}) {tags}{}\n", self.users.join(", "), self.run_as.join(", "), commands.join(", "))
    }
}

impl Sudoers {
    fn file(&self) -> ManagedFile {
        let mut text = "# Managed by rempart.\n".to_owned();
        text.extend(self.rules.iter().map(Rule::text));
        if let Some(content) = &self.content {
            text.push_str(content);
            if !content.ends_with('\n') {
                text.push('\n');
            }
        }
        ManagedFile {
            path: format!("{FOLDER}/{}", self.name),
            content: Some(Rendered::plain(text)),
            mode: "0440".into(),
            owner: "root".into(),
            group: "root".into(),
        }
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let not_installed = || Seen::NotYet {
            missing: "sudo is not installed".into(),
            brought_by: vec![Provision::Package("sudo".into())],
        };
        let Some(folder) = answer.stat(FOLDER)? else {
            return Ok(match self.state {
                State::Absent => Seen::Absent,
                State::Present => not_installed(),
            });
        };
        if !folder.is_directory() {
            return Err(ProbeError(format!("{FOLDER} is a {}", folder.file_type)));
        }
        let included = answer.section(INCLUDED)?;
        if self.state == State::Present {
            match (included.status, included.text()?.trim().parse::<u32>()) {
                (0, Ok(1..)) => {}
                (1, Ok(0)) => {
                    let why = format!("/etc/sudoers does not read {FOLDER}, so a file there means nothing");
                    return Err(ProbeError(why));
                }
                // The folder may be older than sudo, or have outlived it.
                (2, _) if included.complaint().ends_with("/etc/sudoers: No such file or directory") => {
                    return Ok(not_installed());
                }
                _ => return Err(ProbeError(format!("/etc/sudoers could not be read: {}", included.complaint()))),
            }
        }
        Ok(self.file().seen(answer))
    }
}

impl Kind for Sudoers {
    const NAME: &'static str = "sudoers";
    const NAMED_BY: Option<&'static str> = Some("name");
    const SUMMARY: &'static str = "A file of sudo's: who may run what, as whom, with or without a password.";
    const EXAMPLE: &'static str = "sudoers: { name: deploy, rules: [{ users: [deploy], commands: [/usr/bin/systemctl restart gateway], password: false }] }";
    const UNDO: &'static str = "the old file, or none where none was.";

    const RISKY: bool = true;
    const TOUCHES_OTHERS: bool = false;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        let fine = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        if self.name.is_empty() || self.name.len() > 100 || self.name.starts_with('-') || !self.name.chars().all(fine) {
            return Err(Fault::new("name", format!("`{}` is no name that sudo reads", self.name.escape_debug()))
                .fix("use letters, digits, _ and -, such as 50-deploy"));
        }
        if self.name == "README" {
            return Err(Fault::new("name", "README belongs to the package sudo"));
        }
        self.rules.iter().try_for_each(Rule::check)?;
        if let Some(content) = &self.content
            && (content.trim().is_empty() || content.chars().any(|c| c.is_control() && !"\n\t".contains(c)))
        {
            return Err(Fault::new("content", "it is empty, or holds a control character"));
        }
        // It would take the line after it along.
        if self.content.as_ref().is_some_and(|content| content.trim_end_matches('\n').ends_with('\\')) {
            return Err(Fault::new("content", "it ends with `\\`, which joins a next line that is not there"));
        }
        let is_empty = self.rules.is_empty() && self.content.is_none();
        match self.state {
            State::Present if is_empty => {
                Err(Fault::new("rules", "there is nothing in it").fix("give `rules`, `content`, or `state: absent`"))
            }
            State::Absent if !is_empty => {
                Err(Fault::new("state", "a file that is absent has neither rules nor content"))
            }
            _ => Ok(()),
        }
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Path(self.file().path)]
    }

    fn uses(&self) -> Vec<Provision> {
        let mut uses = vec![Provision::Package("sudo".into()), Provision::Path(self.file().path)];
        for rule in &self.rules {
            let group = |name: &String| name.strip_prefix('%').map(|name| Provision::Group(name.to_owned()));
            uses.extend(rule.users.iter().map(|name| group(name).unwrap_or_else(|| Provision::User(name.clone()))));
            uses.extend(rule.run_as.iter().cloned().map(Provision::User));
            uses.extend(rule.run_as_groups.iter().cloned().map(Provision::Group));
        }
        uses
    }

    fn desired(&self) -> Desired {
        match self.state {
            State::Absent => Desired::Absent,
            State::Present => self.file().desired(),
        }
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        script.stat(FOLDER);
        script.section(
            INCLUDED,
            sh!("grep -cE {} /etc/sudoers", r"^[#@]includedir[[:space:]]+/etc/sudoers\.d/?[[:space:]]*$"),
        );
        for wanted in batch {
            wanted.file().probe(script);
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn foresee(&self, _seen: &Seen, foreseen: &mut Foreseen) {
        foreseen.put_file(&self.file(), self.state == State::Absent);
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch
            .iter()
            .map(|change| {
                let file = change.wanted.file();
                // The file's own check passes where there is no visudo; here there must be one.
                let tool =
                    sh!("command -v visudo >/dev/null || { echo 'visudo is not there to try it' >&2; return 1; }");
                let whole: Sh =
                    sh!("visudo -cf /etc/sudoers >/dev/null || { echo 'sudoers as a whole is wrong' >&2; exit 1; }");
                let mut step = match change.wanted.state {
                    State::Absent => file.remove(change.seen),
                    State::Present => file.put(change.seen, tool),
                };
                // Files that are each right can be wrong together: an alias that is defined twice. Without `-f`, visudo
                // would refuse modes of others' files that sudo takes, such as 0400.
                step.script.line(whole);
                step.serving([change.position])
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kinds::tests::load;

    fn text(item: &str) -> String {
        load::<Sudoers>(item).unwrap().file().content.unwrap().as_plain().unwrap()
    }

    #[test]
    fn rules_are_written_as_sudoers_has_them() {
        let item = "{ name: x, rules: [{ users: [anna, '%ops'], commands: ['/usr/bin/systemctl restart a,b=c:d', '/bin/ls \"\"'], \
             run_as: [ALL], run_as_groups: [adm], password: false, noexec: true }], content: 'Defaults:anna !lecture' }";
        assert_eq!(
            text(item),
            "# Managed by rempart.\nanna, %ops ALL=(ALL : adm) NOPASSWD: NOEXEC: /usr/bin/systemctl restart a\\,b\\=c\\:d, \
             /bin/ls \"\"\nDefaults:anna !lecture\n"
        );
        assert!(load::<Sudoers>(item).unwrap().file().is_risky());
    }

    #[test]
    fn what_would_mean_something_else_is_refused() {
        for name in ["a.b", "a~", "", "a/b", "README", "-a"] {
            assert!(load::<Sudoers>(&format!("{{ name: '{name}', content: x }}")).is_err(), "{name}");
        }
        for rule in [
            "users: [], commands: [ALL]",
            "users: [anna], commands: []",
            "users: ['anna, ALL'], commands: [ALL]",
            "users: [ADMINS], commands: [ALL]",
            "users: ['%ALL'], commands: [ALL]",
            "users: [anna], commands: [ls]",
            "users: [anna], commands: ['!/bin/sh']",
            "users: [anna], commands: ['/bin/x \\\\ y']",
            "users: [anna], commands: [/usr/bin/]",
            "users: [anna], commands: [sudoedit]",
            "users: [anna], commands: [ALL], run_as: ['#0']",
            "users: [anna], commands: [/bin/x ^y]",
        ] {
            assert!(load::<Sudoers>(&format!("{{ name: x, rules: [{{ {rule} }}] }}")).is_err(), "{rule}");
        }
        assert!(load::<Sudoers>("{ name: x }").is_err());
        assert!(load::<Sudoers>("{ name: x, content: 'a \\' }").is_err());
    }

    proptest! {
        #[test]
        fn hostile_values_are_refused_or_stay_in_their_rule(value in "[^\0]{1,30}") {
            let quoted = serde_json::to_string(&value).unwrap();
            let command = serde_json::to_string(&format!("/bin/x {value}")).unwrap();
            let items = [
                format!("{{ name: x, rules: [{{ users: [{quoted}], commands: [/bin/x] }}] }}"),
                format!("{{ name: x, rules: [{{ users: [anna], commands: [{command}] }}] }}"),
                format!("{{ name: {quoted}, content: x }}"),
            ];
            for item in &items {
                let Ok(wanted) = load::<Sudoers>(item) else { continue };
                let content = wanted.file().content.unwrap().as_plain().unwrap();
                prop_assert_eq!(content.lines().count(), 2, "{}", content);
                // Each sign that would end a command is behind a backslash.
                let rule = content.lines().nth(1).unwrap_or_default().split_once(") ").map_or("", |(_, rest)| rest);
                let mut signs = rule.chars();
                while let Some(c) = signs.next() {
                    if c == '\\' { signs.next(); } else { prop_assert!(!",:=#".contains(c), "{}", content); }
                }
            }
        }
    }
}
