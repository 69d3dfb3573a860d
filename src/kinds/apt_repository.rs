//! A package repository of apt, with the key that it is signed with.

mod apt;
mod openpgp;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;

use self::apt::{SECTION, effective, list_name, words};
use super::file::State;
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Fault, FieldValue, Fields, Kind, ManagedFile, ProbeError, ProbeScript, Provision,
    Seen, Step, Touch, Undo, absolute_path,
};
use crate::secret::Rendered;
use crate::sh;

/// A package repository of apt: `/etc/apt/sources.list.d/NAME.sources`, and the key that alone may sign it, as
/// `/etc/apt/keyrings/NAME.asc`. Before the file gets its name, apt reads it together with all others and fetches this
/// repository's lists by it; a key that did not sign them, or an address that does not answer, changes nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AptRepository {
    /// Its name, which the files are named after: letters, digits, `-` and `_`.
    name: String,
    /// Where it is: `http://`, `https://` or `file:/` addresses, without a password (`/etc/apt/auth.conf.d` is for that).
    #[serde(default)]
    uris: Vec<String>,
    /// Its suites, such as `bookworm`, or one path that ends in `/`.
    #[serde(default)]
    suites: Vec<String>,
    /// Its components, such as `main`; none where the suite is a path.
    #[serde(default)]
    components: Vec<String>,
    /// Packages (`deb`), sources (`deb-src`) or both. Default: `[deb]`.
    #[serde(default = "deb")]
    types: Vec<String>,
    /// Architectures. Default: those of the host.
    #[serde(default)]
    architectures: Vec<String>,
    /// The key as armored text, from `-----BEGIN PGP PUBLIC KEY BLOCK-----` on.
    #[serde(default)]
    key: Option<String>,
    /// Instead of `key`: a local file that holds it, relative to the playbook, armored or not.
    #[serde(default)]
    #[schemars(extend("x-read" = "bytes"))]
    source: Option<String>,
    // What the playbook loader reads from `source`.
    #[serde(default)]
    #[schemars(skip)]
    source_base64: Option<String>,
    /// With `key` or `source`: the fingerprints of all keys in it. It is refused if it holds others, or lacks one.
    #[serde(default)]
    fingerprints: Vec<String>,
    /// Instead of `key`: a keyring that is on the host, which a package or `download` brings. It is not looked at.
    #[serde(default)]
    keyring: Option<String>,
    /// Whether it should be there.
    #[serde(default)]
    state: State,
    // The key as armored text, once settled.
    #[serde(skip)]
    armored: Option<String>,
}

fn deb() -> Vec<String> {
    vec!["deb".into()]
}

const UPDATE: &str = include_str!("apt_repository/update.sh");

const LISTS: &str = "/var/lib/apt/lists";

impl AptRepository {
    fn file(&self, path: String, content: String) -> ManagedFile {
        let root = || "root".to_owned();
        let content = Some(Rendered::plain(content));
        ManagedFile { path, content, mode: "0644".into(), owner: root(), group: root() }
    }

    fn key_path(&self) -> String {
        format!("/etc/apt/keyrings/{}.asc", self.name)
    }

    // The key that rempart brings; none where a keyring of others is named.
    fn key_file(&self) -> Option<ManagedFile> {
        self.armored.as_ref().map(|key| self.file(self.key_path(), key.clone()))
    }

    fn sources(&self) -> ManagedFile {
        let mut text = String::from("# Managed by rempart.\n");
        let key_path = self.key_path();
        let signed_by = [self.keyring.clone().unwrap_or(key_path)];
        let lines: [(&str, &[String]); 6] = [
            ("Types", &self.types),
            ("URIs", &self.uris),
            ("Suites", &self.suites),
            ("Components", &self.components),
            ("Architectures", &self.architectures),
            ("Signed-By", &signed_by),
        ];
        for (name, words) in lines.iter().filter(|(_, words)| !words.is_empty()) {
            text.push_str(&format!("{name}: {}\n", words.join(" ")));
        }
        self.file(format!("/etc/apt/sources.list.d/{}.sources", self.name), text)
    }

