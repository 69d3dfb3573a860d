//! Secrets as they are found in the wild: each rule by hand at least once, and many more drawn.

use super::Sample;
use super::dice::{ALNUM, Dice, HEX, UPPER};

fn sample(file: &str, text: String, rule: &'static str, line: usize) -> Sample {
    Sample { file: file.to_owned(), text, wanted: Some((rule, line)) }
}

pub fn all(dice: &mut Dice) -> Vec<Sample> {
    let mut all = tokens(dice);
    all.extend(named(dice));
    all.extend(written(dice));
    all.extend(logins(dice));
    all.extend(commands(dice));
    all.extend(keys(dice));
    all
}

/// Tokens as their makers describe them, each in two surroundings.
fn tokens(dice: &mut Dice) -> Vec<Sample> {
    let url = format!("{ALNUM}_-");
    let hex = HEX;
    let makers: Vec<(&'static str, &str, &str, usize)> = vec![
        ("anthropic-key", "sk-ant-api03-", &url, 95),
        ("openai-key", "sk-proj-", &url, 120),
        ("openai-key", "sk-svcacct-", &url, 60),
        ("openrouter-key", "sk-or-v1-", hex, 64),
        ("langfuse-key", "sk-lf-", "0123456789abcdef-", 36),
        ("langsmith-key", "lsv2_pt_", hex, 43),
        ("model-key", "sk-", ALNUM, 48),
        ("huggingface-token", "hf_", ALNUM, 34),
        ("groq-key", "gsk_", ALNUM, 52),
        ("xai-key", "xai-", ALNUM, 80),
        ("perplexity-key", "pplx-", ALNUM, 48),
        ("replicate-token", "r8_", ALNUM, 37),
        ("tavily-key", "tvly-dev-", ALNUM, 32),
        ("google-key", "AIza", &url, 35),
        ("google-secret", "GOCSPX-", &url, 28),
        ("google-token", "ya29.", &url, 120),
        ("github-token", "ghp_", ALNUM, 36),
        ("github-token", "ghs_", ALNUM, 36),
        ("github-token", "github_pat_", ALNUM, 82),
        ("gitlab-token", "glpat-", &url, 20),
        ("npm-token", "npm_", ALNUM, 36),
        ("pypi-token", "pypi-AgEIcHlwaS5vcmc", &url, 130),
        ("rubygems-key", "rubygems_", hex, 48),
        ("crates-token", "cio", ALNUM, 32),
        ("docker-token", "dckr_pat_", &url, 27),
        ("atlassian-token", "ATATT3xFfGF0", &url, 170),
        ("linear-key", "lin_api_", ALNUM, 40),
        ("notion-token", "ntn_", ALNUM, 46),
        ("figma-token", "figd_", &url, 40),
        ("aws-key", "AKIA", UPPER, 16),
        ("aws-key", "ASIA", UPPER, 16),
        ("digitalocean-token", "dop_v1_", hex, 64),
        ("vault-token", "hvs.", &url, 90),
        ("doppler-token", "dp.st.prd.", ALNUM, 42),
        ("1password-token", "ops_eyJ", ALNUM, 300),
        ("age-key", "AGE-SECRET-KEY-1", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
        ("tailscale-key", "tskey-auth-", ALNUM, 34),
        ("flyio-token", "fm2_", ALNUM, 120),
        ("heroku-key", "HRKU-", ALNUM, 60),
        ("databricks-token", "dapi", hex, 32),
        ("pulumi-token", "pul-", hex, 40),
        ("planetscale-token", "pscale_tkn_", &url, 43),
        ("supabase-token", "sbp_", hex, 40),
        ("grafana-token", "glsa_", ALNUM, 41),
        ("sentry-token", "sntrys_", ALNUM, 120),
        ("newrelic-key", "NRAK-", UPPER, 27),
        ("slack-token", "xoxb-", "0123456789", 12),
        ("slack-webhook", "https://hooks.slack.com/services/T0", UPPER, 9),
        ("discord-webhook", "https://discord.com/api/webhooks/", "0123456789", 18),
        ("sendgrid-key", "SG.", &url, 22),
        ("mailgun-key", "key-", hex, 32),
        ("stripe-key", "sk_live_", ALNUM, 24),
        ("stripe-key", "rk_live_", ALNUM, 99),
        ("stripe-webhook", "whsec_", ALNUM, 32),
        ("square-key", "sq0csp-", &url, 43),
        ("shopify-token", "shpat_", hex, 32),
        ("jwt", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.", ALNUM, 60),
        ("telegram-token", "", "", 0),
    ];
    let mut all = Vec::new();
    for (rule, prefix, alphabet, length) in makers {
        for _ in 0..2 {
            let body = if alphabet.chars().all(|c| c.is_ascii_digit()) {
                (0..length).map(|_| char::from(b'0' + u8::try_from(dice.below(10)).unwrap())).collect()
            } else {
                dice.text(alphabet, length)
            };
            // What a body ends with must not look like the end of a sentence.
            let mut token = format!("{prefix}{}", body.trim_end_matches(['-', '_']))
                + if body.ends_with(['-', '_']) { "a7" } else { "" };
            match rule {
                "slack-token" => {
                    token += &format!("-{}-{}", 100_000_000_000 + dice.below(99_999), dice.text(ALNUM, 24))
                }
                "slack-webhook" => token += &format!("/B0{}/{}", dice.text(UPPER, 9), dice.text(ALNUM, 24)),
                "discord-webhook" => token += &format!("/{}", dice.text(ALNUM, 68)),
                "sendgrid-key" => token = format!("SG.{}.{}", dice.text(ALNUM, 22), dice.text(ALNUM, 43)),
                "jwt" => token += &format!(".{}", dice.text(ALNUM, 43)),
                "telegram-token" => {
                    token = format!("{}:AA{}", 1_234_567_891 + dice.below(99_999), dice.text(ALNUM, 33))
                }
                "gitlab-token" | "planetscale-token" | "square-key" | "google-secret" if token.len() < 27 => {
                    token += "a7"
                }
                "google-key" if token.len() != 39 => continue,
                _ => {}
            }
            all.push(surrounded(dice, &token, rule));
        }
    }
    all
}

fn surrounded(dice: &mut Dice, token: &str, rule: &'static str) -> Sample {
    match dice.below(9) {
        0 => sample("app/.env", format!("# of the app\nPORT=80\nVALUE={token}\n"), rule, 3),
        1 => sample("vars.yml", format!("---\na:\n  value: \"{token}\"\n"), rule, 3),
        2 => sample(
            ".mcp.json",
            format!("{{\"mcpServers\": {{\"x\": {{\"env\": {{\"V\": \"{token}\"}}}}}}}}\n"),
            rule,
            1,
        ),
        3 => sample("src/client.py", format!("import x\n\nclient = x.Client('{token}')\n"), rule, 3),
        4 => sample("home/.bash_history", format!("ls\ncurl -H 'X: {token}' https://a.internal/\n"), rule, 2),
        5 => sample("README.md", format!("# How\n\n    tool {token}\n"), rule, 3),
        6 => sample("app.service", format!("[Service]\nExecStart=/usr/bin/app --with {token}\n"), rule, 2),
        7 => sample("data.json", format!("{{\n  \"text\": \"a\\n{token}\\nb\"\n}}\n"), rule, 2),
        _ => sample("notes.txt", format!("it is {token}.\n"), rule, 1),
    }
}

/// Names of secrets with drawn values, in every format.
fn named(dice: &mut Dice) -> Vec<Sample> {
    const NAMES: [&str; 16] = [
        "DB_PASSWORD",
        "POSTGRES_PASSWORD",
        "SESSION_SECRET",
        "API_KEY",
        "GATEWAY_TOKEN",
        "JWT_SECRET",
        "SMTP_PASSWD",
        "ADMIN_PASSWORD",
        "ENCRYPTION_KEY",
        "aws_secret_access_key",
        "clientSecret",
        "apiToken",
        "root_password",
        "signing-key",
        "REDIS_PASSWORD",
        "ansible_become_password",
    ];
    let mut all = Vec::new();
    for round in 0..72 {
        let name = NAMES[round % NAMES.len()];
        let lower = name.to_ascii_lowercase();
        let value = match round % 3 {
            0 => dice.text(&format!("{ALNUM}_-"), 43).replace("--", "a-").trim_start_matches('-').to_owned(),
            1 => dice.text(ALNUM, 12 + round % 20),
            _ if lower.contains("pass") => dice.password(),
            _ => dice.text(HEX, 64),
        };
        all.push(match round % 12 {
            0 => sample(".env.production", format!("A=1\n{name}={value}\n"), "named-value", 2),
            1 => sample("app.env", format!("export {name}='{value}'\n"), "named-value", 1),
            2 => sample("group_vars/all.yml", format!("---\n{lower}: {value}\n"), "named-value", 2),
            3 => sample("host_vars/a.yaml", format!("db: {{user: app, {lower}: \"{value}\"}}\n"), "named-value", 1),
            4 => sample(
                "docker-compose.yml",
                format!("services:\n  a:\n    environment:\n      - {name}={value}\n"),
                "named-value",
                4,
            ),
            5 => sample(
                "compose.yaml",
                format!("services:\n  a:\n    environment:\n      {name}: ${{{name}:-{value}}}\n"),
                "named-value",
                4,
            ),
            6 => sample("a.service", format!("[Service]\nEnvironment=\"{name}={value}\" B=1\n"), "named-value", 2),
            7 => sample("settings.json", format!("{{\"{lower}\": \"{value}\"}}\n"), "named-value", 1),
            8 => sample("app.ini", format!("[db]\n{lower} = {value}\n"), "named-value", 2),
            9 => sample("deploy.sh", format!("#!/bin/sh\n{name}=\"{value}\" ./run\n"), "named-value", 2),
            10 => sample("src/main.rs", format!("const {name}: &str = \"{value}\";\n"), "named-value", 1),
            _ => sample("app.properties", format!("spring.datasource.{lower}={value}\n"), "named-value", 1),
        });
    }
    all
}

/// What people write by hand, form by form.
fn written(dice: &mut Dice) -> Vec<Sample> {
    let random = dice.text(ALNUM, 28);
    let basic = {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode("deploy:Sommer2026!")
    };
    [
        (".env", "DB_PASSWORD=hunter2\n".to_owned(), "named-value", 1),
        (".env", "DB_PASSWORD = \"two words9\"\n".to_owned(), "named-value", 1),
        (".env", "PGPASSWORD=geheim # of the old one\n".to_owned(), "named-value", 1),
        (".env", "SESSION_SECRET=keyboardcat\n".to_owned(), "named-value", 1),
        (
            "hosts",
            "web1 ansible_host=192.0.2.1 ansible_password=hunter2 ansible_port=22\n".to_owned(),
            "named-value",
            1,
        ),
        ("group_vars/all.yml", "password: 'it''s9'\n".to_owned(), "named-value", 1),
        ("group_vars/all.yml", "db:\n  password: correct horse battery staple\n".to_owned(), "named-value", 2),
        ("group_vars/all.yml", format!("db:\n  api_key: |\n    {random}\n  port: 1\n"), "named-value", 3),
        ("group_vars/all.yml", "who: !secret hunter2\n".to_owned(), "secret-tag", 1),
        ("group_vars/all.yml", "ansible_become_pass: !unsafe hunter2\n".to_owned(), "named-value", 1),
        ("values.yaml", "env:\n  - name: DB_PASSWORD\n    value: hunter2\n".to_owned(), "named-value", 3),
        ("task.json", "{\"name\": \"DB_PASSWORD\", \"value\": \"hunter22\"}\n".to_owned(), "named-value", 1),
        ("deploy.yaml", "args:\n  - --api-key\n  - kJ83hdq1mQz\n".to_owned(), "named-value", 3),
        (
            ".mcp.json",
            "{\"mcpServers\": {\"a\": {\"args\": [\"--api-key\", \"kJ83hdq1mQz\"]}}}\n".to_owned(),
            "named-value",
            1,
        ),
        (
            "claude_desktop_config.json",
            format!("{{\"mcpServers\":{{\"a\":{{\"env\":{{\"NOTION\":\"{random}\"}}}}}}}}\n"),
            "random-value",
            1,
        ),
        (".env", format!("SOMETHING={random}\n"), "random-value", 1),
        (
            ".cursor/mcp.json",
            format!("{{\"headers\": {{\"Authorization\": \"Bearer {random}\"}}}}\n"),
            "authorization",
            1,
        ),
        ("run.sh", format!("curl -H 'Authorization: token {random}' https://a.internal\n"), "authorization", 1),
        ("run.sh", format!("curl -H \"Authorization: Basic {basic}\" https://a.internal\n"), "authorization", 1),
        ("x.conf", "requirepass hunter2\n".to_owned(), "named-value", 1),
        ("x.toml", "[db]\npassword = 'hunter2'\n".to_owned(), "named-value", 2),
        (".npmrc", "//registry.npmjs.org/:_authToken=kJ83hdq1mQzs\n".to_owned(), "named-value", 1),
        ("settings.xml", "<server><password>hunter22</password></server>\n".to_owned(), "named-value", 1),
        ("web.config.xml", "<add key=\"ApiKey\" value=\"kJ83hdq1mQzs\" />\n".to_owned(), "named-value", 1),
        ("a.py", "os.environ.get(\"DB_PASSWORD\", \"hunter22\")\n".to_owned(), "named-value", 1),
        ("a.py", "config['password'] = 'hunter22'\n".to_owned(), "named-value", 1),
        ("a.ts", "const password: string = \"hunter22\";\n".to_owned(), "named-value", 1),
        ("a.rb", ":password => 'hunter22',\n".to_owned(), "named-value", 1),
        ("a.go", "password := \"hunter22\"\n".to_owned(), "named-value", 1),
        ("Dockerfile", "FROM a\nENV DB_PASSWORD=hunter2\n".to_owned(), "named-value", 2),
        ("a.service", "[Service]\nSetCredential=db:hunter2\n".to_owned(), "named-value", 2),
        ("a.json", "{\"text\": \"{\\\"password\\\": \\\"hunter22\\\"}\"}\n".to_owned(), "named-value", 1),
        ("README.md", "Log in with `password: Sommer2026`.\n".to_owned(), "named-value", 1),
        ("links.txt", "https://a.internal/x?user=b&access_token=kJ83hdq1mQzs\n".to_owned(), "named-value", 1),
        ("vault_pass.txt", "Sommer2026!\n".to_owned(), "secret-file", 1),
        (".vault-token", "s.kJ83hdq1mQzskJ83hdq1mQzs\n".to_owned(), "secret-file", 1),
        ("pin.env", "DOOR_PIN=4711\nUSER_PASSWORD=42\n".to_owned(), "named-value", 2),
    ]
    .map(|(file, text, rule, line)| sample(file, text, rule, line))
    .into()
}

fn logins(dice: &mut Dice) -> Vec<Sample> {
    use base64::Engine;
    let password = dice.password().replace(['#', '%', '!', '+'], "-") + "x";
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("deploy:{password}"));
    [
        (".env", format!("DATABASE_URL=postgres://app:{password}@db.internal:5432/app\n"), "url-login", 1),
        ("a.yml", format!("url: redis://:{password}@cache:6379/0\n"), "url-login", 1),
        (".git-credentials", format!("https://me:{password}@git.internal\n"), "url-login", 1),
        (
            "repo/.git/config",
            format!("[remote \"origin\"]\n\turl = https://me:{password}@git.internal/x\n"),
            "url-login",
            2,
        ),
        ("a.py", format!("engine = create('mysql+pymysql://root:{password}@127.0.0.1/x')\n"), "url-login", 1),
        (
            "a.cs",
            format!("var c = \"Server=db;User Id=sa;Password={password};Encrypt=true\";\n"),
            "connection-string",
            1,
        ),
        ("appsettings.json", format!("{{\"Db\": \"Server=db;Database=x;Pwd={password};\"}}\n"), "connection-string", 1),
        ("home/.netrc", format!("machine a.internal\n  login me\n  password {password}\n"), "netrc-login", 3),
        ("home/.netrc", format!("machine a.internal login me password {password}\n"), "netrc-login", 1),
        ("home/.pgpass", format!("# of the app\ndb.internal:5432:*:app:{password}\n"), "pgpass-login", 2),
        ("home/.pgpass", "db:5432:a\\:b:app:it\\:s\n".to_owned(), "pgpass-login", 1),
        (
            "home/.docker/config.json",
            format!("{{\n \"auths\": {{\"r.internal\": {{\n  \"auth\": \"{auth}\"}}}}\n}}\n"),
            "docker-login",
            3,
        ),
        ("home/.psql_history", format!("ALTER USER app PASSWORD '{password}';\n"), "sql-password", 1),
        ("init.sql", format!("CREATE USER 'a'@'%' IDENTIFIED BY '{password}';\n"), "sql-password", 1),
    ]
    .map(|(file, text, rule, line)| sample(file, text, rule, line))
    .into()
}

fn commands(dice: &mut Dice) -> Vec<Sample> {
    let p = dice.password().replace(['#', '!', '%'], "-") + "x";
    [
        format!("mysql -u root -p{p} app"),
        format!("mysqldump -uroot '-p{p}' app > x.sql"),
        format!("sshpass -p '{p}' ssh root@a.internal"),
        format!("sshpass -p{p} scp a b:"),
        format!("curl -s -u admin:{p} https://a.internal/"),
        format!("curl --user \"admin:{p}\" https://a.internal/"),
        format!("redis-cli -h cache -a {p} ping"),
        format!("docker login -u me -p {p} r.internal"),
        format!("ldapsearch -x -D cn=admin -w {p} -b dc=x"),
        format!("smbclient //nas/x -U me%{p}"),
        format!("zip -P {p} x.zip y"),
        format!("openssl enc -aes-256-cbc -pass pass:{p} -in x"),
        format!("htpasswd -b /etc/x.htpasswd me {p}"),
        format!("echo \"root:{p}\" | chpasswd"),
        format!("echo 'me:{p}' | sudo chpasswd"),
    ]
    .into_iter()
    .enumerate()
    .map(|(at, line)| match at % 3 {
        0 => sample("home/.bash_history", format!("cd /srv\n{line}\n"), "command-password", 2),
        1 => sample("home/.zsh_history", format!(": 1764200000:0;{line}\n"), "command-password", 1),
        _ => sample("deploy.sh", format!("#!/bin/sh\nset -e\n{line}\n"), "command-password", 3),
    })
    .chain(
        [
            ("home/.bash_history", format!("export TOKEN_SECRET={p}\n")),
            ("home/.bash_history", format!("PGPASSWORD={p} psql -h db\n")),
            ("etc/cron.d/x", format!("0 1 * * * root backup --password {p} /srv\n")),
            ("a.service", format!("[Service]\nExecStart=/usr/bin/a --db-password={p}\n")),
            ("home/fish_history", format!("- cmd: vault login -password={p}\n")),
        ]
        .map(|(file, text)| {
            let line = text.matches('\n').count();
            sample(file, text, "named-value", line)
        }),
    )
    .collect()
}

fn keys(dice: &mut Dice) -> Vec<Sample> {
    let mut all = Vec::new();
    let lines = |dice: &mut Dice, bytes: usize, end: &str| {
        let body = dice.base64(bytes);
        body.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned() + end).collect::<String>()
    };
    for label in ["RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY", "DSA PRIVATE KEY"] {
        let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
        all.push(sample("tls/a.key", format!("{begin}\n{}{end}\n", lines(dice, 300, "\n")), "private-key", 1));
        let inner = lines(dice, 300, "\\n");
        all.push(sample(
            "account.json",
            format!("{{\n\"private_key\": \"{begin}\\n{inner}{end}\\n\"}}\n"),
            "private-key",
            2,
        ));
    }
    let short = format!("-----BEGIN {0}-----\n{1}\n-----END {0}-----\n", "PRIVATE KEY", dice.base64(48));
    all.push(sample("a.pem", short, "private-key", 1));
    use base64::Engine;
    let mut open = b"openssh-key-v1\0\0\0\0\x04none\0\0\0\x04none".to_vec();
    open.extend((0..200).map(|_| dice.next().to_le_bytes()[0]));
    let body = base64::engine::general_purpose::STANDARD.encode(open);
    let begin = format!("-----BEGIN {} PRIVATE KEY-----", "OPENSSH");
    all.push(sample("home/.ssh/id_ed25519", format!("{begin}\n{}\n{}\n", &body[..70], &body[70..]), "private-key", 1));
    all.push(sample(
        "vars.yml",
        format!("---\nkey: |\n  {begin}\n  {}\n  {}\n", &body[..70], &body[70..]),
        "private-key",
        3,
    ));
    let putty = format!(
        "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 1\n{}\nPrivate-MAC: 00\n",
        dice.base64(40)
    );
    all.push(sample("a.ppk", putty, "private-key", 3));
    all
}
