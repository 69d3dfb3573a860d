//! `rempart secrets init`: the folder, the rules, the project key, and a key of one's own where there is none.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{OfStore, keep, rule_of};
use crate::cli::{Ended, Stopped, show};
use crate::model::{Diagnostic, Exit, Place};
use crate::report::Screen;
use crate::secret::Rendered;
use crate::store::{
    KeyPath, PROJECT, PROJECT_KEY, Recipient, Rules, Sources, Unlocked, new_identity, project_key, save,
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

    #[command(flatten)]
    store: OfStore,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let folder = &args.store.secrets;
    if folder.join(PROJECT).exists() {
        show::say(screen, &format!("{} is a store already: nothing was written", folder.display()));
        return Ok(Exit::Done);
    }
    make_folder(folder, 0o755)?;
    let (store, _held) = args.store.open_to_write(screen)?;
    let path = folder.join(PROJECT);
    if Rules::find(&path)?.is_none() {
        let mut recipients = Vec::new();
        for text in &args.recipient {
            recipients.push(Recipient::parse(text)?.to_string());
        }
        if recipients.is_empty() {
            recipients = store.keyring().public_keys();
        }
        if recipients.is_empty() {
            recipients.push(own_key(screen)?);
        }
        write_rules(folder, &recipients, screen)?;
    } else if !args.recipient.is_empty() {
        let told =
            Diagnostic::error("the rules stand already: nothing was written").because("--recipient writes new ones");
        return Err(Stopped::usage(told.fix("add the keys to .sops.yaml")));
    }
    let rule = rule_of(&path)?;
    let mut file = Unlocked::create(PROJECT, &rule.recipients, &rule.selection, store.ask())?;
    let key = project_key()?;
    file.set(&KeyPath::parse(PROJECT_KEY)?, &key.to_secret(PROJECT_KEY))?;
    keep(&store, PROJECT, &mut file, &key)?;
    show::say(screen, &format!("{}: the key of the project ({})", path.display(), key.id()));
    for filed in store.folder().files() {
        show::say(
            screen,
            &format!("{} was there before: look at it, then take it with `rempart secrets seal`", filed.name),
        );
    }
    show::say(
        screen,
        "next: `rempart secrets set gw/token --generate 32`, and {{ secret(\"gw/token\") }} in a template",
    );
    Ok(Exit::Done)
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
        Stopped::failed(told.at(&Place::outside(&path.display().to_string()), "").because(why))
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
