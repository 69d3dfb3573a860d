//! A mount: its line in /etc/fstab, and what is mounted with which options at this moment.

mod options;
mod steps;

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::State;
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Fault, FieldValue, Fields, FileContent, Kind, ProbeError, ProbeScript, Provision,
    Seen, Step, absolute_path, is_lifeline_folder,
};

const FSTAB: &str = "/etc/fstab";
// Of the host itself, whatever namespace the question runs in.
const MOUNTED: &str = "mountinfo";
const MOUNTED_COMMAND: &str = "cat /proc/1/mountinfo";

// What stands behind a source, and which directory it is: device and inode are the same for both ends of a bind mount.
const PLACES: &str = "mount sources";
const PLACES_COMMAND: &str = r#"rp_places() { for rp_p; do
  case $rp_p in
    UUID=*) rp_r=/dev/disk/by-uuid/${rp_p#UUID=} ;;
    LABEL=*) rp_r=/dev/disk/by-label/${rp_p#LABEL=} ;;
    PARTUUID=*) rp_r=/dev/disk/by-partuuid/${rp_p#PARTUUID=} ;;
    *) rp_r=$rp_p ;;
  esac
  printf '%s %s %s\n' "$rp_p" "$(readlink -f -- "$rp_r" || echo -)" "$(stat -Lc %d:%i -- "$rp_r" 2>/dev/null || echo -)"
done; }; rp_places"#;

// What no host does without at any moment.
const LASTING: [&str; 12] =
    ["/", "/boot", "/boot/efi", "/dev", "/etc", "/home", "/proc", "/root", "/run", "/sys", "/usr", "/var"];

/// A mount: its line in /etc/fstab, and what is mounted at this moment. Where only options differ it is mounted anew in
/// place; what is busy is never unmounted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mount {
    /// Where it is mounted: an absolute path. The directory is made if it is not there.
    path: String,
    /// What is mounted: a device, `UUID=...`, `LABEL=...`, `tmpfs`, `HOST:/export`, or the directory of a bind mount.
    #[serde(default)]
    source: Option<String>,
    /// The file system's type, such as `ext4` or `tmpfs`; `none` for a bind mount.
    #[serde(default)]
    fstype: Option<String>,
    /// Options, as mount(8) takes them. Of noexec, nosuid, nodev and ro, those that are not named must not be in effect
    /// (but on a bind mount, which has those of its source).
    #[serde(default)]
    options: Vec<String>,
    /// In which order the file system is checked at boot: 1 for the root, 2 for others, 0 for never.
    #[serde(default)]
    pass: u8,
    /// Whether it is mounted now. With `false` only the line is managed.
    #[serde(default = "yes")]
    mounted: bool,
    /// Whether it should be there. `absent` unmounts it, unless it is busy, and takes the line out; the directory stays.
    #[serde(default)]
    state: State,
}

fn yes() -> bool {
    true
}

// One line of mountinfo.
struct Entry<'a> {
    options: Vec<&'a str>,
    fstype: &'a str,
    source: &'a str,
}

impl Mount {
    fn source(&self) -> &str {
        self.source.as_deref().unwrap_or_default()
    }

    fn fstype(&self) -> &str {
        self.fstype.as_deref().unwrap_or_default()
    }

    fn is_bind(&self) -> bool {
        self.options.iter().any(|option| option == "bind" || option == "rbind")
    }

    fn line(&self) -> String {
        let options = if self.options.is_empty() { "defaults".to_owned() } else { self.options.join(",") };
        format!("{} {} {} {options} 0 {}", self.source(), self.path, self.fstype(), self.pass)
    }

