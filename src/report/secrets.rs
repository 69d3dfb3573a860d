//! Owns the store of secrets as people read it: names, files, recipients, and never a value.

use serde_json::{Value, json};

use super::escape::{cut, visible};
use super::history::table as columns;
use super::inventory::table;
use super::{Paint, Tone};
use crate::model::count;
use crate::store::Burned;

/// A file of the store.
#[derive(Clone, Debug)]
pub struct StoredFile {
    /// Its name.
    pub name: String,
    /// The full names of its secrets.
    pub secrets: Vec<String>,
    /// Whether it is the one with the project key.
    pub of_project: bool,
    /// The public keys it is encrypted for; none where the file does not say.
    pub recipients: Vec<String>,
    /// Recipients of other kinds.
    pub others: Vec<String>,
    /// When it was written last, as it says.
    pub written: String,
    /// Whether a seal stands in it; not whether it holds.
    pub sealed: bool,
}

/// Who can read a file, and who may.
#[derive(Clone, Debug, Default)]
pub struct FileReaders {
    /// The file.
    pub name: String,
    /// Where its rule stands; `None` = there is none, or the file does not say for whom it is.
    pub rule: Option<String>,
    /// Who can read it and may.
    pub readers: Vec<String>,
    /// Whom its rule names and it does not.
    pub gains: Vec<String>,
    /// Whom it names and its rule does not.
    pub loses: Vec<String>,
}

/// What became of a file's recipients.
#[derive(Clone, Debug)]
pub struct Rekeyed {
    /// The file.
    pub name: String,
    /// Who may read it from now on.
    pub gains: Vec<String>,
    /// Who may not any more.
    pub loses: Vec<String>,
    /// Who stays.
    pub stays: Vec<String>,
    /// Whether it is encrypted anew.
    pub is_new: bool,
}

/// A file that was proved, or was not.
#[derive(Clone, Debug, Default)]
pub struct CheckedFile {
    /// The file.
    pub name: String,
    /// Whether it opens and is as somebody of the project left it.
    pub proved: bool,
    /// Whether it is a whole file of age that opens; it bears no seal, so nothing proves who wrote it.
    pub opens: bool,
    /// What is wrong, in a few words.
    pub wrong: Option<String>,
    /// Whom its rule names and it does not.
    pub gains: Vec<String>,
    /// Whom it names and its rule does not.
    pub loses: Vec<String>,
    /// Secrets of it that stand there for everybody to read, since its rule leaves them out.
    pub plain: Vec<String>,
    /// How many comments of it stand there for everybody to read.
    pub plain_comments: usize,
    /// Which values it encrypts, and which its rule says, where they differ.
    pub other_rule: Option<(String, String)>,
}

/// All that was proved, or was not.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// The id of the project key, where it is known and proved.
    pub key: Option<String>,
    /// Each file.
    pub files: Vec<CheckedFile>,
    /// What lies in the folder and is not looked at, each with the reason.
    pub strangers: Vec<(String, &'static str)>,
    /// How many secrets are still to be changed; `None` = the list cannot be read.
    pub burned: Option<usize>,
}

/// A file that a person is to take as it is.
#[derive(Clone, Debug)]
pub struct ToSeal {
    /// The file.
    pub name: String,
    /// The names of what is in it.
    pub secrets: Vec<String>,
    /// The id of the project key, where this is its file.
    pub key: Option<String>,
    /// Secrets of it that everybody can read.
    pub plain: Vec<String>,
    /// Who can read it: ` ` = and may, `-` = and may not by its rule; `+` = may, and cannot.
    pub readers: Vec<(char, String)>,
}

