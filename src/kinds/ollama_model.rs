//! A model in Ollama's store, pinned by its manifest.

mod manifest;

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use self::manifest::{Layer, Pinned, layers};
use super::download::{FETCH, Verify};
use super::file::State;
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Expect, Fault, FieldValue, Fields, Kind, ManagedFile, ProbeError, ProbeScript,
    Provision, Seen, Step, Touch, Undo, Url, absolute_path, ask_sum, mode_text, plain_name, sum,
};
use crate::secret::Rendered;
use crate::sh;

/// A model in Ollama's store. Its manifest is a file beside the playbook, to the byte as the registry gives it; it names
/// every layer by its SHA-256, and so pins all of them. The host fetches layers as `download` fetches files, and the
/// manifest comes last: Ollama sees a model that is whole, or none. Each layer's sum is looked at, not its name alone.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OllamaModel {
    /// Its name as Ollama has it: `qwen2.5:0.5b`, `NAMESPACE/MODEL:TAG` or `HOST/NAMESPACE/MODEL:TAG`.
    name: String,
    /// The store (`OLLAMA_MODELS`): an absolute path. It and what is in it must belong to root; Ollama only reads it.
    models_dir: String,
    /// The manifest: a local file, relative to the playbook.
    #[serde(default)]
    #[schemars(extend("x-read" = "bytes"))]
    source: Option<String>,
    // What the playbook loader reads from `source`.
    #[serde(default)]
    #[schemars(skip)]
    source_base64: Option<String>,
    /// Where layers are fetched from, by `/v2/NAMESPACE/MODEL/blobs/sha256:...`. Default: `https://` and the name's host.
    #[serde(default)]
    registry: Option<String>,
    /// The proxy to ask, `http://HOST:PORT`, or `DIRECT` for none. Default: what apt is told to use on the host.
    #[serde(default)]
    proxy: Option<String>,
    /// Permissions of its files in octal, between quotes. Folders that are made for them can be entered by whoever may
    /// read.
    #[serde(default = "default_mode")]
    mode: String,
    /// Owner's name, of all its files.
    #[serde(default = "root")]
    owner: String,
    /// Group's name, likewise; the owner's name unless said.
    #[serde(default)]
    group: Option<String>,
    /// How long fetching one layer may take, in seconds. Default: 14400.
    #[serde(default = "default_timeout")]
    timeout: u64,
    /// When a layer of 64 MiB or more, which rempart has read whole before, is read again. Smaller ones always are.
    #[serde(default)]
    verify: Verify,
    /// Whether it should be there. `absent` takes the manifest away; Ollama drops layers that no manifest names when it
    /// starts.
    #[serde(default)]
    state: State,
    // What the manifest says, once settled.
    #[serde(skip)]
    pinned: Pinned,
}

fn default_mode() -> String {
    "0644".into()
}

fn root() -> String {
    "root".into()
}

fn default_timeout() -> u64 {
    14400
}

const HOST: &str = "registry.ollama.ai";

