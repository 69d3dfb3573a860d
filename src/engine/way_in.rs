//! Owns looking ahead: which hosts' plans touch the way in, one more script for those over the connection that is there,
//! and the judgement of what they answer. A host whose plan touches nothing of it is asked nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::probe::nonce;
use super::{Links, each_host};
use crate::lockout::{self, Scene, WayIn};
use crate::model::HostName;
use crate::plan::{Graph, Outlook};
use crate::resource::{Answer, Foreseen, Origin, ProbeScript, Seen};
use crate::transport::Become;

/// How long a host may take: its own tools are started a few times, each on a copy of its files.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Our own connections within half a minute: a plan, an apply, the guard's confirmation and one more try of it.
const CONNECTIONS: u32 = 4;

/// Judges the way into each host whose plan touches it.
pub async fn ways_in(
    graph: &Graph,
    outlook: &Outlook,
    seen: &HashMap<usize, Seen>,
    links: Arc<dyn Links>,
    forks: usize,
) -> BTreeMap<HostName, WayIn> {
    let foreseen: BTreeMap<HostName, Foreseen> = outlook
        .hosts
        .iter()
        .map(|host| {
            let mut foreseen = Foreseen::default();
            for planned in host.resources.iter().filter(|planned| planned.act.changes()) {
                if let (Some(item), Some(seen)) = (graph.items.get(planned.item), seen.get(&planned.item)) {
                    foreseen.begin(Origin { id: planned.id.clone(), place: planned.place.clone() });
                    item.resource.foresee(seen, &mut foreseen);
                }
            }
            (host.host.clone(), foreseen)
        })
        .filter(|(_, foreseen)| !foreseen.is_empty())
        .collect();
    let hosts: Vec<HostName> = foreseen.keys().cloned().collect();
    let foreseen = Arc::new(foreseen);
    let judged = each_host(hosts, forks, move |host| judge(host, foreseen.get(host)?, links.as_ref())).await;
    judged
        .into_iter()
        .filter_map(|(host, judged)| match judged {
            Some(judged) => Some((host, judged?)),
            None => Some((host, lockout::unknown(None, "the work on it died; this is a bug in rempart"))),
        })
        .collect()
}

fn judge(host: &HostName, foreseen: &Foreseen, links: &dyn Links) -> Option<WayIn> {
    let (Some(login), Some(target)) = (links.login(host), links.target(host)) else {
        return Some(lockout::unknown(None, "there is no connection any more that could tell how it let us in"));
    };
    let mut foreseen = foreseen.clone();
    foreseen.accounts.retain(|name, _| *name == login.user);
    if foreseen.is_empty() {
        return None;
    }
    let mut script = ProbeScript::default();
    lockout::ask(&login.user, &foreseen, &mut script);
    let question = script.finish(&nonce(), TIMEOUT);
    let answer = match links.ask(host, &question.script) {
        Ok(output) => Answer::read(&question, &output).map_err(|why| why.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(why) => return Some(lockout::unknown(Some(&login), &why)),
    };
    // The name may come from ssh_config, and root becomes nobody by sudo.
    let (by_sudo, has_sudo_password) = match &target.escalate {
        Become::Sudo { password } if login.user != "root" => (true, password.is_some()),
        _ => (false, false),
    };
    let scene = Scene {
        login: &login,
        has_login_password: target.password.is_some(),
        has_sudo_password,
        by_sudo,
        connections: CONNECTIONS,
        foreseen: &foreseen,
        answer: &answer,
    };
    let way_in = lockout::judge(&scene);
    (!way_in.verdicts.is_empty()).then_some(way_in)
}
