//! A check: an HTTP request gets the answer that it should, or none.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::resource::{
    Answer, Change, Context, Desired, Fault, FieldValue, Fields, HttpAnswer, HttpRequest, Kind, Look, LookAnswer,
    ProbeScript, Seen, Step, Url, Vantage,
};
use crate::secret::Rendered;
use crate::yaml::secret_text_schema;

/// A check: an HTTP request gets the answer that it should, or none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpProbe {
    /// What is asked for: `http://` or `https://`.
    url: String,
    /// From where: `controller` (the default), `self` (the host itself), or hosts of the inventory, each of which must
    /// get the same. Over TLS, and with secrets, only the controller can ask.
    #[serde(default = "controller")]
    from: String,
    /// The method. Default: GET.
    #[serde(default = "get")]
    method: String,
    /// Headers by name; their values may hold secrets.
    #[serde(default)]
    #[schemars(schema_with = "headers_schema")]
    headers: BTreeMap<String, Rendered>,
    /// What is sent; may hold secrets.
    #[serde(default)]
    #[schemars(schema_with = "secret_text_schema")]
    body: Option<Rendered>,
    /// The status that the answer must have, or a list of which one will do. Default: 200. Redirects are not followed.
    #[serde(default)]
    status: Option<Statuses>,
    /// Text that the answer's body must hold.
    #[serde(default)]
    body_contains: Option<String>,
    /// Text that a header of the answer must hold, by the header's name.
    #[serde(default)]
    header_contains: BTreeMap<String, String>,
    /// The proxy to go through: `http://name:3128`. For `https://` it is asked to CONNECT, and `status` is its answer.
    #[serde(default)]
    proxy: Option<String>,
    /// `false` wants that no connection can be made: refused, or no answer to it. Default: true.
    #[serde(default = "yes")]
    reachable: bool,
    /// How long the whole may take, in seconds. Default: 5.
    #[serde(default = "default_timeout")]
    timeout: u64,
    /// Whether the certificate must be good. Default: true.
    #[serde(default = "yes")]
    verify_tls: bool,
    /// What it is called in plans; the URL, and from where, unless said.
    #[serde(default)]
    name: Option<String>,
    /// From where, resolved.
    #[serde(skip)]
    vantages: Vec<Vantage>,
}

/// One status, or several.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a status such as 200, or a list of them")]
enum Statuses {
    One(u16),
    Any(Vec<u16>),
}

fn controller() -> String {
    "controller".into()
}

fn get() -> String {
    "GET".into()
}

fn yes() -> bool {
    true
}

fn default_timeout() -> u64 {
    5
}

fn headers_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "object", "additionalProperties": { "type": "string" } })
}

impl HttpProbe {
    fn statuses(&self) -> Vec<u16> {
        match &self.status {
            None => vec![200],
            Some(Statuses::One(status)) => vec![*status],
            Some(Statuses::Any(list)) => list.clone(),
        }
    }

    fn status_text(&self) -> String {
        self.statuses().iter().map(u16::to_string).collect::<Vec<_>>().join(" or ")
    }

    fn look_key(&self, at: usize) -> String {
        format!("{}:{} {at}", Self::NAME, self.key())
    }

    // The fields that one place must see.
    fn wanted(&self) -> Vec<(String, FieldValue)> {
        if !self.reachable {
            return vec![("reachable".into(), FieldValue::text("no"))];
        }
        let body = self.body_contains.iter().map(|text| ("body_contains".to_owned(), FieldValue::text(text)));
        let headers =
            self.header_contains.iter().map(|(name, text)| (format!("header_contains.{name}"), FieldValue::text(text)));
        [("status".to_owned(), FieldValue::text(self.status_text()))].into_iter().chain(body).chain(headers).collect()
    }

    // What an answer says about each of them; the wanted text stands for "as wanted".
    fn seen(&self, look: LookAnswer) -> Result<Vec<(String, FieldValue)>, String> {
        let only = |field: &str, text: String| Ok(vec![(field.to_owned(), FieldValue::text(text))]);
        let answer = match look {
            LookAnswer::Unknown(why) => return Err(why),
            LookAnswer::Ports(_) => return Err("the look was answered for something else".into()),
            LookAnswer::NoConnection(_) if !self.reachable => return only("reachable", "no".into()),
            LookAnswer::NoConnection(why) => return only("status", format!("no connection ({why})")),
            LookAnswer::Http(raw) => HttpAnswer::read(&raw),
            LookAnswer::NoAnswer(why) => Err(why),
        };
        if !self.reachable {
            let what = answer.map_or_else(|why| why, |answer| format!("status {}", answer.status));
            return only("reachable", format!("yes ({what})"));
        }
        let answer = match answer {
            Ok(answer) => answer,
            Err(why) => return only("status", format!("no answer ({why})")),
        };
        let status = match self.statuses().contains(&answer.status) {
            true => self.status_text(),
            false => answer.status.to_string(),
        };
        let mut fields = vec![("status".to_owned(), FieldValue::text(status))];
        if let Some(text) = &self.body_contains {
            let there = String::from_utf8_lossy(&answer.body).contains(text.as_str());
            let part = if answer.whole { "" } else { ", as far as it came" };
            let told = if there { text.clone() } else { format!("not in the {} bytes{part}", answer.body.len()) };
            fields.push(("body_contains".into(), FieldValue::text(told)));
        }
        for (name, text) in &self.header_contains {
            let told = match answer.header(name) {
                Some(value) if value.contains(text.as_str()) => text.clone(),
                Some(value) => value.to_owned(),
                None => "no such header".to_owned(),
            };
            fields.push((format!("header_contains.{name}"), FieldValue::text(told)));
        }
        Ok(fields)
    }

