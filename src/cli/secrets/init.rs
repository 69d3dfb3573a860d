//! `rempart secrets init`: the folder, the rules, the project key, and a key of one's own where there is none.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::set::{open_or_create, refuse_others};
use super::{OfStore, keep};
use crate::cli::{Ended, Stopped, show};
use crate::model::{Diagnostic, Exit, Place};
use crate::report::Screen;
use crate::secret::Rendered;
use crate::store::{
    Filed, Folder, KeyPath, Locked, PROJECT, PROJECT_KEY, Recipient, Rule, Rules, Sources, new_identity, project_key,
    save,
};

/// Make a store: its folder, .sops.yaml, and the key of the project; overwrites nothing
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart secrets init
  rempart secrets init --recipient age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj
  rempart secrets init --recipient \"$(cat ~/.ssh/id_ed25519.pub)\"

Without --recipient the store is for you alone, by the public keys of the private keys at hand. Where you have none, one is
made where SOPS looks for it. Files that `sops` wrote into the folder before stay as they are; look at each, and take it with
`rempart secrets seal`.")]
pub(in crate::cli) struct Args {
    /// Who may read it, by a public key: age1..., ssh-ed25519 ... or ssh-rsa ...
    #[arg(long, value_name = "PUBLIC KEY")]
    recipient: Vec<String>,

    /// Make a new project key though files bear the seal of another one, since that is lost for good
    #[arg(long)]
    new_key: bool,

    #[command(flatten)]
    store: OfStore,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let folder = &args.store.secrets;
    let path = folder.join(PROJECT);
    if path.exists() {
        show::say(screen, &format!("{} is a store already: nothing was written", folder.display()));
        return Ok(Exit::Done);
    }
    let mut recipients = Vec::new();
    for text in &args.recipient {
        recipients.push(Recipient::parse(text)?.to_string());
    }
    let rules = Rules::find(&path)?;
    if let Some(rules) = &rules {
        if !recipients.is_empty() {
            let told = Diagnostic::error("the rules stand already: nothing was written")
                .because("--recipient writes new ones");
            return Err(Stopped::usage(told.fix("add the keys to .sops.yaml")));
        }
        fits(&rules.for_file(&path)?)?;
    }
    refuse_to_replace(args, folder)?;
    make_folder(folder, 0o755)?;
    let (store, _held) = args.store.open_to_write(screen)?;
    if rules.is_none() {
        if recipients.is_empty() {
            recipients = store.keyring().public_keys();
        }
        if recipients.is_empty() {
            recipients.push(own_key(screen)?);
        }
        write_rules(folder, &recipients, screen)?;
    }
    let mut file = open_or_create(&store, PROJECT)?;
    let key = project_key()?;
    file.set(&KeyPath::parse(PROJECT_KEY)?, &key.to_secret(PROJECT_KEY))?;
    if let Some(memory) = store.memory() {
        memory.take_key(&key.id())?;
    }
    keep(&store, PROJECT, &mut file, &key)?;
    show::say(screen, &format!("{}: the key of the project ({})", path.display(), key.id()));
    for filed in store.folder().files() {
        show::say(
            screen,
            &format!(
                "{} was there before: look at it, then take it with `rempart secrets seal {}`",
                filed.name, filed.name
            ),
        );
    }
    show::say(
        screen,
        "next: `rempart secrets set gw/token --generate 32`, and {{ secret(\"gw/token\") }} in a template",
    );
    Ok(Exit::Done)
}

// Before anything is written, whether the rule for it can be kept at all.
fn fits(rule: &Rule) -> Result<(), Stopped> {
    refuse_others(rule)?;
    if rule.selection.takes([PROJECT_KEY].into_iter()) {
        return Ok(());
    }
    let (name, pattern) = rule.selection.rule();
    let told = Diagnostic::error("the project key would not be encrypted").at(&rule.place, "by this rule");
    let told = told.because(format!("{name} {pattern} leaves `{PROJECT_KEY}` as it is: anybody could read it"));
    Err(Stopped::refused(told.fix(format!("add a rule for {PROJECT} before it, or let this one take `{PROJECT_KEY}`"))))
}