impl OllamaModel {
    // Host, namespace, model and tag; only a host has a colon, before its port.
    fn parts(&self) -> Option<[&str; 4]> {
        let (path, tag) =
            self.name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).unwrap_or((&self.name, "latest"));
        let parts = match path.split('/').collect::<Vec<_>>()[..] {
            [model] => [HOST, "library", model, tag],
            [namespace, model] => [HOST, namespace, model, tag],
            [host, namespace, model] => [host, namespace, model, tag],
            _ => return None,
        };
        let fine = |part: &&str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-:".contains(c);
            !part.is_empty() && part.len() <= 80 && !part.starts_with(['.', '-', ':']) && part.chars().all(plain)
        };
        (parts.iter().all(fine) && parts.iter().skip(1).all(|part| !part.contains(':'))).then_some(parts)
    }

    fn manifest_path(&self) -> String {
        format!("{}/manifests/{}", self.models_dir, self.parts().unwrap_or_default().join("/"))
    }

    fn blob(&self, layer: &Layer) -> String {
        format!("{}/blobs/sha256-{}", self.models_dir, layer.sha256)
    }

    fn url(&self, layer: &Layer) -> String {
        let [host, namespace, model, _] = self.parts().unwrap_or_default();
        let base = self.registry.clone().unwrap_or_else(|| format!("https://{host}"));
        format!("{}/v2/{namespace}/{model}/blobs/sha256:{}", base.trim_end_matches('/'), layer.sha256)
    }

    fn group(&self) -> &str {
        self.group.as_deref().unwrap_or(&self.owner)
    }

    fn file(&self, path: String, content: Option<Rendered>) -> ManagedFile {
        let (mode, owner, group) = (self.mode.clone(), self.owner.clone(), self.group().to_owned());
        ManagedFile { path, content, mode, owner, group }
    }

    // Folders from the store on down to those of its files, which are made where they are missing.
    fn folders(&self) -> Vec<String> {
        let mut all = vec![self.models_dir.clone(), format!("{}/blobs", self.models_dir)];
        let manifest = self.manifest_path();
        let inside = manifest.get(self.models_dir.len() + 1..).unwrap_or_default();
        let ends = inside.match_indices('/').map(|(at, _)| format!("{}/{}", self.models_dir, &inside[..at]));
        all.extend(ends);
        all
    }

    // Whoever may read a file may enter its folder.
    fn folder_mode(&self) -> String {
        let digits = self.mode.chars().rev().take(3).map(|digit| match digit {
            '4'..='7' => char::from(digit as u8 | 1),
            other => other,
        });
        let back: String = digits.collect();
        format!("0{}", back.chars().rev().collect::<String>())
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let manifest = self.manifest_path();
        if self.state == State::Absent {
            return Ok(self.file(manifest, None).read(answer)?.map_or(Seen::Absent, Seen::Present));
        }
        let mut fields = Fields::new();
        let mut about: [BTreeSet<String>; 3] = Default::default();
        let paths = self.pinned.layers.iter().map(|layer| (format!("layers.{}", layer.sha256), self.blob(layer)));
        let mut some = false;
        for (field, path) in [("manifest".to_owned(), manifest)].into_iter().chain(paths) {
            let Some(stat) = answer.stat(&path)? else {
                fields.insert(field, FieldValue::text("missing"));
                continue;
            };
            if !stat.is_file() {
                return Err(ProbeError(format!("{path} is a {}, not a regular file", stat.file_type)));
            }
            some = true;
            fields.insert(format!("signature.{path}"), FieldValue::text(stat.signature()));
            fields.insert(field, FieldValue::text(sum(answer, &path)?.sha256));
            for (all, value) in about.iter_mut().zip([&stat.mode, &stat.owner, &stat.group]) {
                all.insert(value.clone());
            }
        }
        if !some {
            return Ok(Seen::Absent);
        }
        for (name, all) in ["mode", "owner", "group"].into_iter().zip(about) {
            fields.insert(name.into(), FieldValue::text(all.into_iter().collect::<Vec<_>>().join(", ")));
        }
        Ok(Seen::Present(fields))
    }

    fn expect(&self, file: &ManagedFile, seen: &Seen) -> Expect {
        let signature = match seen {
            Seen::Present(fields) => fields.get(&format!("signature.{}", file.path)),
            _ => None,
        };
        let was = signature.map(|value| Fields::from([("signature".to_owned(), value.clone())]));
        file.expect(&was.map_or(Seen::Absent, Seen::Present))
    }

    fn make_folders(&self) -> Sh {
        let owner = format!("{}:{}", self.owner, self.group());
        let (all, mode) = (self.folders(), self.folder_mode());
        sh!(
            "for rp_folder in {}; do\n[ -d \"$rp_folder\" ] || rp_directory \"$rp_folder\" {} {}\ndone",
            all,
            mode,
            owner
        )
    }

    fn fetch(&self, layer: &Layer, seen: &Seen) -> Step {
        let path = self.blob(layer);
        let file = self.file(path.clone(), None);
        let proxy = self.proxy.as_deref().unwrap_or_default();
        let script = Sh::lines([
            Sh::program_of_the_user(FETCH),
            self.make_folders(),
            sh!("rp_begin {}", path),
            sh!("rp_fetch {} {} {}", self.url(layer), layer.sha256, proxy),
            sh!("rp_finish {} {} {} {} {}", path, layer.sha256, self.mode, self.owner, self.group()),
        ]);
        let short = layer.sha256.get(..12).unwrap_or_default();
        Step::new(format!("fetch the layer {short} of {} ({} bytes)", self.name, layer.size), script)
            .expecting(self.expect(&file, seen))
            .undone_by(self.undo(path))
            .within(self.timeout)
            .synced()
    }

    // The file, then the folders that were made for it, the deepest first.
    fn undo(&self, path: String) -> Undo {
        let folders = self.folders().into_iter().rev().map(Touch::Path);
        Undo::of([Touch::Path(path)].into_iter().chain(folders))
    }

    fn put_manifest(&self, seen: &Seen) -> Step {
        let file = self.file(self.manifest_path(), Some(Rendered::plain(self.pinned.text.clone())));
        let mut script = self.make_folders();
        for layer in &self.pinned.layers {
            let path = self.blob(layer);
            let what = format!("the layer {path} is not there as a whole, so the model is not declared");
            script.line(sh!("[ \"$(stat -c %s -- {} 2>/dev/null)\" = {} ] || rp_fail {}", path, layer.size, what));
        }
        script.line(sh!("rp_put \"$P/0\" {} {} {} {}", file.path, self.mode, self.owner, self.group()));
        Step::new(format!("declare the model {}", self.name), script)
            .expecting(self.expect(&file, seen))
            .undone_by(self.undo(file.path.clone()))
            .with_payload(file.content.unwrap_or_default())
            .synced()
    }

    fn own(&self, seen: &Seen) -> Step {
        let paths: Vec<String> =
            [self.manifest_path()].into_iter().chain(self.pinned.layers.iter().map(|layer| self.blob(layer))).collect();
        let owner = format!("{}:{}", self.owner, self.group());
        let mut script = sh!(
            "for rp_file in {}; do\nrp_parent \"${rp_file%/*}\" root\nchown -- {} \"$rp_file\"\n\
             chmod -- {} \"$rp_file\"\ndone",
            paths,
            owner,
            self.mode
        );
        for layer in &self.pinned.layers {
            script.line(sh!("rp_verified {} {}", self.blob(layer), layer.sha256));
        }
        let mut step =
            Step::new(format!("set owner and mode of the files of {}", self.name), script).within(self.timeout);
        for path in &paths {
            step = step.expecting(self.expect(&self.file(path.clone(), None), seen));
        }
        step.undone_by(Undo::of(paths.into_iter().map(Touch::Path)))
    }

    fn put(&self, seen: &Seen, fields: &[String]) -> Vec<Step> {
        let is_new = !matches!(seen, Seen::Present(_));
        let differs = |name: &str| is_new || fields.iter().any(|field| field == name);
        let lacking: Vec<&Layer> =
            self.pinned.layers.iter().filter(|layer| differs(&format!("layers.{}", layer.sha256))).collect();
        let mut steps: Vec<Step> = lacking.iter().map(|layer| self.fetch(layer, seen)).collect();
        if differs("manifest") {
            steps.push(self.put_manifest(seen));
        }
        let is_owned = !["mode", "owner", "group"].into_iter().any(differs);
        if !is_new && !is_owned {
            // What was just put there is as wanted; the others were looked at before.
            let mut own = self.own(seen);
            if !steps.is_empty() {
                own.expects = vec![Expect::Nothing("some of its files were put there just before")];
            }
            steps.push(own);
        }
        steps
    }
}