    fn named(&self, vantage: &Vantage, fields: Vec<(String, FieldValue)>) -> Fields {
        fields.into_iter().map(|(name, value)| (vantage.field(&name, self.vantages.len()), value)).collect()
    }
}

impl Kind for HttpProbe {
    const NAME: &'static str = "http_probe";
    const SUMMARY: &'static str = "A check: an HTTP request gets the answer that it should, or none.";
    const EXAMPLE: &'static str =
        r#"http_probe: { url: "https://example.org/", from: self, proxy: "http://192.0.2.3:3128", status: 403 }"#;
    const CHECK: bool = true;

    fn key(&self) -> String {
        self.name.clone().unwrap_or_else(|| {
            let method = if self.method == "GET" { String::new() } else { format!("{} ", self.method) };
            let proxy = self.proxy.as_ref().map(|proxy| format!(" through {proxy}")).unwrap_or_default();
            format!("{method}{} from {}{proxy}", self.url, self.from)
        })
    }

    fn settle(&mut self, context: &Context<'_>) -> Result<(), Fault> {
        let url = Url::read(&self.url).map_err(|why| Fault::new("url", why))?;
        self.vantages = Vantage::named(&self.from, context)?;
        let proxy = match self.proxy.as_deref().map(Url::read).transpose() {
            Ok(Some(proxy)) if proxy.https || proxy.target != "/" => {
                return Err(Fault::new("proxy", "a proxy is written as http://NAME:PORT"));
            }
            Ok(proxy) => proxy,
            Err(why) => return Err(Fault::new("proxy", why)),
        };
        let from_here = self.vantages.contains(&Vantage::Controller);
        if from_here && proxy.as_ref().unwrap_or(&url).is_loopback() {
            let why = "from the controller, a loopback address is the controller itself";
            return Err(Fault::new("from", why).fix("write `from: self`"));
        }
        if !from_here && url.https && proxy.is_none() {
            return Err(Fault::new("from", "only the controller can ask over TLS").fix("write `from: controller`"));
        }
        if !self.method.bytes().all(|byte| byte.is_ascii_uppercase()) || self.method.is_empty() {
            return Err(Fault::new("method", "a method is written in capitals, such as GET"));
        }
        for (name, value) in &self.headers {
            let fine = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            let own = ["connection", "content-length", "transfer-encoding"];
            if name.is_empty() || !name.chars().all(fine) || own.contains(&name.to_ascii_lowercase().as_str()) {
                return Err(Fault::new("headers", format!("`{}` cannot be sent as a header", name.escape_debug())));
            }
            if value.has_control() {
                return Err(Fault::new("headers", format!("the value of {name} holds a control character")));
            }
        }
        let secret = self.headers.values().chain(&self.body).any(Rendered::is_secret);
        if secret && !from_here {
            let why = "a request with a secret is not put into the probe of a host";
            return Err(Fault::new("from", why).fix("write `from: controller`"));
        }
        let answered = self.status.is_some() || self.body_contains.is_some() || !self.header_contains.is_empty();
        if !self.reachable && (answered || proxy.is_some()) {
            return Err(Fault::new("reachable", "what is not reachable gives no answer to be judged"));
        }
        if self.statuses().is_empty() || self.statuses().iter().any(|status| !(100..=599).contains(status)) {
            return Err(Fault::new("status", "a status is a number from 100 to 599"));
        }
        match self.timeout {
            1..=120 => Ok(()),
            _ => Err(Fault::new("timeout", "it must be between 1 and 120 seconds")),
        }
    }