    // The lines that /etc/fstab has of it, with single spaces.
    fn lines(&self, answer: &Answer) -> Result<Vec<String>, ProbeError> {
        let text = match answer.content(FSTAB)? {
            Some(FileContent::Bytes(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            Some(_) => return Err(ProbeError(format!("{FSTAB} is too long to be read"))),
            None => String::new(),
        };
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let lines = lines.filter(|line| line.split_whitespace().nth(1) == Some(&self.path));
        Ok(lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect())
    }

    // What is mounted there; the last one hides those before it.
    fn mounted<'a>(&self, answer: &'a Answer) -> Result<Option<Entry<'a>>, ProbeError> {
        let section = answer.section(MOUNTED)?;
        let bad = |why: &str| ProbeError(format!("what is mounted could not be read: {why}"));
        if section.status != 0 {
            return Err(bad(&section.complaint()));
        }
        let (mut found, mut has_root) = (None, false);
        for line in section.text()?.lines() {
            let (left, right) = line.split_once(" - ").ok_or_else(|| bad("a line is garbled"))?;
            let left: Vec<&str> = left.split(' ').collect();
            let right: Vec<&str> = right.split(' ').collect();
            let (Some(at), Some(flags), [fstype, source, of_fs]) = (left.get(4), left.get(5), right.as_slice()) else {
                return Err(bad("a line is garbled"));
            };
            has_root |= *at == "/";
            if *at == self.path {
                let options = flags.split(',').chain(of_fs.split(',').filter(|option| !["rw", "ro"].contains(option)));
                // A file system that is read-only as a whole is so wherever it is mounted.
                let whole = of_fs.split(',').any(|option| option == "ro").then_some("ro");
                let options = options.chain(whole).filter(|option| whole.is_none() || *option != "rw").collect();
                found = Some(Entry { options, fstype, source });
            }
        }
        if has_root { Ok(found) } else { Err(bad("there is no root")) }
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let (lines, mounted) = (self.lines(answer)?, self.mounted(answer)?);
        if lines.is_empty() && mounted.is_none() {
            return Ok(Seen::Absent);
        }
        let mut fields = Fields::from([("fstab".to_owned(), FieldValue::List(lines))]);
        fields.insert("mounted".into(), FieldValue::Bool(mounted.is_some()));
        if let (Some(entry), State::Present, true) = (mounted, self.state, self.mounted) {
            let fstype = if self.has_fstype(entry.fstype) { self.fstype() } else { entry.fstype };
            fields.insert("fstype".into(), FieldValue::text(fstype));
            let source = if self.has_source(&entry, answer)? { self.source() } else { entry.source };
            fields.insert("source".into(), FieldValue::text(source));
            fields.insert("options".into(), FieldValue::List(options::effective(&self.options, &entry.options)));
        }
        Ok(Seen::Present(fields))
    }

    fn has_fstype(&self, seen: &str) -> bool {
        self.is_bind() || self.fstype() == "auto" || self.fstype() == seen || (self.fstype(), seen) == ("nfs", "nfs4")
    }

    fn has_source(&self, entry: &Entry<'_>, answer: &Answer) -> Result<bool, ProbeError> {
        if !self.is_bind() && entry.source == self.source() {
            return Ok(true);
        }
        let section = answer.section(PLACES)?;
        let text = section.text()?;
        let place = |of: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(of)?.strip_prefix(' ')?.split_once(' '));
            found.ok_or_else(|| ProbeError(format!("nothing was heard of {of}: {}", section.complaint())))
        };
        let (real, inode) = place(self.source())?;
        if self.is_bind() {
            return Ok(inode != "-" && inode == place(&self.path)?.1);
        }
        Ok(real != "-" && real == entry.source)
    }
}

fn plain(field: &'static str, text: &str) -> Result<(), Fault> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "/._-+:@=~[]%^".contains(c);
    if !text.is_empty() && text.chars().all(fine) && !text.starts_with('-') {
        return Ok(());
    }
    Err(Fault::new(field, format!("`{}` cannot stand in /etc/fstab as rempart writes it", text.escape_debug()))
        .fix("use letters, digits and / . _ - + : @ = ~, without spaces"))
}

impl Kind for Mount {
    const NAME: &'static str = "mount";
    const NAMED_BY: Option<&'static str> = Some("path");
    const SUMMARY: &'static str = "A mount: its line in /etc/fstab, and what is mounted with which options.";
    const EXAMPLE: &'static str =
        "mount: { path: /srv/scratch, source: tmpfs, fstype: tmpfs, options: [size=256M, noexec, nosuid, nodev] }";
    const UNDO: &'static str = "its line in /etc/fstab, and what was mounted with which options. What was written to a tmpfs \
is gone with it; what is busy stays mounted.";

    fn key(&self) -> String {
        self.path.clone()
    }