/// All secrets with their files, and the recipients of each file if wanted.
pub fn stored(files: &[StoredFile], recipients: bool, paint: &Paint) -> String {
    let mut rows = vec![["secret", "file", "readers", "written"].map(str::to_owned)];
    let mut secrets = 0;
    for file in files.iter().filter(|file| !file.of_project) {
        let readers = if file.recipients.is_empty() {
            "?".into()
        } else {
            (file.recipients.len() + file.others.len()).to_string()
        };
        for secret in &file.secrets {
            secrets += 1;
            rows.push([visible(secret), visible(&file.name), readers.clone(), visible(&file.written)]);
        }
    }
    let mut text = if secrets > 0 { table(&rows, paint) } else { String::new() };
    let with_secrets = files.iter().filter(|file| !file.of_project).count();
    text.push_str(&format!("{} in {}\n", count(secrets, "secret", "secrets"), count(with_secrets, "file", "files")));
    if recipients {
        for file in files {
            text.push_str(&format!("\n{}\n", paint.tone(Tone::Bold, &visible(&file.name))));
            for reader in file.recipients.iter().chain(&file.others) {
                text.push_str(&format!("  {}\n", cut(&visible(reader), paint.width.saturating_sub(2))));
            }
            if file.recipients.is_empty() && file.others.is_empty() {
                text.push_str("  it does not say\n");
            }
        }
    }
    text
}

/// The same as JSON.
pub fn stored_json(files: &[StoredFile]) -> Value {
    let file = |file: &StoredFile| {
        json!({
            "file": file.name, "secrets": file.secrets, "recipients": file.recipients, "other_recipients": file.others,
            "written": file.written, "has_seal": file.sealed, "of_project": file.of_project,
        })
    };
    json!({ "format_version": "1.0", "kind": "secrets", "files": files.iter().map(file).collect::<Vec<_>>() })
}

/// Each file with who can read it, and how that differs from its rule.
pub fn readers(files: &[FileReaders], paint: &Paint) -> String {
    let mut text = String::new();
    for file in files {
        let rule = file.rule.as_ref().map_or_else(|| "no rule".to_owned(), |rule| format!("by {}", visible(rule)));
        let rule =
            if file.readers.is_empty() && file.rule.is_none() { "it does not say for whom it is" } else { &rule };
        let name = paint.tone(Tone::Bold, &visible(&file.name));
        text.push_str(&format!("{name}  {}\n", paint.tone(Tone::Dim, rule)));
        for (tone, sign, word, readers) in [
            (Tone::Good, ' ', "", &file.readers),
            (Tone::Bad, '-', " can read it, and may not", &file.loses),
            (Tone::Change, '+', " may read it, and cannot", &file.gains),
        ] {
            for reader in readers {
                let line = format!("{sign} {}{word}", visible(reader));
                text.push_str(&format!("  {}\n", paint.tone(tone, &line)));
            }
        }
    }
    let differs = files.iter().filter(|file| !file.gains.is_empty() || !file.loses.is_empty()).count();
    text.push_str(&match differs {
        0 => format!("{}\n", count(files.len(), "file", "files")),
        differs => format!(
            "{differs} of {} differ from what .sops.yaml says: `rempart secrets rekey`\n",
            count(files.len(), "file", "files")
        ),
    });
    text
}

/// The same as JSON.
pub fn readers_json(files: &[FileReaders]) -> Value {
    let file = |file: &FileReaders| {
        json!({
            "file": file.name, "rule": file.rule, "readers": file.readers, "gains": file.gains, "loses": file.loses,
        })
    };
    let files = files.iter().map(file).collect::<Vec<_>>();
    json!({ "format_version": "1.0", "kind": "secrets_recipients", "files": files })
}

/// Who gains, who loses, and what must be changed for it.
pub fn rekeyed(changes: &[Rekeyed], burned: &[(String, String)], paint: &Paint) -> String {
    let mut text = String::new();
    for change in changes.iter().filter(|change| change.is_new) {
        let stays = match change.stays.len() {
            0 => String::new(),
            stays => format!("  ({stays} {})", if stays == 1 { "stays" } else { "stay" }),
        };
        text.push_str(&format!(
            "{}{}\n",
            paint.tone(Tone::Bold, &visible(&change.name)),
            paint.tone(Tone::Dim, &stays)
        ));
        let marked = [(Tone::Good, '+', &change.gains), (Tone::Bad, '-', &change.loses)];
        for (tone, sign, readers) in marked {
            for reader in readers {
                let line = cut(&visible(reader), paint.width.saturating_sub(4));
                text.push_str(&format!("  {}\n", paint.tone(tone, &format!("{sign} {line}"))));
            }
        }
        if change.gains.is_empty() && change.loses.is_empty() {
            text.push_str("  a new data key\n");
        }
    }
    let mut secrets: Vec<&str> = burned.iter().map(|(secret, _)| secret.as_str()).collect();
    secrets.dedup();
    if !secrets.is_empty() {
        let what = count(secrets.len(), "secret that must be changed", "secrets that must be changed");
        text.push_str(&format!("\n{what}, since somebody who leaves could read them:\n"));
        for secret in secrets {
            text.push_str(&format!("  {}\n", paint.tone(Tone::Change, &format!("! {}", visible(secret)))));
        }
    }
    text
}

