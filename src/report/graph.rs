//! Owns the graph as DOT and Mermaid; `svg` draws it for who has neither.
//!
//! Arrows go from what comes first to what comes after.

use std::fmt::Write;

use super::picture::{EdgeKind, Picture};
use super::svg::svg;
use crate::plan::Graph;
use crate::quote::{quote_dot, quote_mermaid};

/// A language in which graphs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Graphviz.
    Dot,
    /// Mermaid, as GitLab, GitHub and many wikis draw it.
    Mermaid,
    /// A picture that needs no other tool.
    Svg,
}

/// The graph in a language.
pub fn graph(graph: &Graph, format: Format) -> String {
    let picture = Picture::of(graph);
    match format {
        Format::Dot => dot(&picture),
        Format::Mermaid => mermaid(&picture),
        Format::Svg => svg(&picture),
    }
}

fn dot(picture: &Picture) -> String {
    let mut text = String::from(
        "digraph rempart {\n  rankdir=TB;\n  compound=true;\n  node [shape=box, style=rounded, fontname=\"monospace\"];\n",
    );
    for (at, host) in picture.hosts.iter().enumerate() {
        let _ = writeln!(text, "  subgraph cluster_{at} {{\n    label={};", quote_dot(&host.name));
        for (phase, items) in &host.phases {
            let _ = writeln!(text, "    subgraph cluster_{at}_{phase} {{\n      label={};", quote_dot(phase.name()));
            for item in items {
                let _ = writeln!(text, "      n{item} [label={}];", quote_dot(&picture.names[*item]));
            }
            text.push_str("    }\n");
        }
        text.push_str("  }\n");
    }
    for edge in &picture.edges {
        let style = match edge.kind {
            EdgeKind::Needs => "solid",
            EdgeKind::Uses => "dashed",
            EdgeKind::Watches => "bold",
        };
        let words = quote_dot(&edge.words);
        let _ = writeln!(text, "  n{} -> n{} [style={style}, tooltip={words}];", edge.from, edge.to);
    }
    text.push_str("}\n");
    text
}

