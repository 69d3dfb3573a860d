//! Owns what the options of an iptables rule ask and do. An option that is not known here is one that nobody can tell.

use std::net::IpAddr;
use std::str::FromStr;

use super::rule::{Action, Field, Recent, Statement, Test};
use super::words;

/// A word of a line; a quoted one is never an option.
#[derive(Clone, Debug, Default)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) quoted: bool,
}

#[derive(Clone, Debug, Default)]
struct Choice {
    name: String,
    negated: bool,
    values: Vec<String>,
}

impl Choice {
    fn value(&self) -> &str {
        self.values.first().map_or("", String::as_str)
    }
}

/// The statements of a rule from the words behind its chain; `None` where they are no rule.
pub(super) fn statements(words: &[Word], v6: bool) -> Option<Vec<Statement>> {
    let mut choices = choices(words)?;
    let target = choices.iter().position(|choice| matches!(choice.name.as_str(), "-j" | "--jump" | "-g" | "--goto"));
    let target = target.map(|at| choices.split_off(at));
    let mut tests = Vec::new();
    let mut rest = choices.as_slice();
    while let [first, after @ ..] = rest {
        let is_match = matches!(first.name.as_str(), "-m" | "--match");
        let module = if is_match { first.value() } else { "" };
        // Options up to the next `-m` belong to this one, but the plain ones may stand anywhere.
        let own = if is_match { after } else { rest };
        let end = own.iter().position(|choice| matches!(choice.name.as_str(), "-m" | "--match")).unwrap_or(own.len());
        let (mine, next) = own.split_at(end);
        let is_own = |choice: &&Choice| is_plain(&choice.name) || OF_TCP.contains(&choice.name.as_str());
        let (plain, special): (Vec<&Choice>, Vec<&Choice>) = mine.iter().partition(is_own);
        tests.extend(plain.into_iter().map(|choice| plain_test(choice, v6)));
        let state = tests.iter().any(Test::asks_state);
        tests.extend(module_tests(module, &special, v6).into_iter().map(|test| match test {
            // Without it, packets of connections count, too.
            Test::Rate { .. } if !state => Test::Unknown("how many packets came before is not known".into()),
            test => test,
        }));
        rest = next;
    }
    let mut statements: Vec<Statement> =
        tests.into_iter().filter(|test| !matches!(test, Test::Always)).map(Statement::Test).collect();
    statements.push(Statement::Act(match target {
        Some(words) => action(&words)?,
        None => Action::Nothing,
    }));
    Some(statements)
}

fn choices(words: &[Word]) -> Option<Vec<Choice>> {
    let mut all: Vec<Choice> = Vec::new();
    let mut negated = false;
    let mut takes_any = false;
    for word in words {
        let text = word.text.as_str();
        if std::mem::take(&mut takes_any) {
            all.last_mut()?.values.push(text.to_owned());
        } else if text == "!" && !word.quoted {
            negated = true;
        } else if text.len() > 1 && text.starts_with('-') && !word.quoted {
            takes_any = matches!(text, "--comment" | "--log-prefix" | "--nflog-prefix" | "--ulog-prefix" | "--string");
            all.push(Choice { name: text.to_owned(), negated: std::mem::take(&mut negated), values: Vec::new() });
        } else {
            let last = all.last_mut()?;
            last.negated |= std::mem::take(&mut negated);
            last.values.push(text.to_owned());
        }
    }
    Some(all)
}

/// Options of the protocol, which no extension has: they may stand behind any `-m`.
const OF_TCP: [&str; 6] = ["--dport", "--destination-port", "--sport", "--source-port", "--syn", "--tcp-flags"];

fn is_plain(name: &str) -> bool {
    const PLAIN: [&str; 19] = [
        "-p",
        "--protocol",
        "--proto",
        "-s",
        "--source",
        "--src",
        "-d",
        "--destination",
        "--dst",
        "-i",
        "--in-interface",
        "-o",
        "--out-interface",
        "-f",
        "--fragment",
        "-4",
        "-6",
        "-c",
        "--set-counters",
    ];
    PLAIN.contains(&name)
}

fn unknown(what: &str) -> Test {
    Test::Unknown(format!("`{what}` cannot be told from here"))
}

fn perhaps_not(test: Test, fields: &[Field], negated: bool) -> Test {
    if negated { test.negated(fields) } else { test }
}

