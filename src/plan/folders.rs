//! Owns who may own what is written into: a step goes into no folder of somebody who could swap what it writes there, so the
//! plan does not promise it either.

use std::collections::{BTreeMap, BTreeSet};

use super::{Act, Graph, Outlook};
use crate::model::{HostName, ResourceId};
use crate::resource::{Desired, FieldValue, Folder};

/// The folders on hosts whose owners decide.
pub type Folders = BTreeMap<HostName, BTreeSet<String>>;
/// The owners of folders on hosts. A folder that is not there has none.
pub type FolderOwners = BTreeMap<HostName, BTreeMap<String, String>>;

impl Outlook {
    /// The folders that the plan writes into and no resource of it declares.
    pub fn folders(&self, graph: &Graph) -> Folders {
        let mut folders = Folders::new();
        for host in &self.hosts {
            let written = host.resources.iter().filter_map(|planned| grows_in(graph, planned.item, &planned.act));
            let unknown = written.filter(|folder| declared(graph, &host.host, folder.path).is_none());
            let unknown: BTreeSet<String> = unknown.map(|folder| folder.path.to_owned()).collect();
            if !unknown.is_empty() {
                folders.insert(host.host.clone(), unknown);
            }
        }
        folders
    }

    /// Holds back what would be written into somebody else's folder, with these owners of those that nobody declares.
    pub fn hold_foreign(&mut self, graph: &Graph, owners: &FolderOwners) {
        for host in &mut self.hosts {
            for planned in &mut host.resources {
                let Some(folder) = grows_in(graph, planned.item, &planned.act) else { continue };
                let known = || owners.get(&host.host)?.get(folder.path).cloned();
                let Some(owner) = declared(graph, &host.host, folder.path).or_else(known) else { continue };
                if owner == "root" || owner == folder.owner {
                    continue;
                }
                let path = folder.path;
                let mut why = format!("{path} belongs to {owner}, who could swap what {} has there: ", folder.owner);
                why.push_str(&format!("give it the owner {owner}, or make {path} root's"));
                planned.act = Act::Unknown { why };
                (planned.after, planned.permanent) = (None, None);
            }
        }
    }
}

fn grows_in<'a>(graph: &'a Graph, item: usize, act: &Act) -> Option<Folder<'a>> {
    match act {
        Act::Create { .. } => graph.items[item].resource.grows_in(true),
        Act::Change { .. } => graph.items[item].resource.grows_in(false),
        _ => None,
    }
}

// The owner that a folder will have by then.
fn declared(graph: &Graph, host: &HostName, folder: &str) -> Option<String> {
    let number = graph.find(host, &ResourceId::new("directory", folder))?;
    let Desired::Present(fields) = graph.items[number].resource.desired() else { return None };
    match fields.get("owner") {
        Some(FieldValue::Text(owner)) => Some(owner.clone()),
        Some(FieldValue::Wanted(owner)) => owner.as_plain(),
        _ => None,
    }
}
