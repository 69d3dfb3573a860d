//! A credential for systemd's services, encrypted by the host for itself alone.

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::State;
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Fault, FieldValue, Kind, ManagedFile, ProbeError, ProbeScript, Provision, Seen,
    Step, Touch, Undo, plain_name,
};
use crate::secret::Rendered;
use crate::sh;
use crate::yaml::secret_text_schema;

const FOLDER: &str = "/etc/credstore.encrypted";
const LARGEST: usize = 1024 * 1024;

// A line for each credential: its name, a salt of this very moment, the hash of salt and content, and how decrypting
// ended. Neither the content nor a hash that could be looked up leaves the host. Where one does not decrypt, another that
// is made on the spot tells whether the host can decrypt at all; without a key of the host it is not tried, because that
// would make one.
const LOOK: &str = "systemd-creds";
const LOOK_COMMAND: &str = r#"rp_creds() {
  command -v systemd-creds >/dev/null || { echo none; return; }
  echo "creds $(systemd-creds --version | head -n 1)"
  exec 4>&1
  for rp_n; do
    [ -e "/etc/credstore.encrypted/$rp_n" ] || continue
    rp_s=$(cat /proc/sys/kernel/random/uuid) && [ -n "$rp_s" ] || return 1
    printf '%s %s ' "$rp_n" "$rp_s"
    rp_rc=$( { { printf %s "$rp_s"; systemd-creds decrypt --name="$rp_n" "/etc/credstore.encrypted/$rp_n" - 2>/dev/null; echo $? >&3; } \
      | sha256sum | cut -c 1-64 | tr '\n' ' ' >&4; } 3>&1 )
    if [ "$rp_rc" = 0 ]; then echo fine
    elif [ ! -e /var/lib/systemd/credential.secret ]; then echo no-key
    elif [ "$(printf rempart | systemd-creds encrypt --name=rempart - - 2>/dev/null | systemd-creds decrypt --name=rempart - - 2>/dev/null)" = rempart ]; then
      echo other
    else echo unable
    fi
  done
}; rp_creds"#;
const MADE: &str = "as declared";

/// A credential for systemd's services (`LoadCredentialEncrypted=NAME:/etc/credstore.encrypted/NAME`), encrypted by the
/// host's own `systemd-creds` with a key that never leaves it. The host decrypts it and tells a salted hash, which is
/// compared here; neither the content nor what was there before is shown.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemdCredential {
    /// The credential's name, and its file's in /etc/credstore.encrypted; a service asks for it by this name.
    name: String,
    /// What it holds, to the byte; usually a secret. At most 1 MiB. Needed unless absent.
    #[serde(default)]
    #[schemars(schema_with = "secret_text_schema")]
    content: Option<Rendered>,
    /// Whether it should be there.
    #[serde(default)]
    state: State,
}

impl SystemdCredential {
    // The file without its content, which is new with each encryption.
    fn file(&self) -> ManagedFile {
        ManagedFile {
            path: format!("{FOLDER}/{}", self.name),
            content: None,
            mode: "0600".into(),
            owner: "root".into(),
            group: "root".into(),
        }
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let file = self.file().read(answer)?;
        if self.state == State::Absent {
            return Ok(file.map_or(Seen::Absent, Seen::Present));
        }
        let section = answer.section(LOOK)?;
        let said = section.text()?;
        if said == "none\n" {
            let brought_by = vec![Provision::Package("systemd".into())];
            return Ok(Seen::NotYet { missing: "this host's systemd has no systemd-creds".into(), brought_by });
        }
        if section.status != 0 || !said.starts_with("creds systemd ") {
            return Err(ProbeError(format!("systemd-creds did not answer: {}", section.complaint())));
        }
        let Some(mut fields) = file else { return Ok(Seen::Absent) };
        fields.insert("content".into(), FieldValue::text(self.compare(said)?));
        Ok(Seen::Present(fields))
    }

