//! Owns asking hosts who owns folders.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::probe::nonce;
use super::{Links, each_host};
use crate::model::HostName;
use crate::plan::{FolderOwners, Folders};
use crate::resource::{Answer, ProbeScript};

const PATIENCE: Duration = Duration::from_secs(30);

/// Who owns these folders. What a host does not tell is left out: the step itself looks, too.
pub async fn folder_owners(folders: Folders, links: Arc<dyn Links>, forks: usize) -> FolderOwners {
    let hosts: Vec<HostName> = folders.keys().cloned().collect();
    let asked = each_host(hosts, forks, move |host| {
        let folders = folders.get(host)?;
        let mut script = ProbeScript::default();
        folders.iter().for_each(|folder| script.stat(folder));
        let question = script.finish(&nonce(), PATIENCE);
        let answer = Answer::read(&question, &links.ask(host, &question.script).ok()?).ok()?;
        let owner = |folder: &String| {
            let stat = answer.stat(folder).ok()??;
            stat.is_directory().then(|| (folder.clone(), stat.owner.clone()))
        };
        Some(folders.iter().filter_map(owner).collect::<BTreeMap<_, _>>())
    })
    .await;
    asked.into_iter().filter_map(|(host, owners)| Some((host, owners.flatten()?))).collect()
}