fn plain_test(choice: &Choice, v6: bool) -> Test {
    let value = choice.value();
    match choice.name.as_str() {
        "-p" | "--protocol" | "--proto" => match value {
            "all" | "0" => Test::Always,
            // A protocol that has no name here is not TCP, which has one.
            _ => {
                let number = words::protocol(value).unwrap_or(255);
                perhaps_not(Test::is(Field::Protocol, number), &[], choice.negated)
            }
        },
        "-s" | "--source" | "--src" => addresses(value, Field::Source { v6 }, v6, choice.negated),
        "-d" | "--destination" | "--dst" => addresses(value, Field::Destination { v6 }, v6, choice.negated),
        "-i" | "--in-interface" => interface(value, false, choice.negated),
        "-o" | "--out-interface" => interface(value, true, choice.negated),
        // Ours are no fragments.
        "-f" | "--fragment" => {
            if choice.negated {
                Test::Always
            } else {
                Test::Never
            }
        }
        "-4" => {
            if v6 {
                Test::Never
            } else {
                Test::Always
            }
        }
        "-6" => {
            if v6 {
                Test::Always
            } else {
                Test::Never
            }
        }
        name if OF_TCP.contains(&name) => option("tcp", choice, v6),
        _ => Test::Always,
    }
}

fn interface(value: &str, out: bool, negated: bool) -> Test {
    let (name, prefix) = value.strip_suffix('+').map_or((value, false), |name| (name, true));
    perhaps_not(Test::Interface { out, name: name.to_owned(), prefix }, &[], negated)
}

fn addresses(value: &str, field: Field, v6: bool, negated: bool) -> Test {
    let all: Option<Vec<Test>> = value.split(',').map(|part| network(part, field, v6)).collect();
    match all {
        Some(all) => perhaps_not(Test::Any(all), &[field], negated),
        None => unknown(value),
    }
}

/// A network as iptables writes it: an address, with a length or a mask.
pub(super) fn network(text: &str, field: Field, v6: bool) -> Option<Test> {
    let (address, mask) = text.split_once('/').unwrap_or((text, ""));
    let (is_v6, number) = words::address(IpAddr::from_str(address).ok()?);
    if is_v6 != v6 {
        return Some(Test::Never);
    }
    let mask = match mask {
        "" => words::prefix_mask(v6, if v6 { 128 } else { 32 })?,
        _ => match mask.parse::<u32>() {
            Ok(length) => words::prefix_mask(v6, length)?,
            Err(_) => words::address(IpAddr::from_str(mask).ok()?).1,
        },
    };
    Some(Test::Within { field, mask, low: number & mask, high: number & mask })
}

fn ports(value: &str, field: Field, negated: bool) -> Test {
    let range = |part: &str| {
        let (low, high) = part.split_once(':').map_or((part, None), |(low, high)| (low, Some(high)));
        let port = |word: &str, otherwise| if word.is_empty() { Some(otherwise) } else { words::port(word) };
        let first = port(low, 0)?;
        let last = high.map_or(Some(first), |high| port(high, 65535))?;
        Some(Test::between(field, first, last))
    };
    match value.split(',').map(range).collect::<Option<Vec<Test>>>() {
        Some(all) if !value.is_empty() => perhaps_not(Test::Any(all), &[field], negated),
        _ => unknown(value),
    }
}

fn masked(value: &str, field: Field, negated: bool) -> Test {
    let (number, mask) = value.split_once('/').unwrap_or((value, "0xffffffff"));
    match (words::number(number), words::number(mask)) {
        (Some(number), Some(mask)) => {
            perhaps_not(Test::Within { field, mask, low: number, high: number }, &[field], negated)
        }
        _ => unknown(value),
    }
}

fn module_tests(module: &str, choices: &[&Choice], v6: bool) -> Vec<Test> {
    match module {
        "comment" => Vec::new(),
        "recent" => vec![recent(choices)],
        "limit" => vec![Test::Unknown("how many packets came before is not known".into())],
        "hashlimit" => vec![hashlimit(choices)],
        "rpfilter" if choices.iter().any(|choice| choice.name == "--invert") => {
            vec![Test::Not(Box::new(Test::ReturnPath))]
        }
        "rpfilter" => vec![Test::ReturnPath],
        // Extension headers, which our packets do not have.
        "rt" | "frag" | "hbh" | "dst" | "mh" | "ah" | "esp" => vec![Test::Never],
        "" | "tcp" | "udp" | "udplite" | "sctp" | "dccp" | "icmp" | "icmp6" | "icmpv6" | "ipv6-icmp" | "multiport"
        | "conntrack" | "state" | "addrtype" | "mark" | "connmark" | "pkttype" | "iprange" | "hl" | "ttl" => {
            choices.iter().map(|choice| option(module, choice, v6)).collect()
        }
        other => vec![unknown(&format!("-m {other}"))],
    }
}

