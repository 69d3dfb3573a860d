//! What docker says of a container, in the same form as what playbooks write.

use std::collections::BTreeMap;

use serde_json::Value;
use zeroize::Zeroizing;

use super::super::docker::{at, pairs, text, texts};
use super::DockerContainer;
use super::spec::{capability, cpus_text, published, security_option, size_text, sorted};
use crate::resource::{Answer, FieldValue, Fields, ProbeError, ReadText, clock_us, timestamp_us};

fn number(value: &Value, path: &str) -> u64 {
    at(value, path).as_u64().unwrap_or(0)
}

/// A container as fields. `image` is what its image's name stands for today.
pub fn fields(
    wanted: &DockerContainer,
    it: &Value,
    image: Option<&Value>,
    answer: &Answer,
) -> Result<Fields, ProbeError> {
    let garbled = || ProbeError("docker's answer was not understood".into());
    let whole = ["/Id", "/Image", "/State/Status", "/HostConfig/NetworkMode", "/Config/Image"];
    if whole.iter().any(|path| at(it, path).as_str().is_none_or(str::is_empty)) || !at(it, "/Mounts").is_array() {
        return Err(garbled());
    }
    let nothing = Value::Null;
    let own = image.unwrap_or(&nothing);
    let mut fields = Fields::new();
    let mut put = |name: &str, value: FieldValue| fields.insert(name.to_owned(), value);
    put("id", FieldValue::Text(text(it, "/Id")));
    let name = text(it, "/Config/Image");
    put(
        "image",
        FieldValue::Text(match image.map(|image| text(image, "/Id") == text(it, "/Image")) {
            _ if name != wanted.image => name,
            Some(true) => name,
            Some(false) => format!("{name}, as it was when the container was made"),
            None => format!("{name}, which is no longer there"),
        }),
    );
    // What the image itself says is no difference.
    let differs = |path: &str| image.is_none() || at(it, path) != at(own, path);
    put(
        "command",
        FieldValue::list(if differs("/Config/Cmd") || !wanted.command.is_empty() {
            texts(it, "/Config/Cmd")
        } else {
            Vec::new()
        }),
    );
    put(
        "user",
        FieldValue::Text(if differs("/Config/User") || wanted.user.is_some() {
            text(it, "/Config/User")
        } else {
            String::new()
        }),
    );
    let (hostname, id) = (text(it, "/Config/Hostname"), text(it, "/Id"));
    put("hostname", FieldValue::Text(if id.starts_with(&hostname) { String::new() } else { hostname }));
    let health = match texts(it, "/Config/Healthcheck/Test") {
        _ if !differs("/Config/Healthcheck") && wanted.healthcheck.is_none() => String::new(),
        test => test.strip_prefix(&["CMD-SHELL".to_owned()]).unwrap_or(&test).join(" "),
    };
    put("healthcheck", FieldValue::Text(health));
    put("health_interval", FieldValue::Int(number(it, "/Config/Healthcheck/Interval").cast_signed() / 1_000_000_000));
    let status = text(it, "/State/Health/Status");
    put("healthy", FieldValue::Bool(status == "healthy"));
    put("memory", FieldValue::Text(size_text(number(it, "/HostConfig/Memory"))));
    put("cpus", FieldValue::Text(cpus_text(number(it, "/HostConfig/NanoCpus"))));
    let pids = at(it, "/HostConfig/PidsLimit").as_i64().filter(|limit| *limit > 0);
    put("pids_limit", FieldValue::Text(pids.map_or("unlimited".into(), |limit| limit.to_string())));
    let mut networks: Vec<String> =
        at(it, "/NetworkSettings/Networks").as_object().map(|all| all.keys().cloned().collect()).unwrap_or_default();
    networks.sort();
    if networks.is_empty() {
        networks.push(text(it, "/HostConfig/NetworkMode"));
    }
    put("network", FieldValue::Text(networks.join(" and ")));
    put("read_only", FieldValue::Bool(at(it, "/HostConfig/ReadonlyRootfs") == true));
    put("init", FieldValue::Bool(at(it, "/HostConfig/Init") == true));
    let tmpfs = pairs(it, "/HostConfig/Tmpfs");
    put(
        "tmpfs",
        FieldValue::list(tmpfs.iter().map(|(path, options)| match options.as_str() {
            "" => path.clone(),
            options => format!("{path}:{options}"),
        })),
    );
    let capabilities = |path: &str| sorted(texts(it, path).iter().map(|name| capability(name)).collect());
    put("cap_add", FieldValue::List(capabilities("/HostConfig/CapAdd")));
    put("cap_drop", FieldValue::List(capabilities("/HostConfig/CapDrop")));
    let options = texts(it, "/HostConfig/SecurityOpt").iter().map(|option| security_option(option)).collect();
    put("security_opt", FieldValue::List(sorted(options)));
    put("volumes", FieldValue::List(volumes(it, own)));
    let restart =
        match (text(it, "/HostConfig/RestartPolicy/Name"), number(it, "/HostConfig/RestartPolicy/MaximumRetryCount")) {
            (name, 0) if name.is_empty() => "no".into(),
            (name, 0) => name,
            (name, most) => format!("{name}:{most}"),
        };
    put("restart", FieldValue::Text(restart));
    put("ports", FieldValue::List(ports(it).ok_or_else(garbled)?));
    put("log_driver", FieldValue::Text(text(it, "/HostConfig/LogConfig/Type")));
    put(
        "log_options",
        FieldValue::list(pairs(it, "/HostConfig/LogConfig/Config").iter().map(|(k, v)| format!("{k}={v}"))),
    );
    let limits = at(it, "/HostConfig/Ulimits").as_array().map(Vec::as_slice).unwrap_or_default();
    let limit = |limit: &Value| format!("{}={}:{}", text(limit, "/Name"), at(limit, "/Soft"), at(limit, "/Hard"));
    put("ulimits", FieldValue::List(sorted(limits.iter().map(limit).collect())));
    let inherited = pairs(own, "/Config/Labels");
    let mut labels = pairs(it, "/Config/Labels");
    labels.retain(|name, value| wanted.labels.contains_key(name) || inherited.get(name) != Some(value));
    put("labels", FieldValue::list(labels.iter().map(|(name, value)| format!("{name}={value}"))));
    let (names, values) = environment(wanted, it, own);
    put("env", FieldValue::List(names));
    for (name, value) in values {
        put(&format!("env.{name}"), FieldValue::Read(ReadText::OfSecret(Zeroizing::new(value.into_bytes()))));
    }
    put("other", FieldValue::List(others(it)));
    put("state", FieldValue::Text(state(it, answer)?));
    Ok(fields)
}

