//! Owns how a rule of nft's JSON is written for a person.

use serde_json::Value;

/// The rule, nearly as nft itself prints it; counters are left out.
pub(super) fn rule(expressions: &[Value]) -> String {
    let parts: Vec<String> = expressions.iter().map(statement).filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

fn statement(expression: &Value) -> String {
    let (name, of) = match expression {
        Value::String(name) => (name.as_str(), &Value::Null),
        other => first(other),
    };
    let target = || of.get("target").map(plain).unwrap_or_default();
    match name {
        "match" => {
            let (left, right) = (value(of.get("left")), value(of.get("right")));
            match of.get("op").and_then(Value::as_str) {
                Some("==" | "in" | "") | None => format!("{left} {right}"),
                Some(op) => format!("{left} {op} {right}"),
            }
        }
        "counter" | "comment" | "last" => String::new(),
        "jump" | "goto" => format!("{name} {}", target()),
        "vmap" => format!("{} vmap {}", value(of.get("key")), value(of.get("data"))),
        "limit" => format!(
            "limit rate {}{}/{}",
            if of.get("inv") == Some(&Value::Bool(true)) { "over " } else { "" },
            value(of.get("rate")),
            value(of.get("per"))
        ),
        "log" => "log".into(),
        "mangle" => format!("{} set {}", value(of.get("key")), value(of.get("value"))),
        "set" => format!(
            "{} {} {{ {} }}",
            of.get("op").map(plain).unwrap_or_default(),
            of.get("set").map(plain).unwrap_or_default(),
            value(of.get("elem"))
        ),
        "reject" => match of.get("type") {
            Some(kind) if kind == "tcp reset" => "reject with tcp reset".into(),
            _ => "reject".into(),
        },
        "redirect" => match of.get("port") {
            Some(port) => format!("redirect to :{}", value(Some(port))),
            None => "redirect".into(),
        },
        "dnat" | "snat" => {
            let port = of.get("port").map(|port| format!(":{}", value(Some(port)))).unwrap_or_default();
            format!("{name} to {}{port}", of.get("addr").map(|addr| value(Some(addr))).unwrap_or_default())
        }
        "xt" => format!("(iptables' {} {})", value(of.get("type")), value(of.get("name"))),
        _ if of.is_null() => name.to_owned(),
        _ => format!("{name} {}", value(Some(of))),
    }
}

fn first(value: &Value) -> (&str, &Value) {
    let entry = value.as_object().and_then(|object| object.iter().next());
    entry.map_or(("", value), |(key, value)| (key.as_str(), value))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn list(values: &Value, between: &str) -> String {
    match values {
        Value::Array(values) => values.iter().map(|inner| value(Some(inner))).collect::<Vec<_>>().join(between),
        one => value(Some(one)),
    }
}

fn value(of: Option<&Value>) -> String {
    let Some(of) = of else { return String::new() };
    match of {
        Value::Array(parts) => match parts.as_slice() {
            // An entry of a verdict map.
            [key, verdict] if verdict.is_object() => format!("{} : {}", value(Some(key)), statement(verdict)),
            _ => list(of, ","),
        },
        Value::Object(_) => {
            let (name, inner) = first(of);
            let get = |key: &str| inner.get(key).map(plain).unwrap_or_default();
            match name {
                "payload" => format!("{} {}", get("protocol"), get("field")),
                "meta" => match get("key").as_str() {
                    key @ ("iif" | "iifname" | "oif" | "oifname") => key.to_owned(),
                    key => format!("meta {key}"),
                },
                "ct" => format!("ct {} {}", get("dir"), get("key")).replace("  ", " "),
                "fib" => {
                    format!("fib {} {}", inner.get("flags").map(|f| list(f, " . ")).unwrap_or_default(), get("result"))
                }
                "prefix" => format!("{}/{}", get("addr"), get("len")),
                "range" => list(inner, "-"),
                "set" => format!("{{ {} }}", list(inner, ", ")),
                "concat" => list(inner, " . "),
                "elem" => value(inner.get("val")),
                "|" | "&" | "^" | "<<" | ">>" => list(inner, &format!(" {name} ")),
                _ => format!("{name} {}", value(Some(inner))).trim_end().to_owned(),
            }
        }
        Value::Null => String::new(),
        other => plain(other),
    }
}