    fn desired(&self) -> Desired {
        Desired::Present(self.vantages.iter().flat_map(|vantage| self.named(vantage, self.wanted())).collect())
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            // Both were read by `settle`; what could not be read was refused there.
            let Ok(url) = Url::read(&wanted.url) else { continue };
            let proxy = wanted.proxy.as_deref().and_then(|proxy| Url::read(proxy).ok());
            let request = HttpRequest {
                method: &wanted.method,
                url: &url,
                headers: &wanted.headers,
                body: wanted.body.as_ref(),
                proxy: proxy.as_ref(),
                verify_tls: wanted.verify_tls,
                timeout_ms: wanted.timeout * 1000,
            };
            for (at, vantage) in wanted.vantages.iter().enumerate() {
                script.look(wanted.look_key(at), Look { from: vantage.clone(), ask: request.ask() });
            }
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        batch
            .iter()
            .map(|wanted| {
                let mut all = Fields::new();
                for (at, vantage) in wanted.vantages.iter().enumerate() {
                    match wanted.seen(answer.look(&wanted.look_key(at))) {
                        Ok(fields) => all.extend(wanted.named(vantage, fields)),
                        Err(why) => return Seen::Unknown(why),
                    }
                }
                Seen::Present(all)
            })
            .collect()
    }

    fn steps(_batch: &[Change<'_, Self>]) -> Vec<Step> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kinds::tests::load;
    use crate::resource::Ask;

    const URL: &str = "url: \"http://192.0.2.9/\"";

    // The names of the fields that differ, or "unknown".
    fn differing(item: &str, look: LookAnswer) -> String {
        let wanted = load::<HttpProbe>(item).unwrap();
        let mut answer = Answer::default();
        answer.set_looks([(wanted.look_key(0), look)]);
        let Seen::Present(seen) = HttpProbe::parse(&[&wanted], &answer).remove(0) else { return "unknown".into() };
        let Desired::Present(fields) = wanted.desired() else { panic!() };
        let differs =
            |(name, value): &(String, FieldValue)| !seen.get(name).is_some_and(|seen| value.agrees_with(seen));
        fields.into_iter().filter(differs).map(|(name, _)| name).collect::<Vec<_>>().join(" ")
    }

    fn raw(text: &str) -> LookAnswer {
        LookAnswer::Http(text.as_bytes().to_vec())
    }

    #[test]
    fn answers_are_judged_field_by_field() {
        let item = format!("{{ {URL}, status: [200, 204], body_contains: ok, header_contains: {{ Server: ollama }} }}");
        assert_eq!(differing(&item, raw("HTTP/1.1 204 No\r\nserver: ollama/1\r\n\r\nall ok")), "");
        assert_eq!(differing(&item, raw("HTTP/1.1 500 No\r\n\r\n")), "body_contains header_contains.Server status");
        let all = "body_contains header_contains.Server status";
        for none in
            [raw(""), raw("SSH-2.0-x\r\n"), LookAnswer::NoConnection("x".into()), LookAnswer::NoAnswer("x".into())]
        {
            assert_eq!(differing(&item, none), all);
        }
        assert_eq!(differing(&item, LookAnswer::Unknown("x".into())), "unknown");
    }

    #[test]
    fn only_a_missing_connection_is_unreachable() {
        let item = format!("{{ {URL}, reachable: false }}");
        assert_eq!(differing(&item, LookAnswer::NoConnection("refused".into())), "");
        for there in [raw(""), raw("HTTP/1.1 403 No\r\n\r\n"), LookAnswer::NoAnswer("TLS failed".into())] {
            assert_eq!(differing(&item, there), "reachable");
        }
        assert_eq!(differing(&item, LookAnswer::Unknown("no such name".into())), "unknown");
    }

    #[test]
    fn what_would_prove_nothing_is_refused() {
        for bad in [
            "{ url: \"http://127.0.0.1:11434/\" }",
            "{ url: \"https://x/\", from: self }",
            "{ url: \"http://x/\", from: nobody }",
            "{ url: \"http://x/\", from: self, headers: { A: !secret b } }",
            "{ url: \"http://x/\", reachable: false, status: 200 }",
            "{ url: \"http://x/\", method: get }",
            "{ url: \"http://x/\", status: [] }",
            "{ url: \"http://x/\", proxy: \"https://p\" }",
            "{ url: \"http://x/\", headers: { Content-Length: 3 } }",
        ] {
            assert!(load::<HttpProbe>(bad).is_err(), "{bad}");
        }
        assert!(load::<HttpProbe>("{ url: \"http://127.0.0.1:11434/\", from: self }").is_ok());
        assert!(load::<HttpProbe>("{ url: \"https://x/\", headers: { Authorization: !secret b } }").is_ok());
    }

    proptest! {
        #[test]
        fn a_hostile_header_cannot_add_a_line(text in "[^\0]{1,30}") {
            let quoted = serde_json::to_string(&text).unwrap();
            if let Ok(wanted) = load::<HttpProbe>(&format!("{{ {URL}, headers: {{ X-A: {quoted} }} }}")) {
                let mut script = ProbeScript::default();
                HttpProbe::probe(&[&wanted], &mut script);
                let (_, look) = script.looks().next().unwrap();
                let Ask::Http { request, .. } = &look.ask else { panic!() };
                prop_assert_eq!(request.as_plain().unwrap().split("\r\n").count(), 8);
            }
        }
    }
}
