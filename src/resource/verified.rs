//! Owns the SHA-256 of files that may be too large to be read at every look.
//!
//! A small file is read each time. Of a large one, a step that has read it whole leaves a record on the host: its inode,
//! size and change time, and the sum it had. While the three stand, the sum is taken from the record. A change time
//! moves with every write, chmod and rename, and no tool sets it; who is root and sets the clock back, or writes to the
//! disk below the file system, is not seen until the file is read again.

use super::{Answer, ProbeError, ProbeScript};
use crate::quote::Sh;

const SECTION: &str = "rp_sums";

// What is smaller is read each time. The record's format stands in `rp_verified` of src/engine/target.sh, too.
const PRELUDE: &str = r#"rp_sums() {
  rp_worst=0
  for rp_a do
    rp_f=${rp_a#*:} rp_sum=
    if [ ! -f "$rp_f" ] || [ -L "$rp_f" ]; then continue; fi
    rp_id=$(stat -c '%i %s %.9Z' -- "$rp_f") || { rp_worst=1; continue; }
    rp_size=${rp_id#* }; rp_size=${rp_size%% *}
    rp_how=read
    if [ "${rp_a%%:*}" = touched ] && [ "$rp_size" -ge 67108864 ]; then
      rp_key=$(printf %s "$rp_f" | sha256sum)
      rp_known=$(cat "/var/lib/rempart/verified/${rp_key%% *}" 2>/dev/null)
      case $rp_known in "$rp_id "*) rp_sum=${rp_known##* }; rp_how=record ;; esac
    fi
    if [ -z "$rp_sum" ]; then rp_sum=$(sha256sum < "$rp_f") || { rp_worst=1; continue; }; fi
    printf '%s\0%s\0%s\0' "$rp_f" "$rp_how" "${rp_sum%% *}"
  done
  return $rp_worst
}"#;

/// The sum of a file, and how it came to be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// Whether it is that of the last time that rempart read it whole, since nothing touched it after that.
    pub is_recorded: bool,
}

/// Asks for the sum of a regular file; `always` reads it even where a record would do.
pub fn ask_sum(script: &mut ProbeScript, path: &str, always: bool) {
    let how = if always { "always" } else { "touched" };
    script.shared(SECTION, Sh::program_of_the_user(PRELUDE));
    script.gather(SECTION, SECTION, &format!("{how}:{path}"));
}

/// The sum of a file that `stat` found to be a regular one.
///
/// # Errors
/// It was not read, or what the host said is no sum.
pub fn sum(answer: &Answer, path: &str) -> Result<Sum, ProbeError> {
    let section = answer.section(SECTION)?;
    let text = section.text()?;
    let mut parts: Vec<&str> = text.split('\0').collect();
    if parts.pop() != Some("") || !parts.len().is_multiple_of(3) {
        return Err(ProbeError("the sums of files are cut short".into()));
    }
    let mut found = None;
    for record in parts.chunks(3).filter(|record| record[0] == path) {
        let is_recorded = match record[1] {
            "read" => false,
            "record" => true,
            _ => return Err(ProbeError(format!("the sum of {path} was not understood"))),
        };
        if !is_sha256(record[2]) {
            return Err(ProbeError(format!("what sha256sum says of {path} is no sum")));
        }
        // Asked for in both ways, what was read counts.
        if found.as_ref().is_none_or(|known: &Sum| known.is_recorded) {
            found = Some(Sum { sha256: record[2].to_owned(), is_recorded });
        }
    }
    found.ok_or_else(|| ProbeError(format!("{path} could not be read: {}", section.complaint())))
}

/// Whether a text is a SHA-256 as tools print it: 64 small hexadecimal digits.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::SectionOutput;

    fn read(stdout: &str) -> Result<Sum, ProbeError> {
        let section = SectionOutput { status: 0, stdout: stdout.into(), stderr: b"sha256sum: I/O error\n".to_vec() };
        sum(&Answer::of_sections([(SECTION, section)]), "/a b")
    }

    #[test]
    fn a_sum_is_read_and_anything_else_is_no_answer() {
        let good = "0123456789abcdef".repeat(4);
        let known = read(&format!("/x\0read\0{good}\0/a b\0record\0{good}\0")).unwrap();
        assert_eq!(known, Sum { sha256: good.clone(), is_recorded: true });
        assert!(!read(&format!("/a b\0record\0{good}\0/a b\0read\0{good}\0")).unwrap().is_recorded);
        for bad in [
            String::new(),
            "junk\n".into(),
            format!("/a b\0read\0{good}"),
            format!("/a b\0read\0{good}\0/a"),
            format!("/a b\0guess\0{good}\0"),
            "/a b\0read\0all is well\0".into(),
            format!("/a b\0read\0{}\0", good.to_uppercase()),
            format!("/x\0read\0{good}\0"),
        ] {
            assert!(read(&bad).is_err(), "{bad:?}");
        }
    }
}