    // Where apt keeps what it fetched of each suite: signed in one file, or with the signature beside it.
    fn releases(&self) -> Vec<[String; 2]> {
        let pairs = self.uris.iter().flat_map(|uri| self.suites.iter().map(move |suite| (uri, suite)));
        pairs
            .map(|(uri, suite)| {
                let slash = if uri.ends_with('/') { "" } else { "/" };
                let dists = if suite.ends_with('/') { String::new() } else { "dists/".into() };
                let end = suite.trim_end_matches('/');
                let stem = list_name(&format!("{uri}{slash}{dists}{end}/"));
                ["InRelease", "Release"].map(|name| format!("{LISTS}/{stem}{name}"))
            })
            .collect()
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let sources = self.sources().read_as(answer, "sources")?;
        let key = match self.key_file() {
            Some(file) => file.read_as(answer, "key")?,
            None if self.state == State::Absent => self.file(self.key_path(), String::new()).read_as(answer, "key")?,
            None => None,
        };
        if sources.is_none() && key.is_none() {
            return Ok(Seen::Absent);
        }
        let mut fields: Fields = sources.into_iter().chain(key).flatten().collect();
        if self.state == State::Absent {
            return Ok(Seen::Present(fields));
        }
        let mut missing = Vec::new();
        for [whole, plain] in self.releases() {
            if answer.stat(&whole)?.is_none() && answer.stat(&plain)?.is_none() {
                missing.push(whole.trim_start_matches(LISTS).trim_start_matches('/').to_owned());
            }
        }
        let told = if missing.is_empty() { "fetched".to_owned() } else { format!("missing: {}", missing.join(" ")) };
        fields.insert("lists".into(), FieldValue::text(told));
        // What apt makes of all that is declared counts only once the file is ours; before that it is to be mended.
        if let Desired::Present(wanted) = self.desired()
            && wanted.iter().all(|(name, value)| fields.get(name).is_some_and(|is| value.agrees_with(is)))
        {
            effective(answer)?;
        }
        Ok(Seen::Present(fields))
    }

    fn put(&self, seen: &Seen, fields: &[String]) -> Step {
        let sources = self.sources();
        let differs = |start: &str| fields.iter().any(|name| name.split('.').next() == Some(start));
        let is_new = !matches!(seen, Seen::Present(_));
        let mut step = Step::new(String::new(), Sh::program_of_the_user(UPDATE)).within(900).synced();
        let mut touches = Vec::new();
        let mut done = Vec::new();
        if let Some(key) = self.key_file().filter(|_| is_new || differs("key")) {
            step.script
                .line(sh!("mkdir -p -m 0755 /etc/apt/keyrings"))
                .line(sh!("rp_put \"$P/0\" {} 0644 root root", key.path));
            step = step.expecting(key.expect_as(seen, "key")).with_payload(key.content.unwrap_or_default());
            touches.push(Touch::Path(key.path));
            done.push("write its key".to_owned());
        }
        if is_new || differs("sources") {
            let payload = step.payloads.len();
            step.script.line(sh!("rp_valid() { rp_update \"$1\" {}; }", self.name)).line(sh!(
                "rp_put \"$P/\"{} {} 0644 root root rp_valid",
                payload,
                sources.path
            ));
            step = step.expecting(sources.expect_as(seen, "sources"));
            step = step.with_payload(sources.content.unwrap_or_default());
            touches.push(Touch::Path(sources.path));
            done.push("declare it".to_owned());
        } else {
            step.script.line(sh!("rp_update {} {}", sources.path, self.name));
        }
        done.push("fetch its lists".to_owned());
        step.title = format!("repository {}: {}", self.name, done.join(", "));
        step.undone_by(Undo::of(touches))
    }

    fn remove(&self, seen: &Seen) -> Step {
        let sources = self.sources();
        let key = self.file(self.key_path(), String::new());
        let script = sh!("rm -f -- {} {}", sources.path, key.path);
        Step::new(format!("remove the repository {} with its key", self.name), script)
            .expecting(sources.expect_as(seen, "sources"))
            .expecting(key.expect_as(seen, "key"))
            .undone_by(Undo::of([Touch::Path(sources.path), Touch::Path(key.path)]))
    }

