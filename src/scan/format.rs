//! Owns what kind of file a name stands for, and so how names and values are written in it.

/// How names and values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    /// `NAME=value` to the end of the line.
    Env,
    /// A unit of systemd.
    Unit,
    /// `name = value`, `name: value`, `name value`.
    Ini,
    /// YAML.
    Yaml,
    /// JSON: values in quotes.
    Json,
    /// Commands: a script, a history, a crontab, a Dockerfile.
    Shell,
    /// `machine`, `login`, `password` as words.
    Netrc,
    /// Five fields between colons.
    Pgpass,
    /// One secret and nothing else.
    Whole,
    /// A program: only text between quotes is a value.
    Code,
    /// Text for people, with examples in it.
    Prose,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    pub syntax: Syntax,
    /// Whether all it holds are settings, so that a random value is a key whatever its name.
    pub settings: bool,
}

/// Names of whole files, or their ends, and what they are; the first that fits counts.
const NAMES: &[(&str, Syntax, bool)] = &[
    (".netrc", Syntax::Netrc, false),
    ("_netrc", Syntax::Netrc, false),
    ("/auth.conf", Syntax::Netrc, false),
    (".pgpass", Syntax::Pgpass, false),
    ("pgpass.conf", Syntax::Pgpass, false),
    ("history", Syntax::Shell, false),
    (".rediscli_history", Syntax::Shell, false),
    ("Dockerfile", Syntax::Shell, false),
    ("Containerfile", Syntax::Shell, false),
    ("Makefile", Syntax::Shell, false),
    ("crontab", Syntax::Shell, false),
    (".bashrc", Syntax::Shell, false),
    (".bash_profile", Syntax::Shell, false),
    (".bash_aliases", Syntax::Shell, false),
    (".profile", Syntax::Shell, false),
    (".zshrc", Syntax::Shell, false),
    (".zshenv", Syntax::Shell, false),
    (".envrc", Syntax::Shell, true),
    ("/etc/environment", Syntax::Env, true),
    ("mcp.json", Syntax::Json, true),
    ("mcp_config.json", Syntax::Json, true),
    ("mcp_settings.json", Syntax::Json, true),
    ("claude_desktop_config.json", Syntax::Json, true),
    (".claude.json", Syntax::Json, true),
    ("package-lock.json", Syntax::Json, false),
    (".dockerconfigjson", Syntax::Json, false),
    (".npmrc", Syntax::Ini, false),
    (".pypirc", Syntax::Ini, false),
    (".my.cnf", Syntax::Ini, false),
    (".git-credentials", Syntax::Ini, false),
    ("/credentials", Syntax::Ini, true),
    ("compose.yml", Syntax::Yaml, true),
    ("compose.yaml", Syntax::Yaml, true),
    ("values.yaml", Syntax::Yaml, false),
    (".vault-token", Syntax::Whole, false),
];

/// Ends of names, behind the last dot.
const ENDS: &[(&[&str], Syntax, bool)] = &[
    (&["env"], Syntax::Env, true),
    (
        &["service", "socket", "timer", "mount", "path", "slice", "target", "container", "pod", "network", "volume"],
        Syntax::Unit,
        true,
    ),
    (&["yaml", "yml", "sls", "eyaml"], Syntax::Yaml, false),
    (&["json", "jsonc", "json5", "tfstate", "ipynb", "webmanifest"], Syntax::Json, false),
    (
        &["ini", "cfg", "conf", "cnf", "properties", "toml", "tfvars", "desktop", "inventory", "hosts"],
        Syntax::Ini,
        false,
    ),
    (&["sh", "bash", "zsh", "fish", "ksh", "bat", "ps1", "cron", "mk"], Syntax::Shell, false),
    (
        &[
            "rs", "py", "js", "mjs", "cjs", "ts", "tsx", "jsx", "go", "java", "kt", "kts", "c", "h", "cc", "cpp",
            "hpp", "cs", "rb", "php", "pl", "pm", "lua", "swift", "scala", "groovy", "gradle", "tf", "hcl", "sql",
            "vue", "svelte", "html", "xml", "erb", "ex", "exs", "dart", "r", "jl", "nix", "proto", "graphql", "css",
            "scss", "cmake", "lock", "snap", "tex", "svg", "csv",
        ],
        Syntax::Code,
        false,
    ),
];

