//! What a manifest of Ollama pins.

use serde_json::Value;

use crate::resource::is_sha256;

/// What a manifest says.
#[derive(Debug, Default)]
pub(super) struct Pinned {
    pub text: String,
    pub sha256: String,
    pub layers: Vec<Layer>,
}

/// One layer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layer {
    pub sha256: String,
    pub size: u64,
}

// The layers that a manifest names, its configuration among them.
pub(super) fn layers(text: &str) -> Result<Vec<Layer>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
    let named = value.get("layers").and_then(Value::as_array).ok_or("it has no `layers`")?;
    let config = value.get("config").ok_or("it has no `config`")?;
    let mut found: Vec<Layer> = Vec::new();
    for layer in named.iter().chain([config]) {
        let digest = layer.get("digest").and_then(Value::as_str).unwrap_or_default();
        let sha256 = digest.strip_prefix("sha256:").filter(|sum| is_sha256(sum));
        let size = layer.get("size").and_then(Value::as_u64);
        let (Some(sha256), Some(size)) = (sha256, size) else {
            return Err("a layer in it lacks its `digest` (sha256:...) or its `size`".into());
        };
        if layer.get("from").and_then(Value::as_str).is_some_and(|from| !from.is_empty()) {
            return Err("a layer in it comes from a model of the machine that made it".into());
        }
        let layer = Layer { sha256: sha256.to_owned(), size };
        if !found.contains(&layer) {
            found.push(layer);
        }
    }
    Ok(found)
}
