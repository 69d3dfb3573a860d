//! An archive unpacked into a directory, as a whole or not at all.

mod format;
mod seen;

use schemars::JsonSchema;
use serde::Deserialize;

use self::format::Format;
use self::seen::{QUESTION, SECTION};
use super::directory::is_of_the_system;
use super::file::State;
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Expect, Fault, FieldValue, Fields, Kind, ProbeScript, Provision, Seen, Step,
    Touch, Undo, absolute_path, is_before_keys, is_lifeline_folder, is_sha256, is_way_in, mode_text, plain_name,
};
use crate::sh;

/// An archive that stands on the host, unpacked into a directory of its own. It is unpacked and judged beside its place,
/// and changes places with what was there in one moment. A member that would land elsewhere, a device, a link that leads
/// out: the whole is refused. A file `.rempart.archive` in the directory says what was unpacked; what is changed deeper
/// inside is not looked at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// The directory that it becomes: an absolute path, in a directory that belongs to root.
    path: String,
    /// The archive: a file on the host, as `download` brings it. Once unpacked, it may go.
    #[serde(default)]
    from: Option<String>,
    /// The archive's SHA-256: 64 hexadecimal digits.
    #[serde(default)]
    sha256: Option<String>,
    /// What it is; told by its name unless said.
    #[serde(default)]
    format: Option<Format>,
    /// How many folders to leave out that everything is in. Default: 0.
    #[serde(default)]
    strip: u32,
    /// Paths in the directory that must be there, such as `bin/node`.
    #[serde(default)]
    creates: Vec<String>,
    /// Permissions of the directory itself in octal, between quotes. Inside, those of the archive, without set-uid bits.
    #[serde(default = "default_mode")]
    mode: String,
    /// Owner's name, for all that is unpacked; looked at on the directory itself.
    #[serde(default = "root")]
    owner: String,
    /// Group's name, likewise; the owner's name unless said.
    #[serde(default)]
    group: Option<String>,
    /// Whether a directory that holds something, and was not unpacked by rempart, may be replaced. Default: false.
    #[serde(default)]
    replace: bool,
    /// Whether it should be there. Only what rempart unpacked is ever removed.
    #[serde(default)]
    state: State,
}

fn default_mode() -> String {
    "0755".into()
}

fn root() -> String {
    "root".into()
}

const UNPACK: &str = include_str!("archive/unpack.sh");

impl Archive {
    fn marker(&self) -> String {
        format!("{}/.rempart.archive", self.path)
    }

    fn group(&self) -> &str {
        self.group.as_deref().unwrap_or(&self.owner)
    }

    fn sha256(&self) -> &str {
        self.sha256.as_deref().unwrap_or_default()
    }

    fn from(&self) -> &str {
        self.from.as_deref().unwrap_or_default()
    }

    fn format(&self) -> Option<Format> {
        self.format.or_else(|| Format::of_name(self.from.as_deref()?))
    }

    fn tool(&self) -> Option<(&'static str, &'static str)> {
        self.format().and_then(Format::tool)
    }

    fn inside(&self, path: &str) -> String {
        format!("{}/{path}", self.path)
    }

    fn put(&self, seen: &Seen, fields: &[String]) -> Step {
        let owner = format!("{}:{}", self.owner, self.group());
        if matches!(seen, Seen::Present(_)) && !fields.iter().any(|name| is_unpacked(name)) {
            let script = sh!("rp_directory {} {} {}", self.path, self.mode, owner);
            return Step::new(format!("set owner and mode of {}", self.path), script)
                .undone_by(Undo::of([Touch::Path(self.path.clone())]));
        }
        let call = sh!(
            "rp_unpack {} {} {} {} {} {} {} {} {}",
            self.from(),
            self.path,
            self.sha256(),
            if self.format() == Some(Format::Zip) { "zip" } else { "tar" },
            self.strip,
            self.owner,
            self.group(),
            self.mode,
            self.creates
        );
        let script = Sh::lines([Sh::program_of_the_user(UNPACK), call]);
        Step::new(format!("unpack {} as {}", self.from(), self.path), script)
            .undone_by(Undo::of([Touch::Tree(self.path.clone())]))
            .within(1800)
    }