impl Format {
    /// What a path stands for; the text helps where the name says nothing.
    pub fn of(path: &str, text: &str) -> Format {
        let name = path.rsplit('/').next().unwrap_or(path);
        let format = |(syntax, settings): (Syntax, bool)| Format { syntax, settings };
        // `app.env.j2` is a file of settings with templates in it.
        let bare = ["j2", "jinja", "jinja2", "tmpl", "tpl", "dist", "bak", "old", "orig", "save", "local"]
            .iter()
            .find_map(|end| name.strip_suffix(end)?.strip_suffix('.'))
            .filter(|bare| bare.contains('.'))
            .unwrap_or(name);
        let path = path.strip_suffix(name).map_or_else(|| bare.to_owned(), |folder| format!("{folder}{bare}"));
        if bare == ".env" || bare.starts_with(".env.") || path.contains("/etc/default/") {
            return format((Syntax::Env, true));
        }
        if path.contains("/cron.") || path.contains("/spool/cron/") {
            return format((Syntax::Shell, false));
        }
        if let Some((_, syntax, settings)) = NAMES.iter().find(|(end, ..)| path.ends_with(end)) {
            return format((*syntax, *settings));
        }
        if path.ends_with(".conf") && path.contains(".service.d/") {
            return format((Syntax::Unit, true));
        }
        let end = bare.rsplit_once('.').map_or("", |(_, end)| end).to_ascii_lowercase();
        // The settings of clients that start MCP servers have many names.
        let is_mcp =
            || text.contains("\"mcpServers\"") || text.contains("[mcp_servers") || text.contains("mcpServers:");
        if let Some((_, syntax, settings)) = ENDS.iter().find(|(ends, ..)| ends.contains(&end.as_str())) {
            let settings = *settings || !matches!(syntax, Syntax::Code) && is_mcp();
            return format((*syntax, settings));
        }
        format((of_text(name, text), false))
    }
}

// No name that is known: what the text begins with.
fn of_text(name: &str, text: &str) -> Syntax {
    let start = text.trim_start();
    if name == "hosts" || name == "inventory" || name == "config" {
        Syntax::Ini
    } else if start.starts_with("#!") {
        let line = start.lines().next().unwrap_or("");
        if line.ends_with("sh") || line.contains("sh ") { Syntax::Shell } else { Syntax::Code }
    } else if start.starts_with('{') {
        Syntax::Json
    } else if start.starts_with("---\n") {
        Syntax::Yaml
    } else if super::logins::is_named_as_secret(name) {
        Syntax::Whole
    } else {
        Syntax::Prose
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_file_is() {
        for (path, syntax, settings) in [
            (".env", Syntax::Env, true),
            ("app/.env.production", Syntax::Env, true),
            ("app/prod.env.j2", Syntax::Env, true),
            ("web1:/etc/default/app", Syntax::Env, true),
            ("web1:/etc/systemd/system/app.service", Syntax::Unit, true),
            ("/etc/systemd/system/app.service.d/secrets.conf", Syntax::Unit, true),
            ("home/.bash_history", Syntax::Shell, false),
            (".mcp.json", Syntax::Json, true),
            (".cursor/mcp.json", Syntax::Json, true),
            ("docker-compose.yml", Syntax::Yaml, true),
            ("group_vars/all.yml", Syntax::Yaml, false),
            ("src/main.rs", Syntax::Code, false),
            ("README.md", Syntax::Prose, false),
            (".vault_pass", Syntax::Whole, false),
            ("become-password.txt", Syntax::Whole, false),
        ] {
            assert_eq!(Format::of(path, ""), Format { syntax, settings }, "{path}");
        }
        assert_eq!(Format::of("run", "#!/bin/sh\n").syntax, Syntax::Shell);
        assert!(Format::of("settings.json", "{\"mcpServers\": {}}").settings);
    }
}
