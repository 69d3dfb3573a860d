//! Owns the facts of a host: what only the host itself knows and templates may read as `facts`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Links, each_host, probe};
use crate::model::HostName;
use crate::quote::Sh;
use crate::resource::{Answer, ProbeError, ProbeScript};
use crate::transport::TransportError;

// Shell builtins but for uname and ip, so that asking costs next to nothing.
const COMMANDS: &str = r#"echo "arch=$(uname -m)"
echo "kernel=$(uname -r)"
read -r name < /proc/sys/kernel/hostname && echo "hostname=$name"
while IFS== read -r key value; do
  value=${value#\"}; value=${value%\"}
  case "$key" in ID) echo "os=$value" ;; VERSION_ID) echo "os_version=$value" ;; VERSION_CODENAME) echo "os_codename=$value" ;; esac
done < /etc/os-release
while read -r key value unit; do case "$key" in MemTotal:) echo "memory_mb=$((value / 1024))" ;; esac; done < /proc/meminfo
cpus=0; while read -r key rest; do case "$key" in processor) cpus=$((cpus + 1)) ;; esac; done < /proc/cpuinfo; echo "cpus=$cpus"
if [ -d /run/systemd/system ]; then echo "init=systemd"; else echo "init=other"; fi
ip -o addr show scope global 2>/dev/null | while read -r _ link family address _; do
  case "$family" in inet|inet6) echo "address=${address%/*}"; echo "interface=$link" ;; esac
done"#;

/// The facts of each host, as `name` -> value: `arch`, `kernel`, `hostname`, `os`, `os_version`, `os_codename`,
/// `memory_mb` and `cpus` (numbers), `init`, `addresses`, `interfaces` (lists).
///
/// A host without an answer has its error in the place of facts.
pub async fn gather_facts(
    hosts: Vec<HostName>,
    links: Arc<dyn Links>,
    forks: usize,
) -> BTreeMap<HostName, Result<BTreeMap<String, serde_json::Value>, TransportError>> {
    each_host(hosts, forks, move |host| {
        let mut script = ProbeScript::default();
        script.section("facts", Sh::program_of_the_user(COMMANDS));
        let question = script.finish(&probe::nonce(), Duration::from_secs(30));
        let output = links.ask(host, &question.script)?;
        let broken = |ProbeError(reason)| TransportError::Broken { host: host.clone(), reason };
        let answer = Answer::read(&question, &output).map_err(broken)?;
        let section = answer.section("facts").map_err(broken)?;
        Ok(read(&String::from_utf8_lossy(&section.stdout)))
    })
    .await
    .into_iter()
    .map(|(host, facts)| {
        let lost = || TransportError::Broken { host: host.clone(), reason: "the work on it died".into() };
        let facts = facts.unwrap_or_else(|| Err(lost()));
        (host, facts)
    })
    .collect()
}

fn read(text: &str) -> BTreeMap<String, serde_json::Value> {
    let mut facts = BTreeMap::new();
    let mut lists: BTreeMap<String, Vec<String>> =
        BTreeMap::from([("addresses".to_owned(), Vec::new()), ("interfaces".to_owned(), Vec::new())]);
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        match name {
            "address" | "interface" => {
                let list =
                    lists.entry(if name == "address" { "addresses" } else { "interfaces" }.to_owned()).or_default();
                if !list.iter().any(|known| known == value) {
                    list.push(value.to_owned());
                }
            }
            "memory_mb" | "cpus" => {
                if let Ok(number) = value.parse::<u64>() {
                    facts.insert(name.to_owned(), number.into());
                }
            }
            _ => {
                facts.insert(name.to_owned(), value.into());
            }
        }
    }
    facts.extend(lists.into_iter().map(|(name, list)| (name, list.into())));
    facts
}

#[cfg(test)]
mod tests {
    #[test]
    fn facts_have_their_types() {
        let facts =
            super::read("arch=x86_64\nmemory_mb=2048\naddress=10.0.0.1\naddress=10.0.0.1\ninterface=eth0\njunk\n");
        assert_eq!(facts["memory_mb"], 2048);
        assert_eq!(facts["addresses"], serde_json::json!(["10.0.0.1"]));
        assert_eq!(facts["arch"], "x86_64");
    }
}