fn option(module: &str, choice: &Choice, v6: bool) -> Test {
    let (value, negated) = (choice.value(), choice.negated);
    let list = |read: fn(&str) -> Option<u128>, field: Field| {
        let all: Option<Vec<Test>> = value.split(',').map(|word| Some(Test::is(field, read(word)?))).collect();
        all.map_or_else(|| unknown(value), |all| perhaps_not(Test::Any(all), &[field], negated))
    };
    match choice.name.as_str() {
        "--dport" | "--destination-port" | "--dports" | "--destination-ports" => {
            ports(value, Field::DestinationPort, negated)
        }
        "--sport" | "--source-port" | "--sports" | "--source-ports" => ports(value, Field::SourcePort, negated),
        "--ports" => {
            let either = [Field::SourcePort, Field::DestinationPort].map(|field| ports(value, field, false));
            perhaps_not(Test::Any(either.into()), &[Field::SourcePort], negated)
        }
        "--syn" => flags("FIN,SYN,RST,ACK", "SYN", negated),
        "--tcp-flags" => flags(value, choice.values.get(1).map_or("", String::as_str), negated),
        "--ctstate" | "--state" => states(value, negated),
        "--ctdir" => match value {
            "ORIGINAL" => Test::is(Field::Direction, 0),
            "REPLY" => Test::is(Field::Direction, 1),
            _ => unknown("--ctdir"),
        },
        "--ctproto" => perhaps_not(Test::is(Field::Protocol, words::protocol(value).unwrap_or(255)), &[], negated),
        "--ctorigsrc" => addresses(value, Field::FirstSource { v6 }, v6, negated),
        "--ctorigdst" => addresses(value, Field::FirstDestination { v6 }, v6, negated),
        "--ctorigdstport" => ports(value, Field::FirstDestinationPort, negated),
        "--src-type" => list(words::address_type, Field::SourceType),
        "--dst-type" => list(words::address_type, Field::DestinationType),
        "--mark" if module == "connmark" => masked(value, Field::ConnectionMark, negated),
        "--mark" => masked(value, Field::Mark, negated),
        "--pkt-type" => list(words::packet_type, Field::PacketType),
        "--src-range" => address_range(value, Field::Source { v6 }, negated),
        "--dst-range" => address_range(value, Field::Destination { v6 }, negated),
        "--hl-eq" | "--ttl-eq" => list(words::number, Field::HopLimit { v6 }),
        "--icmpv6-type" => {
            let kind = value.split('/').next().unwrap_or(value);
            let test = words::icmpv6(kind).map(|kind| Test::is(Field::IcmpType { v6: true }, kind));
            test.map_or_else(|| unknown(value), |test| perhaps_not(test, &[Field::IcmpType { v6: true }], negated))
        }
        // Nothing of ours is ICMP for IPv4.
        "--icmp-type" => Test::Never,
        name => unknown(name),
    }
}

fn flags(mask: &str, set: &str, negated: bool) -> Test {
    let bits = |text: &str| text.split(',').map(words::flag).try_fold(0, |all, bit| Some(all | bit?));
    match (bits(mask), bits(set)) {
        (Some(mask), Some(set)) => {
            let test = Test::Within { field: Field::TcpFlags, mask, low: set, high: set };
            perhaps_not(test, &[Field::TcpFlags], negated)
        }
        _ => unknown("--tcp-flags"),
    }
}

fn states(value: &str, negated: bool) -> Test {
    let mut bits = 0;
    for word in value.split(',') {
        match words::state(word) {
            Some(bit) => bits |= bit,
            // Where a rule redirects us, that is told before this is asked.
            None if matches!(word, "DNAT" | "SNAT") => {}
            None => return unknown(value),
        }
    }
    perhaps_not(Test::some_bit(Field::State, bits), &[], negated)
}