    fn settle_key(&mut self) -> Result<(), Fault> {
        let bytes = match (&self.key, &self.source, &self.source_base64, &self.keyring) {
            (Some(key), None, None, None) => ("key", key.as_bytes().to_vec()),
            (None, Some(_), Some(data), None) => {
                ("source", BASE64_STANDARD.decode(data).map_err(|_| Fault::new("source", "it could not be read"))?)
            }
            (None, None, None, Some(path)) if self.fingerprints.is_empty() => {
                absolute_path("keyring", path)?;
                return words("keyring", std::slice::from_ref(path), "/._-+~");
            }
            (None, None, None, Some(_)) => {
                return Err(Fault::new("fingerprints", "a keyring that others bring is not looked at"));
            }
            _ => {
                return Err(Fault::new("key", "one of `key`, `source` and `keyring` must say who may sign it")
                    .fix("add `source: vendor.asc` with its `fingerprints`"));
            }
        };
        let (field, bytes) = bytes;
        let bad = |why: String| Fault::new(field, format!("it is no public key: {why}"));
        let packets = openpgp::unarmored(&bytes).map_err(bad)?;
        let mut found = openpgp::fingerprints(&packets).map_err(bad)?;
        let plain = |text: &String| text.replace([' ', ':'], "").to_ascii_uppercase();
        let mut wanted: Vec<String> = self.fingerprints.iter().map(plain).collect();
        found.sort();
        wanted.sort();
        if found != wanted {
            return Err(Fault::new("fingerprints", format!("the key's own are {}", found.join(", ")))
                .fix("compare them with what the vendor publishes, then write them down"));
        }
        self.armored = Some(openpgp::armored(&packets));
        Ok(())
    }
}

impl Kind for AptRepository {
    const NAME: &'static str = "apt_repository";
    const NAMED_BY: Option<&'static str> = Some("name");
    const SUMMARY: &'static str = "A package repository of apt, with the key that it is signed with.";
    const EXAMPLE: &'static str = "apt_repository: { name: pgdg, uris: [\"https://apt.postgresql.org/pub/repos/apt\"], \
                                   suites: [bookworm-pgdg], components: [main], keyring: /usr/share/keyrings/pgdg.asc }";
    const UNDO: &'static str =
        "the file that declares it and its key. Lists that were fetched stay until apt drops them.";