    fn remove(&self) -> Step {
        let (folder, name) = self.path.rsplit_once('/').unwrap_or_default();
        let going = format!("{folder}/.rempart.new.{name}");
        // Out of sight in one moment; then as long as it takes.
        let script = sh!(
            "rp_parent {} root\nrm -rf -- {}\nmv -T -- {} {}\nrm -rf -- {}",
            if folder.is_empty() { "/" } else { folder },
            going,
            self.path,
            going,
            going
        );
        Step::new(format!("remove {}", self.path), script)
            .undone_by(Undo::of([Touch::Tree(self.path.clone())]))
            .within(1800)
    }

    fn expect(&self, seen: &Seen) -> Expect {
        let marker = self.marker();
        let command = sh!(
            "if [ -e {} ]; then cat -- {}; elif [ -e {} ]; then echo none; else echo absent; fi",
            marker,
            marker,
            self.path
        );
        let output = match seen {
            Seen::Present(fields) => match fields.get("marker") {
                Some(FieldValue::Text(marker)) => marker.trim_end().to_owned(),
                _ => return Expect::Nothing("its state was read by other means"),
            },
            _ => "absent".into(),
        };
        Expect::Prints { command, output }
    }
}

// Fields that only unpacking can mend.
fn is_unpacked(name: &str) -> bool {
    name == "sha256" || name == "strip" || name.starts_with("creates.")
}

impl Kind for Archive {
    const NAME: &'static str = "archive";
    const NAMED_BY: Option<&'static str> = Some("path");
    const SUMMARY: &'static str = "An archive unpacked into a directory, as a whole or not at all.";
    const EXAMPLE: &'static str = "archive: { path: /opt/node, from: /opt/node.tar.gz, strip: 1, creates: [bin/node], \
                                   sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 }";
    const UNDO: &'static str = "the directory as it was, with all that it held, or nothing where nothing was.";