fn address_range(value: &str, field: Field, negated: bool) -> Test {
    let (first, last) = value.split_once('-').unwrap_or((value, value));
    match (IpAddr::from_str(first), IpAddr::from_str(last)) {
        (Ok(first), Ok(last)) => {
            let test = Test::between(field, words::address(first).1, words::address(last).1);
            perhaps_not(test, &[field], negated)
        }
        _ => unknown(value),
    }
}

fn recent(choices: &[&Choice]) -> Test {
    let mut recent = Recent { list: "DEFAULT".into(), set: false, seconds: None, hits: None };
    for choice in choices {
        let value = choice.value();
        match choice.name.as_str() {
            _ if choice.negated => return unknown("-m recent"),
            "--set" => recent.set = true,
            "--rcheck" | "--update" | "--rsource" => {}
            "--name" => value.clone_into(&mut recent.list),
            "--seconds" => recent.seconds = value.parse().ok(),
            "--hitcount" => recent.hits = value.parse().ok(),
            "--mask" if matches!(value, "255.255.255.255" | "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") => {}
            _ => return unknown(&format!("-m recent {}", choice.name)),
        }
    }
    Test::Recent(recent)
}

fn hashlimit(choices: &[&Choice]) -> Test {
    let find = |name: &str| choices.iter().find(|choice| choice.name == name && !choice.negated);
    let by_source = find("--hashlimit-mode").is_some_and(|mode| mode.value().split(',').any(|part| part == "srcip"));
    let burst = find("--hashlimit-burst").map_or(Ok(5), |burst| burst.value().parse());
    let over = find("--hashlimit-above").is_some();
    let under = find("--hashlimit-upto").or(find("--hashlimit")).is_some();
    match burst {
        Ok(burst) if by_source && over != under && find("--hashlimit-srcmask").is_none() => Test::Rate { burst, over },
        _ => unknown("-m hashlimit"),
    }
}

fn action(choices: &[Choice]) -> Option<Action> {
    let (target, options) = choices.split_first()?;
    let name = target.values.first()?.as_str();
    if matches!(target.name.as_str(), "-g" | "--goto") {
        return Some(Action::Goto(name.to_owned()));
    }
    let has = |wanted: &str| options.iter().any(|choice| choice.name == wanted);
    Some(match name {
        "ACCEPT" => Action::Accept,
        "DROP" | "REJECT" => Action::Stop,
        "RETURN" => Action::Return,
        "LOG" | "NFLOG" | "ULOG" | "AUDIT" | "SECMARK" | "CONNSECMARK" | "CLASSIFY" | "DSCP" | "TOS" | "TTL" | "HL"
        | "TCPMSS" | "TRACE" | "RATEEST" | "CHECKSUM" | "IDLETIMER" | "LED" | "SET" | "TEE" => Action::Nothing,
        "MARK" => Action::Mark(mark(options)),
        "CONNMARK" if has("--restore-mark") => Action::Mark(None),
        "CONNMARK" => Action::ConnectionMark(mark(options)),
        "NOTRACK" => Action::Untrack,
        "CT" if has("--notrack") => Action::Untrack,
        "CT" if options.iter().any(|choice| choice.name.starts_with("--zone")) => Action::TrackOtherwise,
        "CT" => Action::Nothing,
        "DNAT" | "REDIRECT" | "NETMAP" | "TPROXY" => Action::Elsewhere,
        "SNAT" | "MASQUERADE" => Action::Accept,
        "QUEUE" | "NFQUEUE" | "SYNPROXY" | "TARPIT" | "HMARK" | "RAWNAT" | "CLUSTERIP" | "ECN" | "TCPOPTSTRIP" => {
            Action::Unknown(format!("what the target {name} does cannot be told from here"))
        }
        // The chain may be one that is not there: then its jump says so.
        chain => Action::Jump(chain.to_owned()),
    })
}

fn mark(options: &[Choice]) -> Option<u32> {
    let set = options.iter().find(|choice| matches!(choice.name.as_str(), "--set-mark" | "--set-xmark"))?;
    let (value, mask) = set.value().split_once('/').unwrap_or((set.value(), "0xffffffff"));
    let whole = words::number(mask) == Some(u32::MAX.into());
    words::number(value).filter(|_| whole).and_then(|value| value.try_into().ok())
}