    // How what is there stands to what is declared.
    fn compare(&self, said: &str) -> Result<&'static str, ProbeError> {
        let lines = said.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let line = lines.into_iter().find(|words| words.first() == Some(&self.name.as_str()));
        let garbled = || ProbeError(format!("what systemd-creds says of {} was not understood", self.name));
        let Some([_, salt, hash, how]) = line.as_deref().and_then(|words| <&[&str; 4]>::try_from(words).ok()) else {
            return Err(garbled());
        };
        if salt.len() != 36 || hash.len() != 64 {
            return Err(garbled());
        }
        match *how {
            "fine" => {
                let wanted = self.content.as_ref().map(|content| content.salted_sha256(salt));
                Ok(if wanted.as_deref() == Some(*hash) { MADE } else { "another content" })
            }
            "other" => Ok("nothing that this host can decrypt under this name"),
            "no-key" => Ok("nothing that this host can decrypt: it has no key"),
            "unable" => Err(ProbeError("systemd-creds can decrypt nothing on this host".into())),
            _ => Err(garbled()),
        }
    }

    fn put(&self, seen: &Seen, fields: &[String]) -> Step {
        let file = self.file();
        let folder = Touch::Path(FOLDER.into());
        let undo = Undo::of([Touch::Path(file.path.clone()), folder]);
        let renew = fields.is_empty() || fields.iter().any(|field| field == "content");
        if !renew {
            return file.put(seen, Sh::default()).undone_by(undo);
        }
        let script = sh!(
            "systemd-creds encrypt --name={} \"$P/0\" \"$P/new\" 2> \"$P/said\" || { cat \"$P/said\" >&2; exit 1; }
systemd-creds decrypt --name={} \"$P/new\" - 2>/dev/null | cmp -s - \"$P/0\" || { echo 'it does not decrypt to what was encrypted' >&2; exit 1; }
[ -d {} ] || rp_directory {} 0700 root:root
rp_put \"$P/new\" {} 0600 root root",
            self.name,
            self.name,
            FOLDER,
            FOLDER,
            file.path
        );
        Step::new(format!("encrypt {}", file.path), script)
            .with_payload(self.content.clone().unwrap_or_default())
            .undone_by(undo)
            .expecting(file.expect(seen))
    }
}

impl Kind for SystemdCredential {
    const NAME: &'static str = "systemd_credential";
    const NAMED_BY: Option<&'static str> = Some("name");
    const SUMMARY: &'static str = "A credential for systemd's services, encrypted by the host for itself alone.";
    const EXAMPLE: &'static str = "systemd_credential: { name: gw-token, content: \"{{ gateway_token }}\" }";
    const UNDO: &'static str = "that there was none. The credential that was replaced does not come back, where the new \
one is a secret: an old secret is never written.";

    const TOUCHES_OTHERS: bool = false;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        plain_name("name", &self.name)?;
        if self.name.contains(':') || self.name == "none" || self.name == "creds" {
            return Err(Fault::new("name", format!("`{}` is no name of a credential", self.name)));
        }
        match (&self.content, self.state) {
            (None, State::Present) => Err(Fault::new("content", "it must be given")),
            (Some(_), State::Absent) => Err(Fault::new("content", "a credential that is absent holds nothing")),
            (Some(content), State::Present) if content.is_empty() => Err(Fault::new("content", "it is empty")),
            (Some(content), State::Present) if content.len() > LARGEST => {
                Err(Fault::new("content", "systemd takes no credential over 1 MiB"))
            }
            _ => Ok(()),
        }
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Path(self.file().path)]
    }

    fn desired(&self) -> Desired {
        let Desired::Present(mut fields) = self.file().desired() else { return Desired::Absent };
        if self.state == State::Absent {
            return Desired::Absent;
        }
        fields.insert("content".into(), FieldValue::text(MADE));
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            wanted.file().probe(script);
            if wanted.state == State::Present {
                script.gather(LOOK, LOOK_COMMAND, &wanted.name);
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
                    State::Absent => wanted.file().remove(seen),
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
    use crate::kinds::tests::made;

    const SALT: &str = "4f7d9c1e-0000-4000-8000-000000000000";

    #[test]
    fn content_is_compared_by_a_salted_hash_and_nothing_else_is_fine() {
        let wanted = made::<SystemdCredential>("{ name: a, content: token }").unwrap();
        let hash = Rendered::plain("token").salted_sha256(SALT);
        let compare = |line: String| wanted.compare(&format!("creds systemd 252\n{line}\n"));
        assert_eq!(compare(format!("a {SALT} {hash} fine")).unwrap(), MADE);
        assert_eq!(compare(format!("a {SALT} {} fine", "0".repeat(64))).unwrap(), "another content");
        assert!(compare(format!("a {SALT} {hash} other")).unwrap().starts_with("nothing"));
        for bad in ["", "a", "b x y fine", "a x y fine"] {
            assert!(compare(bad.to_owned()).is_err(), "{bad}");
        }
        assert!(compare(format!("a {SALT} {hash} unable")).is_err());
        assert!(compare(format!("a {SALT} {hash} junk")).is_err());
    }

    #[test]
    fn the_content_is_in_no_field_script_or_title() {
        let wanted = made::<SystemdCredential>("{ name: a, content: hunter2 }").unwrap();
        let change = Change { position: 0, wanted: &wanted, seen: &Seen::Absent, fields: &[] };
        let steps = SystemdCredential::steps(&[change]);
        assert!(!format!("{:?} {:?} {:?}", steps[0].script, steps[0].title, wanted.desired()).contains("hunter2"));
        assert!(steps[0].payloads[0].is(b"hunter2"));
    }

    proptest! {
        #[test]
        fn a_hostile_name_is_refused(name in "(?s).{0,12}") {
            let fields = serde_json::json!({ "name": name, "content": "x" }).to_string();
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-+@~=".contains(c);
            if !name.chars().all(plain) {
                prop_assert!(made::<SystemdCredential>(&fields).is_err());
            }
        }
    }
}