// The names that are not the image's own, and the values of those.
fn environment(wanted: &DockerContainer, it: &Value, own: &Value) -> (Vec<String>, BTreeMap<String, String>) {
    let inherited = texts(own, "/Config/Env");
    let mut values = BTreeMap::new();
    for entry in texts(it, "/Config/Env") {
        let (name, value) = entry.split_once('=').unwrap_or((&entry, ""));
        if wanted.env.contains_key(name) || !inherited.contains(&entry) {
            values.insert(name.to_owned(), value.to_owned());
        }
    }
    (values.keys().cloned().collect(), values)
}

fn volumes(it: &Value, own: &Value) -> Vec<String> {
    let mounts = at(it, "/Mounts").as_array().map(Vec::as_slice).unwrap_or_default();
    let declared = at(own, "/Config/Volumes");
    let all = mounts.iter().filter_map(|mount| {
        let (kind, name, target) = (text(mount, "/Type"), text(mount, "/Name"), text(mount, "/Destination"));
        // Volumes without a name that the image asks for.
        let anonymous = kind == "volume" && name.len() == 64 && declared.get(&target).is_some();
        let source = match kind.as_str() {
            "bind" => text(mount, "/Source"),
            "volume" => name,
            other => other.to_owned(),
        };
        let mode = if at(mount, "/RW") == false { ":ro" } else { "" };
        let shared = match text(mount, "/Propagation").as_str() {
            "" | "rprivate" => String::new(),
            other => format!(":{other}"),
        };
        (!anonymous).then(|| format!("{source}:{target}{mode}{shared}"))
    });
    sorted(all.collect())
}

fn ports(it: &Value) -> Option<Vec<String>> {
    let mut all = Vec::new();
    for (inner, bindings) in at(it, "/HostConfig/PortBindings").as_object().into_iter().flatten() {
        let (inner, protocol) = inner.split_once('/').unwrap_or((inner, "tcp"));
        for binding in bindings.as_array().map(Vec::as_slice).unwrap_or_default() {
            let address = match text(binding, "/HostIp").as_str() {
                "" => std::net::Ipv4Addr::UNSPECIFIED.into(),
                address => address.parse().ok()?,
            };
            // No port, or 0, is a port that docker picks anew at each start.
            let outer = text(binding, "/HostPort").parse().unwrap_or(0);
            all.push(published(&address, outer, inner.parse().ok()?, protocol));
        }
    }
    Some(sorted(all))
}

// Ways out of the container that no field speaks of; nobody who declares a container means them.
fn others(it: &Value) -> Vec<String> {
    let host = |path: &str| at(it, &format!("/HostConfig/{path}"));
    let mut all = Vec::new();
    for (flag, name) in [("Privileged", "privileged"), ("PublishAllPorts", "publish-all"), ("AutoRemove", "rm")] {
        if host(flag) == true {
            all.push(name.to_owned());
        }
    }
    for mode in ["PidMode", "UTSMode", "UsernsMode", "CgroupParent", "VolumeDriver"] {
        if let Some(value) = host(mode).as_str().filter(|value| !value.is_empty()) {
            all.push(format!("{mode}={value}"));
        }
    }
    match host("IpcMode").as_str() {
        None | Some("" | "private" | "shareable") => {}
        Some(other) => all.push(format!("IpcMode={other}")),
    }
    for list in ["Devices", "DeviceRequests", "DeviceCgroupRules", "VolumesFrom", "GroupAdd", "ExtraHosts", "Links"] {
        if host(list).as_array().is_some_and(|list| !list.is_empty()) {
            all.push(format!("{list}={}", host(list)));
        }
    }
    match host("Runtime").as_str() {
        None | Some("" | "runc" | "io.containerd.runc.v2") => {}
        Some(other) => all.push(format!("Runtime={other}")),
    }
    all
}

// `running` is said of what stays up, and not of what dies and is started again in turn.
fn state(it: &Value, answer: &Answer) -> Result<String, ProbeError> {
    let status = text(it, "/State/Status");
    let restarts = number(it, "/RestartCount");
    if status != "running" || restarts == 0 {
        return Ok(match status.as_str() {
            "exited" | "created" => "stopped".into(),
            _ => status,
        });
    }
    let started = text(it, "/State/StartedAt");
    let since = started.trim_end_matches('Z').split_once('T').and_then(|(date, time)| timestamp_us(date, time));
    let since = since.ok_or_else(|| ProbeError("docker's time was not understood".into()))?;
    let young = clock_us(answer)?.saturating_sub(since) < (10 * restarts).min(60) * 1_000_000;
    Ok(if young { format!("restarting ({restarts} times)") } else { status })
}
