//! A file fetched by the host or brought from here, pinned by its SHA-256.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::file::State;
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Fault, FieldValue, Kind, ManagedFile, ProbeError, ProbeScript, Provision, Seen,
    Step, Touch, Undo, Url, absolute_path, ask_sum, is_sha256, is_way_in, lifeline, mode_text, plain_name, sum,
};
use crate::secret::Rendered;
use crate::sh;

/// A file of any size, fetched by the host or brought from the controller, and pinned by its SHA-256. It grows beside
/// its place as `.rempart.new.NAME`, where an interrupted download is gone on with, and gets its name once it is whole
/// and has the sum. The host fetches with apt's own helper, through the proxy that apt is told to use, so that neither
/// curl nor wget is needed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Download {
    /// Where it stands: an absolute path, in a directory that belongs to root.
    path: String,
    /// Where the host fetches it from: `http://` or `https://`, without a password (`/etc/apt/auth.conf.d` is for that).
    #[serde(default)]
    url: Option<String>,
    /// Instead of `url`: a local file, relative to the playbook, of any content and at most 16 MiB.
    #[serde(default)]
    #[schemars(extend("x-read" = "bytes"))]
    source: Option<String>,
    // What the playbook loader reads from `source`.
    #[serde(default)]
    #[schemars(skip)]
    source_base64: Option<String>,
    /// Its SHA-256: 64 hexadecimal digits.
    #[serde(default)]
    sha256: Option<String>,
    /// Permissions in octal, between quotes.
    #[serde(default = "default_mode")]
    mode: String,
    /// Owner's name.
    #[serde(default = "root")]
    owner: String,
    /// Group's name; the owner's name unless said.
    #[serde(default)]
    group: Option<String>,
    /// The proxy to ask, `http://HOST:PORT`, or `DIRECT` for none. Default: what apt is told to use on the host.
    #[serde(default)]
    proxy: Option<String>,
    /// How long fetching may take, in seconds. Default: 3600.
    #[serde(default = "default_timeout")]
    timeout: u64,
    /// When a file of 64 MiB or more, which rempart has read whole before, is read again. Smaller ones always are.
    #[serde(default)]
    verify: Verify,
    /// Whether it should be there.
    #[serde(default)]
    state: State,
}

/// When a large file is read whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// When its inode, size or change time is not as it was when rempart last read it whole.
    #[default]
    Touched,
    /// At every look.
    Always,
}

fn default_mode() -> String {
    "0644".into()
}

fn root() -> String {
    "root".into()
}

fn default_timeout() -> u64 {
    3600
}

pub(super) const FETCH: &str = include_str!("download/fetch.sh");

impl Download {
    // Its owner and mode; its content is told by its sum.
    fn file(&self) -> ManagedFile {
        ManagedFile {
            path: self.path.clone(),
            content: None,
            mode: self.mode.clone(),
            owner: self.owner.clone(),
            group: self.group.clone().unwrap_or_else(|| self.owner.clone()),
        }
    }

    fn sha256(&self) -> &str {
        self.sha256.as_deref().unwrap_or_default()
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let Some(mut fields) = self.file().read(answer)? else { return Ok(Seen::Absent) };
        if self.state == State::Present {
            fields.insert("sha256".into(), FieldValue::text(sum(answer, &self.path)?.sha256));
        }
        Ok(Seen::Present(fields))
    }

    fn put(&self, seen: &Seen, fields: &[String]) -> Step {
        let file = self.file();
        if matches!(seen, Seen::Present(_)) && !fields.iter().any(|field| field == "sha256") {
            let mut step = file.put(seen, Sh::default());
            step.script.line(sh!("rp_verified {} {}", self.path, self.sha256()));
            return step.within(self.timeout);
        }
        let mut script = Sh::program_of_the_user(FETCH);
        script.line(sh!("rp_begin {}", self.path));
        script.line(match &self.url {
            Some(url) => sh!("rp_fetch {} {} {}", url, self.sha256(), self.proxy.as_deref().unwrap_or_default()),
            None => sh!("base64 -d \"$P/0\" > \"$rp_tmp\""),
        });
        let group = &file.group;
        script.line(sh!("rp_finish {} {} {} {} {}", self.path, self.sha256(), self.mode, self.owner, group));
        let title = match &self.url {
            Some(url) => format!("fetch {} from {url}", self.path),
            None => format!("bring {}", self.path),
        };
        let mut step = Step::new(title, script).undone_by(Undo::of([Touch::Path(self.path.clone())]));
        if let Some(data) = &self.source_base64 {
            step = step.with_payload(Rendered::plain(data.clone()));
        }
        step.expecting(file.expect(seen)).within(self.timeout).synced()
    }

