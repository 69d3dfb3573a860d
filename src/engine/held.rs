//! Owns the question which files of a host held a secret that rempart wrote, whose old content nobody is shown.

use crate::quote::Sh;
use crate::resource::{Answer, Held, ProbeScript};

const SECTION: &str = "rempart/secret-files";

/// Asks for the list that `secret_files.sh` keeps.
pub(super) fn ask(script: &mut ProbeScript) {
    let list = "/var/lib/rempart/secret-files";
    script.section(SECTION, Sh::program_of_the_user(&format!("[ ! -e {list} ] || cat -- {list}")));
}

/// What the host said. What is no answer is not "none".
pub(super) fn read(answer: &Answer) -> Held {
    match answer.section(SECTION) {
        Ok(section) if section.status == 0 => match section.text() {
            Ok("") => Held::Nobody,
            Ok(text) => Held::These(text.lines().map(str::to_owned).collect()),
            Err(_) => Held::Unknown,
        },
        _ => Held::Unknown,
    }
}