fn mermaid(picture: &Picture) -> String {
    let mut text = String::from("flowchart TB\n");
    for (at, host) in picture.hosts.iter().enumerate() {
        let _ = writeln!(text, "  subgraph h{at}[{}]", quote_mermaid(&host.name));
        for (phase, items) in &host.phases {
            let _ = writeln!(text, "    subgraph h{at}_{phase}[{}]", quote_mermaid(phase.name()));
            for item in items {
                let _ = writeln!(text, "      n{item}[{}]", quote_mermaid(&picture.names[*item]));
            }
            text.push_str("    end\n");
        }
        text.push_str("  end\n");
    }
    for edge in &picture.edges {
        let arrow = match edge.kind {
            EdgeKind::Needs => "-->",
            EdgeKind::Uses => "-.->",
            EdgeKind::Watches => "==>",
        };
        let _ = writeln!(text, "  n{} {arrow} n{}", edge.from, edge.to);
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use std::any::Any;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{HostName, Phase, Place, ResourceId};
    use crate::plan::{Item, Need};
    use crate::report::escape::is_unseen;
    use crate::resource::{Desired, Provision, Resource};

    #[derive(Debug, Clone, Default)]
    pub struct Fake {
        kind: &'static str,
        key: String,
        brings: Option<Provision>,
        wants: Option<Provision>,
        watched: Vec<String>,
    }

    impl Resource for Fake {
        fn kind(&self) -> &'static str {
            self.kind
        }
        fn id(&self) -> ResourceId {
            ResourceId::new(self.kind, &self.key)
        }
        fn is_risky(&self) -> bool {
            false
        }
        fn provides(&self) -> Vec<Provision> {
            self.brings.clone().into_iter().collect()
        }
        fn uses(&self) -> Vec<Provision> {
            self.wants.clone().into_iter().collect()
        }
        fn watches(&self) -> Vec<String> {
            self.watched.clone()
        }
        fn desired(&self) -> Desired {
            Desired::Absent
        }
        fn foresee(&self, _seen: &crate::resource::Seen, _foreseen: &mut crate::resource::Foreseen) {}

        fn as_any(&self) -> &dyn Any {
            self
        }
    }

    pub fn item(host: &str, phase: Phase, fake: Fake) -> Item {
        Item {
            host: HostName::new(host),
            phase,
            resource: Box::new(fake),
            place: Place::outside("play.yaml"),
            label: None,
            needs: Vec::new(),
            tags: Vec::new(),
            controls: Vec::new(),
            playbook: "play".into(),
        }
    }

    pub fn fake(kind: &'static str, key: &str) -> Fake {
        Fake { kind, key: key.into(), ..Fake::default() }
    }

    pub fn fleet() -> Graph {
        let mut items = Vec::new();
        for host in ["proxy1", "web1"] {
            let package = Provision::Package("squid".into());
            items.push(item(
                host,
                Phase::Preparation,
                Fake { brings: Some(package.clone()), ..fake("package_apt", "squid") },
            ));
            items.push(item(host, Phase::Preparation, fake("user", "ollama")));
            let conf = fake("template", "/etc/squid/squid.conf");
            items.push(item(host, Phase::Hardening, Fake { wants: Some(package), ..conf }));
            let watched = vec!["template:/etc/squid/squid.conf".to_owned()];
            items.push(item(host, Phase::Hardening, Fake { watched, ..fake("systemd_unit", "squid \"<&>\\") }));
            items.push(item(host, Phase::Tests, fake("http_probe", "proxy answers\x1b[2J")));
        }
        items[9].needs.push(Need {
            host: HostName::new("proxy1"),
            what: "systemd_unit:squid \"<&>\\".into(),
            place: Place::outside("play.yaml"),
        });
        items.push(item("web1", Phase::Production, fake("systemd_timer", "check-isolation")));
        Graph::build(items).unwrap()
    }

    #[test]
    fn the_graph_in_dot() {
        insta::assert_snapshot!(graph(&fleet(), Format::Dot), @r#"
        digraph rempart {
          rankdir=TB;
          compound=true;
          node [shape=box, style=rounded, fontname="monospace"];
          subgraph cluster_0 {
            label="proxy1";
            subgraph cluster_0_preparation {
              label="preparation";
              n0 [label="package_apt:squid"];
              n1 [label="user:ollama"];
            }
            subgraph cluster_0_hardening {
              label="hardening";
              n2 [label="template:/etc/squid/squid.conf"];
              n3 [label="systemd_unit:squid \"<&amp;>\\"];
            }
            subgraph cluster_0_tests {
              label="tests";
              n4 [label="http_probe:proxy answers\\u{1b}[2J"];
            }
          }
          subgraph cluster_1 {
            label="web1";
            subgraph cluster_1_preparation {
              label="preparation";
              n5 [label="package_apt:squid"];
              n6 [label="user:ollama"];
            }
            subgraph cluster_1_hardening {
              label="hardening";
              n7 [label="template:/etc/squid/squid.conf"];
              n8 [label="systemd_unit:squid \"<&amp;>\\"];
            }
            subgraph cluster_1_tests {
              label="tests";
              n9 [label="http_probe:proxy answers\\u{1b}[2J"];
            }
            subgraph cluster_1_production {
              label="production";
              n10 [label="systemd_timer:check-isolation"];
            }
          }
          n0 -> n2 [style=dashed, tooltip="uses package squid"];
          n2 -> n3 [style=bold, tooltip="watches"];
          n3 -> n9 [style=solid, tooltip="needs (play.yaml)"];
          n5 -> n7 [style=dashed, tooltip="uses package squid"];
          n7 -> n8 [style=bold, tooltip="watches"];
        }
        "#);
    }

    #[test]
    fn the_graph_in_mermaid() {
        insta::assert_snapshot!(graph(&fleet(), Format::Mermaid), @r#"
        flowchart TB
          subgraph h0["proxy1"]
            subgraph h0_preparation["preparation"]
              n0["package_apt:squid"]
              n1["user:ollama"]
            end
            subgraph h0_hardening["hardening"]
              n2["template:/etc/squid/squid.conf"]
              n3["systemd_unit:squid #34;#60;#38;#62;#92;"]
            end
            subgraph h0_tests["tests"]
              n4["http_probe:proxy answers#92;u#123;1b#125;#91;2J"]
            end
          end
          subgraph h1["web1"]
            subgraph h1_preparation["preparation"]
              n5["package_apt:squid"]
              n6["user:ollama"]
            end
            subgraph h1_hardening["hardening"]
              n7["template:/etc/squid/squid.conf"]
              n8["systemd_unit:squid #34;#60;#38;#62;#92;"]
            end
            subgraph h1_tests["tests"]
              n9["http_probe:proxy answers#92;u#123;1b#125;#91;2J"]
            end
            subgraph h1_production["production"]
              n10["systemd_timer:check-isolation"]
            end
          end
          n0 -.-> n2
          n2 ==> n3
          n3 --> n9
          n5 -.-> n7
          n7 ==> n8
        "#);
    }

    #[test]
    fn the_graph_as_a_picture() {
        let text = graph(&fleet(), Format::Svg);
        assert!(text.contains("systemd_unit:squid &quot;&lt;&amp;&gt;\\"));
        assert_eq!(text.matches("<path class=").count(), 5 + 3, "an edge each, and the legend");
        assert_eq!(text.matches("<g>").count(), 11);
    }

    proptest! {
        #[test]
        fn hostile_names_never_break_out(host in "(?s).{1,20}", key in "(?s).{0,20}") {
            let items = vec![item(&host, Phase::Tests, fake("file", &key)), item(&host, Phase::Tests, fake("user", &key))];
            let graph = Graph::build(items).unwrap();
            for format in [Format::Dot, Format::Mermaid, Format::Svg] {
                let text = super::graph(&graph, format);
                prop_assert!(!text.chars().any(|c| is_unseen(c) && c != '\n'));
                // Names add no line, and in XML no tag.
                let calm = Graph::build(vec![item("h", Phase::Tests, fake("file", "k")), item("h", Phase::Tests, fake("user", "k"))]).unwrap();
                let calm = super::graph(&calm, format);
                prop_assert_eq!(text.lines().count(), calm.lines().count());
                if format == Format::Svg {
                    prop_assert_eq!(text.matches('<').count(), calm.matches('<').count());
                }
            }
        }
    }
}