    fn remove(&self, seen: &Seen) -> Step {
        let mut step = self.file().remove(seen);
        let (folder, name) = self.path.rsplit_once('/').unwrap_or_default();
        step.script.line(sh!("rm -f -- {}", format!("{folder}/.rempart.new.{name}")));
        step
    }

    fn settle_source(&self) -> Result<(), Fault> {
        let Some(wanted) = &self.sha256 else {
            return Err(Fault::new("sha256", "what is fetched must be pinned").fix("write the output of `sha256sum`"));
        };
        match (&self.url, &self.source, &self.source_base64) {
            (Some(url), None, None) => Url::read(url).map(|_| ()).map_err(|why| {
                Fault::new("url", format!("`{}`: {why}", url.escape_debug())).fix("write https://HOST/PATH")
            }),
            (None, Some(_), Some(data)) => {
                let bytes = BASE64_STANDARD.decode(data).map_err(|_| Fault::new("source", "it could not be read"))?;
                let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
                if found == *wanted {
                    return Ok(());
                }
                Err(Fault::new("sha256", format!("the file on this machine has another sum: {found}"))
                    .fix("correct the sum, or name the right file"))
            }
            _ => Err(Fault::new("url", "either `url` or `source` must say where it comes from, and only one of them")),
        }
    }
}

impl Kind for Download {
    const NAME: &'static str = "download";
    const NAMED_BY: Option<&'static str> = Some("path");
    const SUMMARY: &'static str = "A file fetched by the host or brought from here, pinned by its SHA-256.";
    const EXAMPLE: &'static str = "download: { path: /opt/node_exporter.tar.gz, url: \"https://example.org/n.tar.gz\", \
                                   sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 }";
    const UNDO: &'static str =
        "the old content, owner, mode and access lists, or nothing where nothing was. Not an old file over 64 MiB.";