    fn key(&self) -> String {
        self.path.clone()
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        absolute_path("path", &self.path)?;
        if is_of_the_system(&self.path) {
            return Err(Fault::new("path", format!("{} is never replaced as a whole", self.path))
                .fix("name a directory that is for the archive alone"));
        }
        if is_way_in(&self.inside("x")) || is_before_keys(&self.path) || is_lifeline_folder(&self.path) {
            return Err(Fault::new("path", format!("a login may depend on {}", self.path)));
        }
        mode_text("mode", &self.mode)?;
        plain_name("owner", &self.owner)?;
        self.group.as_deref().map_or(Ok(()), |group| plain_name("group", group))?;
        for path in &self.creates {
            absolute_path("creates", &self.inside(path))?;
        }
        if self.strip > 20 {
            return Err(Fault::new("strip", "more than 20 folders deep is nothing to be stripped"));
        }
        if self.state == State::Absent {
            return Ok(());
        }
        let Some(from) = &self.from else { return Err(Fault::new("from", "an archive must be named")) };
        absolute_path("from", from)?;
        if self.format().is_none() {
            return Err(Fault::new("from", format!("its name `{}` does not tell what it is", from.escape_debug()))
                .fix("say it by `format`, such as `format: tar.gz`"));
        }
        if let Some(sum) = &mut self.sha256 {
            sum.make_ascii_lowercase();
        }
        match &self.sha256 {
            Some(sum) if is_sha256(sum) => Ok(()),
            _ => {
                Err(Fault::new("sha256", "an archive must be pinned by its SHA-256").fix("write 64 hexadecimal digits"))
            }
        }
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Path(self.path.clone())]
    }

    fn uses(&self) -> Vec<Provision> {
        let mut all = vec![
            Provision::Path(self.path.clone()),
            Provision::User(self.owner.clone()),
            Provision::Group(self.group().to_owned()),
        ];
        all.extend(self.from.iter().cloned().map(Provision::Path));
        all.extend(self.tool().map(|(_, package)| Provision::Package(package.into())));
        all
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let mut fields = Fields::from([
            ("sha256".to_owned(), FieldValue::text(self.sha256())),
            ("strip".to_owned(), FieldValue::text(self.strip.to_string())),
            ("mode".to_owned(), FieldValue::text(format!("{:0>4}", self.mode))),
            ("owner".to_owned(), FieldValue::text(&self.owner)),
            ("group".to_owned(), FieldValue::text(self.group())),
        ]);
        for path in &self.creates {
            fields.insert(format!("creates.{path}"), FieldValue::text("there"));
        }
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        script.shared(SECTION, Sh::program_of_the_user(QUESTION));
        for wanted in batch {
            script.stat(&wanted.path);
            script.content(&wanted.marker(), None);
            script.gather(SECTION, SECTION, &format!("dir:{}", wanted.path));
            if wanted.state == State::Present {
                script.stat(wanted.from());
                wanted.creates.iter().for_each(|path| script.stat(&wanted.inside(path)));
                if let Some((tool, _)) = wanted.tool() {
                    script.gather(SECTION, SECTION, &format!("tool:{tool}"));
                }
            }
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch
            .iter()
            .map(|Change { position, wanted, seen, fields }| {
                let step = match wanted.state {
                    State::Absent => wanted.remove(),
                    State::Present => wanted.put(seen, fields),
                };
                step.expecting(wanted.expect(seen)).serving([*position])
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::seen::read_marker;
    use super::*;
    use crate::kinds::tests::load;

    const SUM: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn wanted(more: &str) -> Result<Archive, String> {
        load(&format!("{{ path: /opt/x, from: /opt/x.tgz, sha256: {SUM}, {more} }}"))
    }

    #[test]
    fn a_marker_is_read_to_the_letter() {
        assert_eq!(read_marker(&format!("sha256 {SUM}\nstrip 1\n")), Some((SUM, "1")));
        for bad in ["", "junk", &format!("sha256 {SUM}\n"), &format!("sha256 {SUM}\nstrip x\n"), "sha256 a\nstrip 1\n"]
        {
            assert_eq!(read_marker(bad), None, "{bad:?}");
        }
        assert_eq!(read_marker(&format!("sha256 {SUM}\nstrip 1\nmore\n")), None);
    }

    #[test]
    fn only_what_differs_is_done() {
        let wanted = wanted("strip: 1, creates: [bin/x]").unwrap();
        let step = |seen: Seen, fields: &[&str]| {
            let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
            let change = Change { position: 0, wanted: &wanted, seen: &seen, fields: &fields };
            Archive::steps(&[change]).remove(0)
        };
        let call = format!("\nrp_unpack /opt/x.tgz /opt/x {SUM} tar 1 root root 0755 bin/x");
        let there = || Seen::Present(Fields::new());
        assert!(step(Seen::Absent, &[]).script.text().ends_with(&call));
        assert!(step(there(), &["creates.bin/x", "mode"]).script.text().ends_with(&call));
        assert_eq!(step(there(), &["mode"]).script.text(), "rp_directory /opt/x 0755 root:root");
    }

    #[test]
    fn what_it_may_not_become_or_come_from_is_refused() {
        for path in ["/", "/opt", "/usr/bin", "/var/lib", "/etc/ssh", "/home/anna", "/root/.ssh", "/etc/pam.d"] {
            let item = format!("{{ path: {path}, from: /opt/x.tgz, sha256: {SUM} }}");
            assert!(load::<Archive>(&item).is_err(), "{path}");
        }
        for more in ["creates: [../x]", "creates: [/x]", "creates: [\"\"]", "strip: 21", "format: rar", "mode: x"] {
            assert!(wanted(more).is_err(), "{more}");
        }
        assert!(load::<Archive>("{ path: /opt/x, from: /opt/x.tgz }").is_err());
        assert!(load::<Archive>(&format!("{{ path: /opt/x, from: /opt/x.bin, sha256: {SUM} }}")).is_err());
        assert!(load::<Archive>("{ path: /opt/x, state: absent }").is_ok());
    }

    proptest! {
        #[test]
        fn a_hostile_value_is_refused_or_one_word(text in "[^\0]{1,30}") {
            let quoted = |text: &str| serde_json::to_string(text).unwrap();
            let (path, from) = (format!("/opt/{text}"), format!("/srv/{text}.tar"));
            let item =
                format!("{{ path: {}, from: {}, sha256: {SUM}, creates: [{}] }}", quoted(&path), quoted(&from), quoted(&text));
            if let Ok(wanted) = load::<Archive>(&item) {
                let word = crate::quote::quote_sh;
                let call =
                    format!("rp_unpack {} {} {SUM} tar 0 root root 0755 {}", word(&from), word(&path), word(&text));
                prop_assert!(wanted.put(&Seen::Absent, &[]).script.text().ends_with(&call));
            }
        }
    }
}
