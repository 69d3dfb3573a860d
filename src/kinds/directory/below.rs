//! All that is below a directory: whether its owner and modes are as wanted, and how they become so.

use crate::quote::Sh;
use crate::resource::{Answer, FieldValue, Fields, ProbeError, ProbeScript};
use crate::sh;

const PROGRAM: &str = include_str!("below.sh");
// How many are named.
const NAMED: usize = 4;

/// What is wanted of all that is below a directory.
pub(super) struct Below<'a> {
    pub path: &'a str,
    pub owner: &'a str,
    pub group: &'a str,
    pub file_mode: Option<&'a str>,
    pub dir_mode: Option<&'a str>,
}

impl Below<'_> {
    // Field, find's test, and the mode.
    fn modes(&self) -> impl Iterator<Item = (&'static str, &'static str, &str)> {
        let modes = [("file_mode", "f", self.file_mode), ("dir_mode", "d", self.dir_mode)];
        modes.into_iter().filter_map(|(field, letter, mode)| Some((field, letter, mode?)))
    }

    pub(super) fn desired(&self) -> Fields {
        let fields = ["recurse"].into_iter().chain(self.modes().map(|(field, ..)| field));
        fields.map(|field| (field.to_owned(), FieldValue::text("as wanted"))).collect()
    }

    fn section(&self, field: &str) -> String {
        format!("directory {field} {}", self.path)
    }

    pub(super) fn ask(&self, script: &mut ProbeScript) {
        script.prelude(Sh::program_of_the_user(PROGRAM));
        let is_there = sh!("[ -d {} ] || { echo absent; exit 0; }", self.path);
        script.section(
            self.section("recurse"),
            Sh::lines([
                is_there.clone(),
                sh!(
                    "rp_uid=$(rp_number_of passwd {}) && rp_gid=$(rp_number_of group {}) || { echo 'accounts could not be read' >&2; exit 3; }",
                    self.owner,
                    self.group
                ),
                sh!("[ \"$rp_uid\" ] && [ \"$rp_gid\" ] || { echo nobody; exit 0; }"),
                sh!("rp_below_differs {} '(' ! -uid \"$rp_uid\" -o ! -gid \"$rp_gid\" ')'", self.path),
            ]),
        );
        for (field, letter, mode) in self.modes() {
            let test = sh!("rp_below_differs {} -type {} ! -perm {}", self.path, letter, mode);
            script.section(self.section(field), Sh::lines([is_there.clone(), test]));
        }
    }

    pub(super) fn seen(&self, answer: &Answer) -> Result<Fields, ProbeError> {
        let fields = ["recurse"].into_iter().chain(self.modes().map(|(field, ..)| field));
        fields.map(|field| Ok((field.to_owned(), FieldValue::text(self.told(answer, field)?)))).collect()
    }

    fn told(&self, answer: &Answer, field: &str) -> Result<String, ProbeError> {
        let section = answer.section(&self.section(field))?;
        let unclear = || ProbeError(format!("what is below {} could not be read: {}", self.path, section.complaint()));
        let text = String::from_utf8_lossy(&section.stdout);
        if section.status == 0 && text == "nobody\n" {
            return Ok(format!("there is no account {} with the group {} yet", self.owner, self.group));
        }
        let rest = text.strip_suffix("end 0\0").filter(|_| section.status == 0).ok_or_else(unclear)?;
        // Since 4.9, sed ends the number as it ends lines.
        let rest = rest.strip_suffix(['\0', '\n']).ok_or_else(unclear)?;
        let (first, count) = rest.rsplit_once('\0').ok_or_else(unclear)?;
        let count: usize = count.parse().map_err(|_| unclear())?;
        let mut records: Vec<&str> = first.split('\0').collect();
        if records.len() != count.min(NAMED) || count == 0 {
            return Err(unclear());
        }
        if count <= NAMED && records.pop() != Some("end 0") {
            return Err(unclear());
        }
        if records.is_empty() {
            return Ok("as wanted".into());
        }
        let mut named = Vec::new();
        for record in records {
            let mut words = record.splitn(3, ' ');
            let (Some(owner), Some(mode), Some(path)) = (words.next(), words.next(), words.next()) else {
                return Err(unclear());
            };
            let path: String = path.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
            named.push(format!("{path} ({owner} {mode:0>4})"));
        }
        let more = (count - 1).checked_sub(named.len()).filter(|more| *more > 0);
        let more = more.map_or(String::new(), |more| format!(", and {more} more"));
        Ok(format!("{} not: {}{more}", count - 1, named.join(", ")))
    }

    /// What gives all of it the owner and the modes. The owner sets modes: where somebody who may write there puts a link
    /// in a file's place, root would be led to where it goes.
    pub(super) fn script(&self) -> Sh {
        let mut script = Sh::program_of_the_user(PROGRAM);
        script.line(sh!(
            "rp_uid=$(rp_number_of passwd {}) && rp_gid=$(rp_number_of group {})
[ \"$rp_uid\" ] && [ \"$rp_gid\" ] || rp_fail {}",
            self.owner,
            self.group,
            format!("there is no account {} with the group {}", self.owner, self.group)
        ));
        script.line(sh!(
            "( rp_below {} '(' ! -uid \"$rp_uid\" -o ! -gid \"$rp_gid\" ')' -execdir chown -h -- \"$rp_uid:$rp_gid\" {} + )",
            self.path,
            Sh::program_of_the_user("{}")
        ));
        // Directories first, and each before what is in it.
        let mut modes: Vec<_> = self.modes().collect();
        modes.reverse();
        for (_, letter, mode) in modes {
            script.line(sh!(
                "( rp_below {} -type {} ! -perm {} -execdir setpriv --reuid=\"$rp_uid\" --regid=\"$rp_gid\" --clear-groups chmod -- {} {} {} )",
                self.path,
                letter,
                mode,
                format!("00{mode}"),
                Sh::program_of_the_user("{}"),
                Sh::program_of_the_user(if letter == "d" { "\\;" } else { "+" })
            ));
        }
        script
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::SectionOutput;

    fn told(said: &str, status: i32) -> Result<String, ProbeError> {
        let below = Below { path: "/srv/x", owner: "root", group: "root", file_mode: None, dir_mode: None };
        let output = SectionOutput { status, stdout: said.into(), stderr: Vec::new() };
        below.told(&Answer::of_sections([(below.section("recurse").as_str(), output)]), "recurse")
    }

    // As sed 4.9 and sed 4.8 number it.
    #[test]
    fn what_differs_is_counted_and_some_of_it_named() {
        for end in ["\0", "\n"] {
            let as_wanted = told(&format!("end 0\x001{end}end 0\0"), 0).unwrap();
            assert_eq!(as_wanted, "as wanted");
            let one = told(&format!("a:b 644 c d\0end 0\x002{end}end 0\0"), 0).unwrap();
            assert_eq!(one, "1 not: c d (a:b 0644)");
            let four = "a:b 644 c\0".repeat(4);
            assert!(told(&format!("{four}5{end}end 0\0"), 0).unwrap().starts_with("4 not: c"));
            assert!(told(&format!("{four}9{end}end 0\0"), 0).unwrap().ends_with(", and 4 more"));
            for junk in [format!("{four}4{end}end 0\0"), format!("end 1\x001{end}end 1\0"), format!("1{end}end 0\0")] {
                assert!(told(&junk, 0).is_err(), "{junk:?}");
            }
            assert!(told(&format!("end 0\x001{end}end 0\0"), 1).is_err());
        }
        assert!(told("end 0\x001end 0\0", 0).is_err());
    }
}
