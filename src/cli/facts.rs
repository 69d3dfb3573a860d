//! `rempart facts`: what hosts say of themselves, as templates see it in `facts`.

use std::sync::Arc;

use super::options::{Connection, Inventories};
use super::project::{self, Fleet};
use super::{Ended, show, unasked};
use crate::engine::{self, ReadLinks};
use crate::model::{Diagnostic, Exit, HostName};
use crate::report::{self, Screen};
use crate::transport::SshTransport;

/// Show what hosts say of themselves: what templates read as `facts`
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart facts server1 -i inventories/demo.yaml
  rempart facts server1 proxy1 -i inventories/demo.yaml
  rempart facts 'ollama:!proxy1' -i inventories/demo.yaml --json | jq '.facts[].memory_mb'

Each host is asked once, over a connection that cannot write.")]
pub(super) struct Args {
    /// Hosts, groups or patterns
    #[arg(required = true, value_name = "PATTERN")]
    hosts: Vec<String>,
    #[command(flatten)]
    inventories: Inventories,
    #[command(flatten)]
    connection: Connection,

    /// Print the facts as JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let fleet = Fleet::load(&args.inventories, &project::overrides(&args.connection)?, screen)?;
    let hosts = fleet.named(&args.hosts)?;
    let links = ReadLinks::new(Arc::new(SshTransport::new()), fleet.targets.clone(), project::nobody());
    let forks = args.connection.forks;
    let answers = project::runtime()?.block_on(engine::gather_facts(hosts.clone(), links, forks));
    let mut exit = Exit::Done;
    let mut known = Vec::new();
    let mut silent = Vec::new();
    for (host, answer) in answers {
        match answer {
            Ok(facts) => known.push((host, facts)),
            Err(error) => {
                exit = exit.and(unasked(&error));
                silent.push((host, error.to_string()));
            }
        }
    }
    let place = |host: &HostName| hosts.iter().position(|known| known == host);
    known.sort_by_key(|(host, _)| place(host));
    silent.sort_by_key(|(host, _)| place(host));
    if args.json {
        show::json(screen, &report::facts_json(&known, &silent));
    } else {
        screen.print(&report::facts(&known, &screen.out_paint()));
    }
    let told = |(host, why): &(HostName, String)| {
        Diagnostic::error("a host could not be asked").on(host, None).because(why.clone())
    };
    show::diagnostics(screen, &silent.iter().map(told).collect::<Vec<_>>());
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};
    use std::sync::Arc;

    use crate::engine::{Links, gather_facts};
    use crate::model::HostName;
    use crate::playbook::FACTS;
    use crate::transport::{Entry, Login, Output, ReadScript, Target, TransportError};

    // This machine, asked without any connection.
    struct Here;

    impl Links for Here {
        fn ask(&self, host: &HostName, script: &ReadScript) -> Result<Output, TransportError> {
            let broken = |reason: String| TransportError::Broken { host: host.clone(), reason };
            let mut sh = Command::new("sh");
            sh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = sh.spawn().map_err(|error| broken(error.to_string()))?;
            child.stdin.take().unwrap().write_all(script.text.as_bytes()).unwrap();
            let output = child.wait_with_output().map_err(|error| broken(error.to_string()))?;
            Ok(Output { status: output.status.code().unwrap_or(-1), stdout: output.stdout, stderr: output.stderr })
        }

        fn login(&self, _: &HostName) -> Option<Login> {
            None
        }

        fn target(&self, _: &HostName) -> Option<&Target> {
            None
        }

        fn entry(&self, _: &HostName) -> Option<Entry> {
            None
        }
    }

    #[test]
    fn the_facts_that_templates_may_read_are_those_that_hosts_are_asked_for() {
        let host = HostName::new("here");
        let asked = gather_facts(vec![host.clone()], Arc::new(Here), 1);
        let facts = super::project::runtime().unwrap().block_on(asked).remove(&host).unwrap().unwrap();
        assert_eq!(facts.keys().map(String::as_str).collect::<Vec<_>>(), FACTS);
    }
}