// A new key is no way back to files that bear the seal of another one, and where git has that key it is not lost.
fn refuse_to_replace(args: &Args, folder: &Path) -> Result<(), Stopped> {
    let there = Folder::read(folder)?;
    let sealed = |filed: &&Filed| filed.locked.as_ref().is_ok_and(Locked::has_seal);
    let files: Vec<String> =
        there.iter().flat_map(Folder::files).filter(sealed).map(|filed| filed.name.clone()).collect();
    if files.is_empty() || args.new_key {
        return Ok(());
    }
    let told = Diagnostic::error("the project key is missing: nothing was written");
    let told = told.at(&Place::outside(&folder.join(PROJECT).display().to_string()), "not there");
    let told = told.because(format!("it sealed {}", files.join(", ")));
    Err(Stopped::refused(told.fix(
        "take the file from git (`git log --all -- FILE`, `git checkout COMMIT -- FILE`); if it is lost for good, say --new-key",
    )))
}

// A key of one's own, where SOPS looks for it.
fn own_key(screen: &Screen) -> Result<String, Stopped> {
    let place = Sources::from_env().config.map(|config| config.join("sops/age/keys.txt"));
    let Some(path) = place else {
        let told = Diagnostic::error("there is no place for a key").because("neither XDG_CONFIG_HOME nor HOME is set");
        return Err(Stopped::failed(told.fix("name your public key with --recipient")));
    };
    let (secret, public) = new_identity();
    let fail = |why: String| {
        let told = Diagnostic::error("a key of your own cannot be written");
        let told = told.at(&Place::outside(&path.display().to_string()), "").because(why);
        Stopped::failed(told.fix("name your public key with --recipient"))
    };
    make_folder(path.parent().unwrap_or(Path::new(".")), 0o700)?;
    let mut to = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| fail(error.to_string()))?;
    let written = writeln!(to, "# public key: {public}")
        .and_then(|()| Rendered::secret(secret).send_to(&mut to))
        .and_then(|()| to.write_all(b"\n"))
        .and_then(|()| to.sync_all());
    written.map_err(|error| fail(error.to_string()))?;
    show::say(screen, &format!("{}: a key of your own; keep a copy of it where only you can read it", path.display()));
    Ok(public)
}

fn write_rules(folder: &Path, recipients: &[String], screen: &Screen) -> Result<(), Stopped> {
    let above = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let path: PathBuf = above.join(".sops.yaml");
    let base = folder.file_name().unwrap_or_default().to_string_lossy();
    let pattern: String = base
        .chars()
        .flat_map(|c| (!c.is_alphanumeric() && c != '_' && c != '-').then_some('\\').into_iter().chain([c]))
        .collect();
    let mut text = String::from(
        "# Who may read which file of the store: the first rule whose path_regex fits counts. After a change of it,\n\
         # `rempart secrets rekey` brings the files to it, and says what somebody who leaves could read.\n\
         creation_rules:\n",
    );
    text.push_str(&format!(
        "  - path_regex: {}\n    age:\n",
        serde_json::Value::from(format!("^{pattern}/.*\\.ya?ml$"))
    ));
    for recipient in recipients {
        text.push_str(&format!("      - {}\n", serde_json::Value::from(recipient.as_str())));
    }
    save(&path, &text)?;
    show::say(screen, &format!("{}: readable for {}", path.display(), recipients.join(", ")));
    Ok(())
}

fn make_folder(path: &Path, mode: u32) -> Result<(), Stopped> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .or_else(|error| if path.is_dir() { Ok(()) } else { Err(error) })
        .map_err(|error| {
            let place = Place::outside(&path.display().to_string());
            Stopped::failed(Diagnostic::error("cannot make a folder").at(&place, "").because(error.to_string()))
        })
}