    fn is_risky(&self) -> bool {
        is_lifeline_folder(&self.path)
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        absolute_path("path", &self.path)?;
        plain("path", &self.path)?;
        if self.state == State::Absent {
            return match LASTING.contains(&self.path.as_str()) {
                true => Err(Fault::new("path", "no host does without it, so it is never unmounted")),
                false => Ok(()),
            };
        }
        for (field, value) in [("source", &self.source), ("fstype", &self.fstype)] {
            plain(field, value.as_ref().ok_or_else(|| Fault::new(field, "it must be given"))?)?;
        }
        if self.fstype() == "swap" {
            return Err(Fault::new("fstype", "swap is not mounted"));
        }
        if self.pass > 2 {
            return Err(Fault::new("pass", "it is 0, 1 or 2"));
        }
        for option in &self.options {
            plain("options", option)?;
            options::refuse(option).map_err(|why| Fault::new("options", why))?;
            let stops = ["noexec", "ro"].contains(&option.as_str());
            if stops && ["/", "/usr", "/etc", "/bin", "/lib", "/sbin", "/var", "/run"].contains(&self.path.as_str()) {
                return Err(Fault::new("options", format!("with {option} at {} the host does not work", self.path)));
            }
        }
        if self.is_bind() {
            absolute_path("source", self.source())?;
            if self.fstype() != "none" {
                return Err(Fault::new("fstype", "a bind mount has the type of what it shows").fix("write none"));
            }
        }
        Ok(())
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Path(self.path.clone())]
    }

    fn uses(&self) -> Vec<Provision> {
        let mut all = vec![Provision::Path(self.path.clone())];
        if self.is_bind() {
            all.push(Provision::Path(self.source().to_owned()));
        }
        if self.fstype().starts_with("nfs") {
            all.push(Provision::Package("nfs-common".into()));
        }
        all
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let mut fields = Fields::from([("fstab".to_owned(), FieldValue::list([self.line()]))]);
        if self.mounted {
            fields.insert("mounted".into(), FieldValue::Bool(true));
            fields.insert("source".into(), FieldValue::text(self.source()));
            fields.insert("fstype".into(), FieldValue::text(self.fstype()));
            fields.insert("options".into(), FieldValue::List(self.options.clone()));
        }
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        script.content(FSTAB, None);
        script.section(MOUNTED, Sh::program_of_the_user(MOUNTED_COMMAND));
        for wanted in batch.iter().filter(|wanted| wanted.source.is_some()) {
            script.gather(PLACES, PLACES_COMMAND, wanted.source());
            script.gather(PLACES, PLACES_COMMAND, &wanted.path);
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
    use crate::kinds::tests::made;
    use crate::resource::SectionOutput;

    fn mounted(item: &str, text: &str, status: i32) -> Result<Option<(String, Vec<String>)>, ProbeError> {
        let output = SectionOutput { status, stdout: text.into(), stderr: Vec::new() };
        let answer = Answer::of_sections([(MOUNTED, output)]);
        let found = made::<Mount>(item).unwrap().mounted(&answer)?;
        Ok(found.map(|entry| (entry.source.to_owned(), entry.options.iter().map(|one| (*one).to_owned()).collect())))
    }

    const TOLD: &str = "7327 7265 0:414 / / rw,relatime shared:1914 - overlay overlay rw,lowerdir=/x
80 7327 0:429 / /srv/a rw,noexec,relatime shared:418 - tmpfs tmpfs ro,size=8192k\n";

    #[test]
    fn what_is_mounted_is_read_and_no_answer_is_never_fine() {
        let item = "{ path: /srv/a, source: tmpfs, fstype: tmpfs }";
        let (source, options) = mounted(item, TOLD, 0).unwrap().unwrap();
        assert_eq!((source.as_str(), options.join(",").as_str()), ("tmpfs", "noexec,relatime,size=8192k,ro"));
        assert!(mounted("{ path: /srv, source: tmpfs, fstype: tmpfs }", TOLD, 0).unwrap().is_none());
        for (text, status) in [("", 0), ("junk\n", 0), (TOLD, 1), (&TOLD[80..], 0)] {
            assert!(mounted(item, text, status).is_err(), "{text}");
        }
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for (fields, part) in [
            ("{ path: /srv/a b, source: x, fstype: ext4 }", "cannot stand"),
            ("{ path: /srv/a, fstype: ext4 }", "must be given"),
            ("{ path: /srv/a, source: x, fstype: swap }", "not mounted"),
            ("{ path: /, state: absent }", "no host does without"),
            ("{ path: /usr, source: x, fstype: ext4, options: [ro] }", "does not work"),
            ("{ path: /srv/a, source: /srv/b, fstype: ext4, options: [bind] }", "write none"),
            ("{ path: /srv/a, source: x, fstype: ext4, options: ['a,b'] }", "cannot stand"),
            ("{ path: /srv/a, source: x, fstype: tmpfs, options: ['size=50%'] }", "share of"),
        ] {
            let refused = made::<Mount>(fields).unwrap_err();
            assert!(refused.contains(part) || part == "write none" && refused.contains("bind"), "{fields}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn hostile_values_are_refused_or_one_word_each(path in "/(?s).{0,8}", source in "(?s).{1,8}", option in "(?s).{1,8}") {
            let fields = serde_json::json!({ "path": path, "source": source, "fstype": "ext4", "options": [option] });
            if let Ok(wanted) = made::<Mount>(&fields.to_string()) {
                prop_assert_eq!(wanted.line().split_whitespace().count(), 6);
                prop_assert!(!wanted.line().starts_with('#') && wanted.line().lines().count() == 1);
            }
        }
    }
}
