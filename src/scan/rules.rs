//! Owns the one table of what is looked for: each rule with what it finds and why that is worth a finding.
//!
//! A rule is either a shape, which says itself what it is (a prefix and what follows it), or it is read out of the
//! structure around a value by one of the readers beside this file. Must not know files or how anything is drawn.

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name in output and in the file of accepted findings; never changed.
    pub id: &'static str,
    /// What it finds.
    pub finds: &'static str,
    /// Why that is worth a finding.
    pub reason: &'static str,
    /// The shape, if it is known by that; else a reader knows it.
    pub shape: Option<Shape>,
    /// Whether such a value was made by a machine and is too long to be guessed, so that its hash tells nothing.
    pub unguessable: bool,
}

/// What a value looks like that says itself what it is.
#[derive(Debug)]
pub struct Shape {
    /// It begins with one of these.
    pub prefixes: &'static [&'static str],
    /// The characters behind the prefix.
    pub body: Body,
    /// How many of them at least.
    pub least: usize,
    /// How many of them at most; a longer stretch is something else.
    pub most: usize,
}

/// The characters of a shape's body.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// a-z, A-Z, 0-9
    Alnum,
    /// 0-9, a-f
    Hex,
    /// A-Z, 0-9
    Upper,
    /// Alnum and `_`, `-`
    Url,
    /// Alnum and `_`, `-`, `.`
    Dotted,
    /// Alnum and `_`, `-`, `/`
    Path,
    /// Alnum and `+`, `/`, `=`, `_`, `-`, `.`
    Base64,
}

impl Body {
    /// Whether it may stand there.
    pub fn has(self, byte: u8) -> bool {
        match self {
            Body::Alnum => byte.is_ascii_alphanumeric(),
            Body::Hex => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            Body::Upper => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
            Body::Url => byte.is_ascii_alphanumeric() || b"_-".contains(&byte),
            Body::Dotted => byte.is_ascii_alphanumeric() || b"_-.".contains(&byte),
            Body::Path => byte.is_ascii_alphanumeric() || b"_-/".contains(&byte),
            Body::Base64 => byte.is_ascii_alphanumeric() || b"+/=_-.".contains(&byte),
        }
    }
}

const fn shape(
    id: &'static str,
    finds: &'static str,
    prefixes: &'static [&'static str],
    (body, least, most): (Body, usize, usize),
    reason: &'static str,
) -> Rule {
    Rule { id, finds, reason, shape: Some(Shape { prefixes, body, least, most }), unguessable: true }
}

const fn read(id: &'static str, finds: &'static str, reason: &'static str) -> Rule {
    Rule { id, finds, reason, shape: None, unguessable: false }
}

const ANY: usize = 4096;

/// Read by `pem`.
pub static PRIVATE_KEY: Rule = Rule {
    unguessable: true,
    ..read("private-key", "a private key without a passphrase", "who reads it is whoever the key stands for")
};
/// Read by `named`.
pub static NAMED_VALUE: Rule =
    read("named-value", "a value under the name of a secret", "the name says what it is, however weak the value");
/// Read by `named`.
pub static SECRET_TAG: Rule =
    read("secret-tag", "a value tagged `!secret`", "the tag hides it in output, and it still stands in the file");
/// Read by `named`.
pub static RANDOM_VALUE: Rule = read(
    "random-value",
    "a random value in a file of settings",
    "nobody types such a value: it is a key, whatever it is called",
);
/// Read by `named`.
pub static AUTHORIZATION: Rule =
    read("authorization", "a header that logs in", "it is sent as it stands and lets in whoever sends it");
/// Read by `logins`.
pub static URL_LOGIN: Rule =
    read("url-login", "a password in a URL", "URLs are logged by everything that they pass through");
/// Read by `logins`.
pub static CONNECTION_STRING: Rule =
    read("connection-string", "a password in a connection string", "it is a login to a database or a storage");
/// Read by `logins`.
pub static NETRC_LOGIN: Rule =
    read("netrc-login", "a password of .netrc", "it logs in to another machine without asking anybody");