impl Kind for OllamaModel {
    const NAME: &'static str = "ollama_model";
    const SUMMARY: &'static str = "A model in Ollama's store, pinned by its manifest.";
    const EXAMPLE: &'static str = "ollama_model: { name: \"qwen2.5:0.5b\", models_dir: /srv/ollama/models, source: qwen2.5-0.5b.json, group: ollama }";
    const UNDO: &'static str = "the manifest and new layers go again; an old manifest comes back. \
                                Not a layer over 64 MiB that stood there with another sum.";

    const TOUCHES_OTHERS: bool = false;

    fn key(&self) -> String {
        format!("{} in {}", self.name, self.models_dir)
    }

    fn named(key: &str) -> Option<Value> {
        let (name, models_dir) = key.split_once(" in ")?;
        Some(json!({ "name": name, "models_dir": models_dir }))
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        if self.parts().is_none() {
            return Err(Fault::new("name", format!("`{}` is not the name of a model", self.name.escape_debug()))
                .fix("write MODEL:TAG, NAMESPACE/MODEL:TAG or HOST/NAMESPACE/MODEL:TAG"));
        }
        absolute_path("models_dir", &self.models_dir)?;
        if self.models_dir == "/" {
            return Err(Fault::new("models_dir", "/ is no store of models"));
        }
        mode_text("mode", &self.mode)?;
        plain_name("owner", &self.owner)?;
        self.group.as_deref().map_or(Ok(()), |group| plain_name("group", group))?;
        if self.timeout == 0 || self.timeout > 86400 {
            return Err(Fault::new("timeout", "it must be between 1 and 86400 seconds"));
        }
        for (field, url) in [("registry", &self.registry), ("proxy", &self.proxy)] {
            let Some(url) = url.as_ref().filter(|url| field == "registry" || *url != "DIRECT") else { continue };
            Url::read(url).map_err(|why| Fault::new(field, format!("`{}`: {why}", url.escape_debug())))?;
        }
        if self.state == State::Absent {
            return Ok(());
        }
        let (Some(_), Some(data)) = (&self.source, &self.source_base64) else {
            return Err(Fault::new("source", "the manifest that pins it must be given")
                .fix("save what the registry answers at /v2/library/MODEL/manifests/TAG, and name that file"));
        };
        let bytes = BASE64_STANDARD.decode(data).map_err(|_| Fault::new("source", "it could not be read"))?;
        let text = String::from_utf8(bytes).map_err(|_| Fault::new("source", "it is no text"))?;
        let sha256 = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let layers = layers(&text).map_err(|why| Fault::new("source", format!("it is no manifest: {why}")))?;
        self.pinned = Pinned { text, sha256, layers };
        Ok(())
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Path(self.manifest_path())]
    }

    fn uses(&self) -> Vec<Provision> {
        let mut all: Vec<Provision> = self.folders().into_iter().map(Provision::Path).collect();
        all.extend([
            Provision::User(self.owner.clone()),
            Provision::Group(self.group().to_owned()),
            Provision::Package("ca-certificates".into()),
        ]);
        all
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let text = |value: &str| FieldValue::text(value);
        let mut fields = Fields::from([
            ("manifest".to_owned(), text(&self.pinned.sha256)),
            ("mode".to_owned(), FieldValue::text(format!("{:0>4}", self.mode))),
            ("owner".to_owned(), text(&self.owner)),
            ("group".to_owned(), text(self.group())),
        ]);
        for layer in &self.pinned.layers {
            fields.insert(format!("layers.{}", layer.sha256), text(&layer.sha256));
        }
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            let always = wanted.verify == Verify::Always;
            script.stat(&wanted.manifest_path());
            if wanted.state == State::Present {
                ask_sum(script, &wanted.manifest_path(), always);
            }
            for layer in &wanted.pinned.layers {
                script.stat(&wanted.blob(layer));
                ask_sum(script, &wanted.blob(layer), always);
            }
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        let steps = batch.iter().flat_map(|Change { position, wanted, seen, fields }| {
            let steps = match wanted.state {
                State::Absent => vec![wanted.file(wanted.manifest_path(), None).remove(seen)],
                State::Present => wanted.put(seen, fields),
            };
            steps.into_iter().map(|step| step.serving([*position]))
        });
        steps.collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kinds::tests::load;

    const SUM: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn manifest() -> String {
        format!(
            r#"{{"schemaVersion":2,"config":{{"digest":"sha256:{SUM}","size":9}},
                "layers":[{{"digest":"sha256:{}","size":70}}]}}"#,
            SUM.replace('e', "1")
        )
    }

    fn wanted(more: &str) -> Result<OllamaModel, String> {
        let data = BASE64_STANDARD.encode(manifest());
        load(&format!("{{ name: \"q:1b\", models_dir: /srv/m, source: q.json, source_base64: \"{data}\"{more} }}"))
    }

    #[test]
    fn a_name_is_a_place_in_the_store() {
        let path = |name: &str| {
            load::<OllamaModel>(&format!("{{ name: \"{name}\", models_dir: /m, state: absent }}"))
                .map(|m| m.manifest_path())
        };
        assert_eq!(path("q:1b").unwrap(), "/m/manifests/registry.ollama.ai/library/q/1b");
        assert_eq!(path("me/q").unwrap(), "/m/manifests/registry.ollama.ai/me/q/latest");
        assert_eq!(path("h.example:5000/me/q:t").unwrap(), "/m/manifests/h.example:5000/me/q/t");
        for bad in ["", ":t", "a/b/c/d", "../q", "q:..", "q:a/b", "q$(id)", "-q", "a//b"] {
            assert!(path(bad).is_err(), "{bad}");
        }
        assert_eq!(wanted(", mode: \"0640\"").unwrap().folder_mode(), "0750");
    }

    #[test]
    fn layers_come_before_the_manifest_and_only_what_differs_is_done() {
        let wanted = wanted("").unwrap();
        let titles = |seen: Seen, fields: &[&str]| {
            let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
            let change = Change { position: 0, wanted: &wanted, seen: &seen, fields: &fields };
            OllamaModel::steps(&[change]).into_iter().map(|step| step.title).collect::<Vec<_>>()
        };
        let there = || Seen::Present(Fields::new());
        assert_eq!(titles(Seen::Absent, &[]).last().unwrap(), "declare the model q:1b");
        assert_eq!(titles(Seen::Absent, &[]).len(), 3);
        assert_eq!(titles(there(), &[&format!("layers.{SUM}")]), ["fetch the layer e3b0c44298fc of q:1b (9 bytes)"]);
        assert_eq!(titles(there(), &["mode"]), ["set owner and mode of the files of q:1b"]);
        assert_eq!(
            wanted.url(&wanted.pinned.layers[1]),
            format!("https://registry.ollama.ai/v2/library/q/blobs/sha256:{SUM}")
        );
    }

    #[test]
    fn what_does_not_pin_every_layer_is_no_manifest() {
        for (from, to) in
            [("sha256:", "md5:"), ("\"size\":9", "\"size\":-9"), ("config", "konfig"), ("layers", "ebenen"), ("}", "")]
        {
            assert!(layers(&manifest().replace(from, to)).is_err(), "{from} -> {to}");
        }
        assert!(layers(&manifest().replace("\"size\":9", "\"size\":9,\"from\":\"/home/x\"")).is_err());
        assert!(load::<OllamaModel>("{ name: q, models_dir: /m }").is_err());
    }

    proptest! {
        #[test]
        fn a_hostile_value_is_refused_or_one_word(text in "[^\0]{1,30}") {
            let quoted = |text: &str| serde_json::to_string(text).unwrap();
            let key = format!("{text} in /m");
            if let Ok(wanted) = load::<OllamaModel>(&format!("{{ name: {}, models_dir: /m, state: absent }}", quoted(&text))) {
                prop_assert!(wanted.manifest_path().starts_with("/m/manifests/") && !wanted.manifest_path().contains("/.."));
                prop_assert_eq!(wanted.key(), key);
            }
            let item = format!("{{ name: q, models_dir: {}, state: absent }}", quoted(&format!("/{text}")));
            if let Ok(wanted) = load::<OllamaModel>(&item) {
                let script = wanted.file(wanted.manifest_path(), None).remove(&Seen::Absent).script;
                let word = format!("rm -f -- {}", crate::quote::quote_sh(&wanted.manifest_path()));
                prop_assert!(script.text().ends_with(&word));
            }
        }
    }
}