    fn key(&self) -> String {
        self.name.clone()
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        words("name", std::slice::from_ref(&self.name), "-_")?;
        if self.state == State::Absent {
            return Ok(());
        }
        for (field, all) in [("uris", &self.uris), ("suites", &self.suites), ("types", &self.types)] {
            if all.is_empty() {
                return Err(Fault::new(field, "there must be at least one"));
            }
        }
        words("uris", &self.uris, ":/._-+~%")?;
        let known = |uri: &&String| ["http://", "https://", "file:/"].iter().any(|start| uri.starts_with(start));
        if let Some(uri) = self.uris.iter().find(|uri| !known(uri)) {
            return Err(Fault::new("uris", format!("`{uri}` begins with none of http://, https:// and file:/")));
        }
        words("suites", &self.suites, "/._-+~")?;
        words("components", &self.components, "/._-+~")?;
        words("architectures", &self.architectures, "-")?;
        if self.types.iter().any(|word| word != "deb" && word != "deb-src") {
            return Err(Fault::new("types", "there are `deb` and `deb-src`"));
        }
        let paths = self.suites.iter().filter(|suite| suite.ends_with('/')).count();
        if paths != 0 && (paths != self.suites.len() || !self.components.is_empty()) {
            return Err(Fault::new("components", "a suite that is a path has no components, and no other beside it"));
        }
        if paths == 0 && self.components.is_empty() {
            return Err(Fault::new("components", "there must be at least one").fix("write `components: [main]`"));
        }
        self.settle_key()
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Path(self.sources().path), Provision::Path(self.key_path())]
    }

    fn uses(&self) -> Vec<Provision> {
        let mut all: Vec<Provision> = self.keyring.iter().cloned().map(Provision::Path).collect();
        if self.uris.iter().any(|uri| uri.starts_with("https:")) {
            all.push(Provision::Package("ca-certificates".into()));
        }
        all
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let mut fields = Fields::from([("lists".to_owned(), FieldValue::text("fetched"))]);
        fields.extend(self.sources().desired_as("sources"));
        fields.extend(self.key_file().map(|key| key.desired_as("key")).into_iter().flatten());
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            wanted.sources().probe(script);
            match wanted.key_file() {
                Some(key) => key.probe(script),
                None => wanted.file(wanted.key_path(), String::new()).probe(script),
            }
            wanted.releases().iter().flatten().for_each(|path| script.stat(path));
        }
        script.section(SECTION, sh!("apt-get indextargets --format '=$(SOURCESENTRY)' </dev/null && echo =/"));
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch
            .iter()
            .map(|Change { position, wanted, seen, fields }| {
                let step = match wanted.state {
                    State::Absent => wanted.remove(seen),
                    State::Present => wanted.put(seen, fields),
                };
                step.serving([*position])
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

    const KEY: &str = include_str!("../../tests/tamper/apt_repository/files/key.asc");
    const WHOSE: &str = "C17F8E51F5BD5E9225E416B606EFF7917CFB36FD";

    fn item(more: &str) -> String {
        format!("{{ name: x, uris: [\"https://h/debian\"], suites: [s], components: [main], {more} }}")
    }

    #[test]
    fn a_repository_is_written_with_the_key_that_may_sign_it() {
        let key = serde_json::to_string(KEY).unwrap();
        let wanted = load::<AptRepository>(&item(&format!("key: {key}, fingerprints: [{WHOSE}]"))).unwrap();
        assert_eq!(
            wanted.sources().content.unwrap().as_plain().unwrap(),
            "# Managed by rempart.\nTypes: deb\nURIs: https://h/debian\nSuites: s\nComponents: main\n\
             Signed-By: /etc/apt/keyrings/x.asc\n"
        );
        let other = WHOSE.replace('4', "5");
        assert!(load::<AptRepository>(&item(&format!("key: {key}, fingerprints: [{other}]"))).is_err());
        assert!(load::<AptRepository>(&item(&format!("key: {key}"))).is_err());
        assert!(load::<AptRepository>(&item("key: junk, fingerprints: []")).is_err());
        for (uri, suite, name) in [
            ("http://192.0.2.254:3142/debian", "bookworm", "192.0.2.254:3142_debian_dists_bookworm_InRelease"),
            ("file:/srv/repo", "./", "_srv_repo_._InRelease"),
            ("https://h/a_b/", "s/updates", "h_a%5fb_dists_s_updates_InRelease"),
        ] {
            let components = if suite == "./" { "" } else { "main" };
            let text =
                format!("{{ name: x, uris: [\"{uri}\"], suites: [{suite}], components: [{components}], keyring: /k }}");
            let wanted = load::<AptRepository>(&text).unwrap();
            assert_eq!(wanted.releases()[0][0], format!("{LISTS}/{name}"));
        }
    }

    #[test]
    fn an_answer_of_apt_that_is_not_understood_is_no_answer() {
        let read = |status, stdout: &str| {
            let section = SectionOutput { status, stdout: stdout.into(), stderr: b"E: broken\n".to_vec() };
            effective(&Answer::of_sections([(SECTION, section)]))
        };
        assert!(read(0, "=/etc/apt/sources.list:1\n=/etc/apt/sources.list.d/x.sources:1\n=/\n").is_ok());
        assert!(read(0, "=/\n").is_ok() && read(0, "").is_err() && read(0, "=/etc/apt/sources.list:1\n").is_err());
        assert!(read(100, "").is_err() && read(127, "").is_err() && read(0, "all is well\n=/\n").is_err());
    }

    proptest! {
        #[test]
        fn a_hostile_value_is_refused_or_one_word(text in "[^\0]{1,30}") {
            let quoted = |text: &str| serde_json::to_string(text).unwrap();
            for item in [
                format!("{{ name: {}, uris: [\"http://h\"], suites: [s], components: [c], keyring: /k }}", quoted(&text)),
                format!("{{ name: x, uris: [{}], suites: [s], components: [c], keyring: /k }}", quoted(&format!("http://{text}"))),
                format!("{{ name: x, uris: [\"http://h\"], suites: [{}], components: [c], keyring: /k }}", quoted(&text)),
                format!("{{ name: x, uris: [\"http://h\"], suites: [s], components: [{}], keyring: /k }}", quoted(&text)),
                format!("{{ name: x, uris: [\"http://h\"], suites: [s], components: [c], keyring: {} }}", quoted(&format!("/{text}"))),
            ] {
                if let Ok(wanted) = load::<AptRepository>(&item) {
                    let written = wanted.sources().content.unwrap().as_plain().unwrap();
                    prop_assert_eq!(written.lines().count(), 6);
                    prop_assert!(!text.contains(|c: char| c.is_whitespace() || "#;$`\"'\\".contains(c)));
                }
            }
        }
    }
}