/// Read by `logins`.
pub static PGPASS_LOGIN: Rule =
    read("pgpass-login", "a password of .pgpass", "it logs in to a database without asking anybody");
/// Read by `logins`.
pub static DOCKER_LOGIN: Rule =
    read("docker-login", "a login of a registry", "base64 hides nothing, and it may replace the images of others");
/// Read by `logins`.
pub static SECRET_FILE: Rule =
    read("secret-file", "a file that is one secret", "the file's name says what its only line is");
/// Read by `commands`.
pub static COMMAND_PASSWORD: Rule = read(
    "command-password",
    "a password on a command line",
    "everybody on the host sees it in `ps`, and the shell keeps it in its history",
);
/// Read by `logins`.
pub static SQL_PASSWORD: Rule =
    read("sql-password", "a password in SQL", "statements stand in histories and in the database's own log");
/// Read by `shapes`.
pub static JWT: Rule = Rule {
    unguessable: true,
    ..read("jwt", "a signed token (JWT)", "it is valid for whoever holds it until it runs out, if it does")
};
/// Read by `shapes`.
pub static TELEGRAM: Rule = Rule {
    unguessable: true,
    ..read("telegram-token", "a token of a Telegram bot", "it reads and writes everything that the bot can")
};
/// Known by the name of the file alone.
pub static KEY_CONTAINER: Rule = read(
    "key-container",
    "a container of private keys",
    "its password is often empty or the same everywhere, and what is inside cannot be looked at",
);

/// Rules that are read out of the structure around a value.
pub static READ: [&Rule; 16] = [
    &PRIVATE_KEY,
    &NAMED_VALUE,
    &SECRET_TAG,
    &RANDOM_VALUE,
    &AUTHORIZATION,
    &URL_LOGIN,
    &CONNECTION_STRING,
    &NETRC_LOGIN,
    &PGPASS_LOGIN,
    &DOCKER_LOGIN,
    &SECRET_FILE,
    &COMMAND_PASSWORD,
    &SQL_PASSWORD,
    &JWT,
    &TELEGRAM,
    &KEY_CONTAINER,
];

const ALL_OF_IT: &str = "it acts as the account that it belongs to, on everything that the account can reach";
const SPENDS: &str = "whoever has it spends the owner's money and reads what the owner sent";
const SENDS: &str = "whoever has it writes in the owner's name";

