//! What is seen of an unpacked archive: its directory, its marker, and what is missing where it must be unpacked.

use super::{Archive, is_unpacked};
use crate::kinds::file::State;
use crate::resource::{Answer, Desired, FieldValue, Fields, FileContent, Kind, ProbeError, Provision, Seen, is_sha256};

pub(super) const SECTION: &str = "rp_archive";

// Whether a directory holds anything, and whether a tool is there.
pub(super) const QUESTION: &str = r#"rp_archive() {
  for rp_a do
    case $rp_a in
      tool:*) if command -v "${rp_a#*:}" >/dev/null; then rp_is=there; else rp_is=missing; fi ;;
      *)
        [ -d "${rp_a#*:}" ] || continue
        rp_is=$(ls -A -- "${rp_a#*:}") || continue
        if [ -n "$rp_is" ]; then rp_is=holds; else rp_is=empty; fi ;;
    esac
    printf '%s\0%s\0' "$rp_a" "$rp_is"
  done
}"#;

impl Archive {
    // What is missing before it can be unpacked.
    fn missing(&self, answer: &Answer) -> Result<Option<Seen>, ProbeError> {
        let not_yet = |missing: String, brought: Provision| Seen::NotYet { missing, brought_by: vec![brought] };
        let from = self.from();
        if answer.stat(from)?.is_none() {
            return Ok(Some(not_yet(format!("the archive {from} is not there"), Provision::Path(from.to_owned()))));
        }
        let Some((tool, package)) = self.tool() else { return Ok(None) };
        Ok(match told(answer, &format!("tool:{tool}"))? {
            "there" => None,
            _ => Some(not_yet(format!("{tool} is not installed"), Provision::Package(package.to_owned()))),
        })
    }

    pub(super) fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let is_wanted = self.state == State::Present;
        let Some(stat) = answer.stat(&self.path)? else {
            let missing = if is_wanted { self.missing(answer)? } else { None };
            return Ok(missing.unwrap_or(Seen::Absent));
        };
        if !stat.is_directory() {
            return Err(ProbeError(format!("{} is a {}, not a directory", self.path, stat.file_type)));
        }
        let text = |value: &str| FieldValue::text(value);
        let mut fields = Fields::from([
            ("mode".to_owned(), text(&stat.mode)),
            ("owner".to_owned(), text(&stat.owner)),
            ("group".to_owned(), text(&stat.group)),
        ]);
        let marker = match answer.content(&self.marker())? {
            Some(FileContent::Bytes(bytes)) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Some(_) => return Err(ProbeError(format!("{} is not what rempart writes", self.marker()))),
            None => None,
        };
        let (sha256, strip) = match &marker {
            Some(marker) => read_marker(marker)
                .ok_or_else(|| ProbeError(format!("{} is not what rempart writes", self.marker())))?,
            None => match told(answer, &format!("dir:{}", self.path))? {
                "holds" if is_wanted && self.replace => ("(not unpacked by rempart)", ""),
                "empty" if is_wanted => ("(nothing is unpacked)", ""),
                _ => {
                    let why = format!("{} was not unpacked by rempart, and is left alone", self.path);
                    return Err(ProbeError(if is_wanted { why + "; `replace: true` would replace it" } else { why }));
                }
            },
        };
        fields.insert("sha256".into(), text(sha256));
        fields.insert("strip".into(), text(strip));
        fields.insert("marker".into(), text(marker.as_deref().unwrap_or("none")));
        for path in &self.creates {
            let is = if answer.stat(&self.inside(path))?.is_some() { "there" } else { "missing" };
            fields.insert(format!("creates.{path}"), text(is));
        }
        let differs = |(name, value): (&String, &FieldValue)| !fields.get(name).is_some_and(|is| value.agrees_with(is));
        if let Desired::Present(wanted) = self.desired()
            && wanted.iter().filter(|(name, _)| is_unpacked(name)).any(differs)
            && let Some(missing) = self.missing(answer)?
        {
            return Ok(missing);
        }
        Ok(Seen::Present(fields))
    }
}

pub(super) fn read_marker(text: &str) -> Option<(&str, &str)> {
    let (sum, strip) = text.strip_prefix("sha256 ")?.strip_suffix('\n')?.split_once("\nstrip ")?;
    (is_sha256(sum) && strip.parse::<u32>().is_ok()).then_some((sum, strip))
}

fn told<'a>(answer: &'a Answer, about: &str) -> Result<&'a str, ProbeError> {
    let section = answer.section(SECTION)?;
    let mut parts = section.text()?.split('\0');
    while let (Some(name), Some(is)) = (parts.next(), parts.next()) {
        if name == about && ["there", "missing", "holds", "empty"].contains(&is) {
            return Ok(is);
        }
    }
    Err(ProbeError(format!("nothing was said about {}: {}", about.escape_debug(), section.complaint())))
}