/// The same as JSON.
pub fn rekeyed_json(changes: &[Rekeyed], burned: &[(String, String)], gaps: &[String]) -> Value {
    let change = |change: &Rekeyed| json!({ "file": change.name, "gains": change.gains, "loses": change.loses, "encrypted_anew": change.is_new });
    let burned =
        burned.iter().map(|(secret, reader)| json!({ "secret": secret, "reader": reader })).collect::<Vec<_>>();
    json!({
        "format_version": "1.0", "kind": "rekey", "files": changes.iter().map(change).collect::<Vec<_>>(),
        "must_be_changed": burned, "not_known": gaps,
    })
}

/// The burn list.
pub fn burned(entries: &[Burned], paint: &Paint) -> String {
    if entries.is_empty() {
        return "Nothing was burned: nobody has left the store.\n".into();
    }
    let mut rows = Vec::new();
    for entry in entries {
        let state = match &entry.done {
            None => "must be changed".to_owned(),
            Some(day) if entry.unchanged => format!("done, though unchanged {}", visible(day)),
            Some(day) => format!("changed {}", visible(day)),
        };
        let cells = [visible(&entry.secret), visible(&entry.since), state, visible(&entry.reader)];
        rows.push(cells.map(|text| (text, None)).to_vec());
    }
    let open = entries.iter().filter(|entry| entry.done.is_none()).count();
    let head = ["secret", "since", "state", "who could read it"];
    format!("{}{open} of {} to be changed\n", columns(&head, &rows, paint), count(entries.len(), "entry", "entries"))
}

/// The same as JSON.
pub fn burned_json(entries: &[Burned]) -> Value {
    let entry = |entry: &Burned| {
        let changed = entry.done.as_ref().filter(|_| !entry.unchanged);
        json!({
            "secret": entry.secret, "reader": entry.reader, "since": entry.since, "changed": changed, "done": entry.done,
        })
    };
    json!({ "format_version": "1.0", "kind": "burned", "entries": entries.iter().map(entry).collect::<Vec<_>>() })
}

/// A file that a person is to take as it is: what is in it, and who can read it.
pub fn to_seal(file: &ToSeal, paint: &Paint) -> String {
    let mut text = format!("{}\n", paint.tone(Tone::Bold, &visible(&file.name)));
    text.push_str(&format!("  holds {}\n", visible(&file.secrets.join(", "))));
    if let Some(key) = &file.key {
        text.push_str(&format!("  the project key is {key}: compare it with somebody who has the store\n"));
    }
    if !file.plain.is_empty() {
        let line = format!("  not encrypted, and nobody will be told: {}", visible(&file.plain.join(", ")));
        text.push_str(&format!("{}\n", paint.tone(Tone::Bad, &line)));
    }
    for (sign, reader) in &file.readers {
        let (tone, word) = match sign {
            '-' => (Tone::Bad, " (may not by its rule)"),
            '+' => (Tone::Change, " (may by its rule, and cannot)"),
            _ => (Tone::Good, ""),
        };
        text.push_str(&format!("  {}\n", paint.tone(tone, &format!("{sign} {}{word}", visible(reader)))));
    }
    text
}