/// Rules of values that say themselves what they are.
pub static SHAPES: &[Rule] = &[
    // The models and tools of a fleet that runs AI come first: their keys are copied into MCP configurations.
    shape("anthropic-key", "a key of Anthropic", &["sk-ant-"], (Body::Url, 32, 200), SPENDS),
    shape("openai-key", "a key of OpenAI", &["sk-proj-", "sk-svcacct-", "sk-admin-"], (Body::Url, 32, 200), SPENDS),
    shape("openrouter-key", "a key of OpenRouter", &["sk-or-v1-"], (Body::Hex, 48, 80), SPENDS),
    shape("langfuse-key", "a secret key of Langfuse", &["sk-lf-"], (Body::Url, 32, 64), "it reads every prompt"),
    shape(
        "langsmith-key",
        "a key of LangSmith",
        &["lsv2_pt_", "lsv2_sk_"],
        (Body::Url, 32, 64),
        "it reads every prompt",
    ),
    shape("model-key", "a key of a model's provider", &["sk-"], (Body::Alnum, 32, 64), SPENDS),
    shape("huggingface-token", "a token of Hugging Face", &["hf_", "api_org_"], (Body::Alnum, 30, 50), ALL_OF_IT),
    shape("groq-key", "a key of Groq", &["gsk_"], (Body::Alnum, 40, 70), SPENDS),
    shape("xai-key", "a key of xAI", &["xai-"], (Body::Alnum, 60, 100), SPENDS),
    shape("perplexity-key", "a key of Perplexity", &["pplx-"], (Body::Alnum, 40, 70), SPENDS),
    shape("replicate-token", "a token of Replicate", &["r8_"], (Body::Alnum, 36, 44), SPENDS),
    shape("tavily-key", "a key of Tavily", &["tvly-"], (Body::Url, 24, 60), SPENDS),
    shape("google-key", "a key of Google", &["AIza"], (Body::Url, 35, 35), SPENDS),
    shape("google-secret", "a client's secret of Google", &["GOCSPX-"], (Body::Url, 24, 40), ALL_OF_IT),
    shape("google-token", "a token of Google", &["ya29."], (Body::Url, 40, ANY), ALL_OF_IT),
    // Where code, packages and images come from: who holds one can put something into what others run.
    shape(
        "github-token",
        "a token of GitHub",
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
        (Body::Alnum, 36, 255),
        ALL_OF_IT,
    ),
    shape("github-token", "a token of GitHub", &["github_pat_"], (Body::Url, 60, 100), ALL_OF_IT),
    shape(
        "gitlab-token",
        "a token of GitLab",
        &["glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "glft-", "glsoat-"],
        (Body::Dotted, 20, 320),
        ALL_OF_IT,
    ),
    shape("npm-token", "a token of npm", &["npm_"], (Body::Alnum, 36, 36), "it publishes packages that others run"),
    shape(
        "pypi-token",
        "a token of PyPI",
        &["pypi-AgE"],
        (Body::Url, 50, ANY),
        "it publishes packages that others run",
    ),
    shape("rubygems-key", "a key of RubyGems", &["rubygems_"], (Body::Hex, 48, 48), "it publishes what others run"),
    shape("crates-token", "a token of crates.io", &["cio"], (Body::Alnum, 32, 32), "it publishes what others run"),
    shape("docker-token", "a token of Docker", &["dckr_pat_", "dckr_oat_"], (Body::Url, 24, 60), "it replaces images"),
    shape("atlassian-token", "a token of Atlassian", &["ATATT3x", "ATCTT3x"], (Body::Base64, 60, 400), ALL_OF_IT),
    shape("linear-key", "a key of Linear", &["lin_api_", "lin_oauth_"], (Body::Alnum, 32, 64), ALL_OF_IT),
    shape("notion-token", "a token of Notion", &["ntn_"], (Body::Alnum, 40, 60), ALL_OF_IT),
    shape("figma-token", "a token of Figma", &["figd_"], (Body::Url, 36, 60), ALL_OF_IT),
    // Machines, networks and other secrets.
    shape("aws-key", "an access key of AWS", &["AKIA", "ASIA"], (Body::Upper, 16, 16), "its other half is never far"),
    shape(
        "digitalocean-token",
        "a token of DigitalOcean",
        &["dop_v1_", "doo_v1_", "dor_v1_"],
        (Body::Hex, 64, 64),
        ALL_OF_IT,
    ),
    shape("vault-token", "a token of Vault", &["hvs.", "hvb.", "hvr."], (Body::Url, 24, 320), "it opens other secrets"),
    shape(
        "doppler-token",
        "a token of Doppler",
        &["dp.pt.", "dp.st.", "dp.ct.", "dp.sa."],
        (Body::Dotted, 40, 80),
        "it opens other secrets",
    ),
    shape("1password-token", "a token of 1Password", &["ops_eyJ"], (Body::Base64, 100, ANY), "it opens other secrets"),
    shape(
        "age-key",
        "a private key of age",
        &["AGE-SECRET-KEY-1", "AGE-SECRET-KEY-PQ-1"],
        (Body::Upper, 58, ANY),
        "it opens every secret that was ever encrypted to it",
    ),
    shape(
        "tailscale-key",
        "a key of Tailscale",
        &["tskey-"],
        (Body::Url, 24, 80),
        "it brings a machine into the network",
    ),
    shape("flyio-token", "a token of Fly.io", &["fm2_", "fo1_"], (Body::Base64, 40, ANY), ALL_OF_IT),
    shape("heroku-key", "a key of Heroku", &["HRKU-"], (Body::Url, 32, 70), ALL_OF_IT),
    shape("databricks-token", "a token of Databricks", &["dapi"], (Body::Hex, 32, 32), ALL_OF_IT),
    shape("pulumi-token", "a token of Pulumi", &["pul-"], (Body::Hex, 40, 40), ALL_OF_IT),
    shape(
        "planetscale-token",
        "a login of PlanetScale",
        &["pscale_tkn_", "pscale_pw_", "pscale_oauth_"],
        (Body::Dotted, 32, 64),
        ALL_OF_IT,
    ),
    shape("supabase-token", "a token of Supabase", &["sbp_", "sb_secret_"], (Body::Url, 30, 64), ALL_OF_IT),
    // What watches and what writes to people.
    shape("grafana-token", "a token of Grafana", &["glsa_", "glc_"], (Body::Base64, 40, 400), ALL_OF_IT),
    shape("sentry-token", "a token of Sentry", &["sntrys_", "sntryu_"], (Body::Base64, 60, 400), ALL_OF_IT),
    shape("newrelic-key", "a key of New Relic", &["NRAK-"], (Body::Alnum, 27, 27), ALL_OF_IT),
    shape(
        "slack-token",
        "a token of Slack",
        &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xapp-"],
        (Body::Url, 24, 255),
        SENDS,
    ),
    shape("slack-webhook", "a webhook of Slack", &["hooks.slack.com/services/T"], (Body::Path, 30, 100), SENDS),
    shape(
        "discord-webhook",
        "a webhook of Discord",
        &["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"],
        (Body::Path, 70, 120),
        SENDS,
    ),
    shape("sendgrid-key", "a key of SendGrid", &["SG."], (Body::Dotted, 60, 70), SENDS),
    shape("mailgun-key", "a key of Mailgun", &["key-"], (Body::Hex, 32, 32), SENDS),
    shape(
        "stripe-key",
        "a secret key of Stripe",
        &["sk_live_", "rk_live_", "sk_test_", "rk_test_"],
        (Body::Alnum, 20, 255),
        "it moves money",
    ),
    shape(
        "stripe-webhook",
        "a webhook's secret of Stripe",
        &["whsec_"],
        (Body::Base64, 32, 100),
        "payments can be made up",
    ),
    shape("square-key", "a key of Square", &["sq0atp-", "sq0csp-"], (Body::Url, 22, 60), "it moves money"),
    shape(
        "shopify-token",
        "a token of Shopify",
        &["shpat_", "shpca_", "shppa_", "shpss_"],
        (Body::Hex, 32, 32),
        ALL_OF_IT,
    ),
];

/// Every rule.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    READ.into_iter().chain(SHAPES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_name_of_its_own_and_a_reason() {
        let mut known: Vec<(&str, &str)> = rules().map(|rule| (rule.id, rule.finds)).collect();
        known.sort_unstable();
        known.dedup();
        let mut ids: Vec<&str> = known.iter().map(|(id, _)| *id).collect();
        ids.dedup();
        assert_eq!(ids.len(), known.len(), "one name, two meanings");
        for rule in rules() {
            assert!(rule.reason.len() > 10, "{}", rule.id);
            assert!(
                rule.id.bytes().all(|byte| byte.is_ascii_lowercase() || b"-0123456789".contains(&byte)),
                "{}",
                rule.id
            );
        }
    }

    #[test]
    fn what_nobody_can_guess_is_long() {
        for rule in rules().filter(|rule| rule.unguessable) {
            // Sixteen characters of thirty-two are 80 bits.
            assert!(
                rule.shape.as_ref().is_none_or(|shape| shape.least >= 16 && shape.least <= shape.most),
                "{}",
                rule.id
            );
        }
    }

    #[test]
    fn a_prefix_that_begins_another_one_comes_later() {
        let all: Vec<&str> =
            SHAPES.iter().filter_map(|rule| rule.shape.as_ref()).flat_map(|shape| shape.prefixes).copied().collect();
        for (at, prefix) in all.iter().enumerate() {
            assert!(
                !all[..at].iter().any(|before| prefix.starts_with(before)),
                "{prefix}: a shorter one stands before it"
            );
        }
    }
}