    fn key(&self) -> String {
        self.path.clone()
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        absolute_path("path", &self.path)?;
        if is_way_in(&self.path) || lifeline(&self.path).is_some() {
            return Err(Fault::new("path", format!("a login may depend on {}", self.path))
                .fix("use `file`, which checks such a file and foresees what it does"));
        }
        mode_text("mode", &self.mode)?;
        plain_name("owner", &self.owner)?;
        self.group.as_deref().map_or(Ok(()), |group| plain_name("group", group))?;
        if let Some(sum) = &mut self.sha256 {
            sum.make_ascii_lowercase();
            if !is_sha256(sum) {
                return Err(Fault::new("sha256", format!("`{}` is no SHA-256", sum.escape_debug()))
                    .fix("write its 64 hexadecimal digits, as `sha256sum` prints them"));
            }
        }
        if let Some(proxy) = &self.proxy
            && proxy != "DIRECT"
            && let Err(why) = Url::read(proxy)
        {
            return Err(Fault::new("proxy", format!("`{}`: {why}", proxy.escape_debug()))
                .fix("write http://HOST:PORT or DIRECT"));
        }
        if self.timeout == 0 || self.timeout > 86400 {
            return Err(Fault::new("timeout", "it must be between 1 and 86400 seconds"));
        }
        match self.state {
            State::Present => self.settle_source(),
            State::Absent => Ok(()),
        }
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Path(self.path.clone())]
    }

    fn uses(&self) -> Vec<Provision> {
        let file = self.file();
        let mut all =
            vec![Provision::Path(self.path.clone()), Provision::User(file.owner), Provision::Group(file.group)];
        if self.url.as_deref().is_some_and(|url| url.starts_with("https:")) {
            all.push(Provision::Package("ca-certificates".into()));
        }
        all
    }

    fn desired(&self) -> Desired {
        match (self.state, self.file().desired()) {
            (State::Present, Desired::Present(mut fields)) => {
                fields.insert("sha256".into(), FieldValue::text(self.sha256()));
                Desired::Present(fields)
            }
            _ => Desired::Absent,
        }
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            script.stat(&wanted.path);
            if wanted.state == State::Present {
                ask_sum(script, &wanted.path, wanted.verify == Verify::Always);
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
    use crate::resource::Fields;

    const SUM: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn step(item: &str, seen: Seen, fields: &[&str]) -> Step {
        let wanted = load::<Download>(item).unwrap();
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        Download::steps(&[Change { position: 0, wanted: &wanted, seen: &seen, fields: &fields }]).remove(0)
    }

    #[test]
    fn only_what_differs_is_done() {
        let item = format!("{{ path: /srv/x, url: \"http://h/x\", sha256: {SUM} }}");
        let fetches = |seen: Seen, fields: &[&str]| step(&item, seen, fields).script.text().contains("\nrp_fetch http");
        let there = || Seen::Present(Fields::new());
        assert!(fetches(Seen::Absent, &[]) && fetches(there(), &["mode", "sha256"]));
        assert!(!fetches(there(), &["mode"]));
        let absent = step("{ path: /srv/x, state: absent }", there(), &[]);
        assert!(absent.script.text().ends_with("rm -f -- /srv/.rempart.new.x"));
    }

    #[test]
    fn what_is_not_pinned_or_comes_from_nowhere_is_refused() {
        let more = [
            "url: \"http://h/x\"".to_owned(),
            format!("sha256: {SUM}"),
            format!("url: \"http://h/x\", source: x, sha256: {SUM}"),
            format!("source: x, source_base64: eA==, sha256: {SUM}"),
            format!("source_base64: \"\", sha256: {SUM}"),
            "url: \"http://h/x\", sha256: abc".to_owned(),
            format!("url: \"ftp://h/x\", sha256: {SUM}"),
            format!("url: \"http://me:pw@h/x\", sha256: {SUM}"),
            format!("url: \"http://h/x\", sha256: {SUM}, proxy: \"http://a@b/\""),
        ];
        for more in more {
            assert!(load::<Download>(&format!("{{ path: /srv/x, {more} }}")).is_err(), "{more}");
        }
        assert!(
            load::<Download>(&format!("{{ path: /srv/x, source: x, source_base64: \"\", sha256: {SUM} }}")).is_ok()
        );
        for path in ["/etc/sudoers.d/x", "/root/.ssh/authorized_keys", "/etc/pam.d/x", "srv/x"] {
            let item = format!("{{ path: {path}, url: \"http://h/x\", sha256: {SUM} }}");
            assert!(load::<Download>(&item).is_err(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_hostile_value_is_refused_or_one_word(text in "[^\0]{1,30}") {
            let quoted = serde_json::to_string(&text).unwrap();
            let url = serde_json::to_string(&format!("http://h/{text}")).unwrap();
            let item = format!("{{ path: /srv/x, url: {url}, sha256: {SUM} }}");
            if load::<Download>(&item).is_ok() {
                let word = format!("rp_fetch {} {SUM} ''", crate::quote::quote_sh(&format!("http://h/{text}")));
                prop_assert!(step(&item, Seen::Absent, &[]).script.text().contains(&word));
            }
            let path = serde_json::to_string(&format!("/srv/{text}")).unwrap();
            let item = format!("{{ path: {path}, url: \"http://h/\", sha256: {SUM} }}");
            if load::<Download>(&item).is_ok() {
                let word = format!("rp_begin {}\n", crate::quote::quote_sh(&format!("/srv/{text}")));
                prop_assert!(step(&item, Seen::Absent, &[]).script.text().contains(&word));
            }
            let item = format!("{{ path: /srv/x, url: \"http://h/\", sha256: {quoted} }}");
            prop_assert!(load::<Download>(&item).is_err());
        }
    }
}