/// Each file, proved or not.
pub fn checked(all: &Checked, paint: &Paint) -> String {
    let width = all.files.iter().map(|file| visible(&file.name).len()).max().unwrap_or(0);
    let mut text = match &all.key {
        Some(key) => format!("project key {key}\n"),
        None => String::new(),
    };
    for file in &all.files {
        let (tone, sign, said) = match &file.wrong {
            Some(wrong) => (Tone::Bad, '!', wrong.clone()),
            None if file.opens => (Tone::Doubt, '?', "opens; it bears no seal".to_owned()),
            None if file.proved => (Tone::Good, ' ', "opens, and is sealed".to_owned()),
            None => (Tone::Doubt, '?', "not known".to_owned()),
        };
        text.push_str(&format!("{sign} {:<width$}  {}\n", visible(&file.name), paint.tone(tone, &said)));
        let mut more = |line: String| text.push_str(&format!("    {}\n", paint.tone(Tone::Change, &line)));
        for (sign, word, readers) in
            [('+', "may read it by its rule, and cannot", &file.gains), ('-', "can read it, and may not", &file.loses)]
        {
            readers.iter().for_each(|reader| more(format!("{sign} {} {word}", visible(reader))));
        }
        if let Some((is, wanted)) = &file.other_rule {
            more(format!("it encrypts by {}, and its rule says {}", visible(is), visible(wanted)));
        }
        if !file.plain.is_empty() {
            let what = count(file.plain.len(), "value is", "values are");
            more(format!("{what} not encrypted: {}", visible(&file.plain.join(", "))));
        }
        if file.plain_comments > 0 {
            more(format!("{} not encrypted", count(file.plain_comments, "comment is", "comments are")));
        }
    }
    for (name, why) in &all.strangers {
        let line = paint.tone(Tone::Bad, &format!("{}  not looked at: {why}", visible(name)));
        text.push_str(&format!("! {line}\n"));
    }
    match all.burned {
        None => text.push_str("! which secrets are to be changed is not known: the burn list cannot be read\n"),
        Some(0) => {}
        Some(burned) => {
            let what = count(burned, "secret is", "secrets are");
            text.push_str(&format!("! {what} still to be changed: `rempart secrets burned`\n"));
        }
    }
    let open = all.files.iter().filter(|file| file.opens).count();
    let wrong = all.files.iter().filter(|file| !file.proved && !file.opens).count();
    let proved = all.files.len() - open - wrong;
    text.push_str(&match wrong {
        0 => format!("{} proved", count(proved, "file", "files")),
        wrong => format!("{wrong} of {} not proved", count(all.files.len(), "file", "files")),
    });
    if open > 0 {
        text.push_str(&format!("; {} of age: nothing proves who wrote that", count(open, "file", "files")));
    }
    text.push('\n');
    text
}

/// The same as JSON.
pub fn checked_json(all: &Checked, fine: bool) -> Value {
    let file = |file: &CheckedFile| {
        json!({
            "file": file.name, "proved": file.proved, "opens": file.proved || file.opens, "wrong": file.wrong,
            "gains": file.gains, "loses": file.loses, "not_encrypted": file.plain,
            "comments_not_encrypted": file.plain_comments,
            "encrypts_by": file.other_rule.as_ref().map(|(is, _)| is),
            "rule_says": file.other_rule.as_ref().map(|(_, wanted)| wanted),
        })
    };
    let strangers = all.strangers.iter().map(|(name, why)| json!({ "file": name, "why": why })).collect::<Vec<_>>();
    json!({
        "format_version": "1.0", "kind": "secrets_check", "project_key": all.key,
        "files": all.files.iter().map(file).collect::<Vec<_>>(), "not_looked_at": strangers,
        "must_be_changed": all.burned, "all_proved": fine && all.files.iter().all(|file| file.proved),
    })
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;

    #[test]
    fn the_burn_list_fits_a_narrow_terminal() {
        let entry = Burned {
            secret: "gateways/paris/token".into(),
            reader: format!("age1{}", "q".repeat(58)),
            since: "2026-11-27".into(),
            print: None,
            done: None,
            unchanged: false,
        };
        let narrow = burned(std::slice::from_ref(&entry), &Paint { width: 60, ..Paint::PLAIN });
        assert!(narrow.lines().all(|line| line.width() <= 60), "{narrow}");
        assert!(narrow.contains("since 2026-11-27") && narrow.contains("must be changed"), "{narrow}");
        let wide = burned(&[entry], &Paint::PLAIN);
        assert!(wide.starts_with("secret                since"), "{wide}");
    }
}
