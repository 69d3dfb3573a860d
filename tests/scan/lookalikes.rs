//! What stands where secrets stand and is none: references, ciphertexts, hashes, public keys, examples, code, prose.

use super::Sample;
use super::dice::{ALNUM, Dice, HEX};

fn sample(file: &str, text: impl Into<String>) -> Sample {
    Sample { file: file.to_owned(), text: text.into() + "\n", wanted: None }
}

pub fn all(dice: &mut Dice) -> Vec<Sample> {
    let mut all = references();
    all.extend(written());
    all.extend(code());
    all.extend(drawn(dice));
    all
}

/// Each reference under a name of a secret, in the formats that know it.
fn references() -> Vec<Sample> {
    let mut all = Vec::new();
    for value in [
        "${DB_PASSWORD}",
        "$DB_PASSWORD",
        "${DB_PASSWORD:?not set}",
        "$(cat /run/secrets/db)",
        "{{ db_password }}",
        "{{ secret(\"db/password\") }}",
        "{{ lookup('env', 'DB_PASSWORD') }}",
        "ENC[AES256_GCM,data:kJ83hdq1,iv:aGVsbG8=,tag:d29ybGQ=,type:str]",
        "/run/credentials/app.service/db",
        "/run/secrets/db_password",
        "/etc/app/password",
        "op://vault/db/password",
        "vault:secret/data/db#password",
        "changeme",
        "your-password-here",
        "<your password>",
        "xxxxxxxxxxxxxxxx",
        "***",
        "example-password",
        "null",
        "true",
        "sha256:0f3a",
        "$6$abcdefgh$kJ83hdq1mQzskJ83hdq1mQzskJ83hdq1mQzs",
        "$2b$12$kJ83hdq1mQzskJ83hdq1mQzskJ83hdq1mQzskJ83hdq1mQzskJ8",
        "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$kJ83hdq1mQzskJ83hdq1",
    ] {
        all.push(sample(".env", format!("A=1\nDB_PASSWORD={value}")));
        all.push(sample("group_vars/all.yml", format!("---\ndb_password: \"{value}\"")));
        all.push(sample(
            "settings.json",
            format!("{{\"db_password\": \"{value}\"}}").replace("(\"db/password\")", "('db/password')"),
        ));
        all.push(sample("app.ini", format!("[db]\npassword = {value}")));
    }
    all
}

/// Look-alikes that people write, form by form.
fn written() -> Vec<Sample> {
    let hex = "3061323334356637383930616263646566616263646566303132333435363738";
    let key = "AAAAC3NzaC1lZDI1NTE5AAAAIBdXJ1jZsXcW6kQ0vGm0b8iZJr8vWyJm5l6Qn3a2Cw1d";
    [
        ("group_vars/all.yml", format!("db_password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  {hex}\n  {hex}")),
        ("secrets/a.yaml", format!("password: ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]\nsops:\n  age:\n    - recipient: age1{}\n      enc: |\n        -----BEGIN AGE ENCRYPTED FILE-----\n        YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBrSjgzaGRxMW1RenNrSjgz\n        -----END AGE ENCRYPTED FILE-----\n  mac: ENC[AES256_GCM,data:a,iv:b,tag:c,type:str]", "q".repeat(4) + "yz8x9gf2tvdw0s3jn54khce6mua7lqpzry9x8gf2tvdw0s3jn54k")),
        (".env", "POSTGRES_PASSWORD_FILE=/run/secrets/db".into()),
        ("docker-compose.yml", "services:\n  a:\n    environment:\n      POSTGRES_PASSWORD_FILE: /run/secrets/db\nsecrets:\n  db:\n    file: ./db.txt".into()),
        ("a.service", "[Service]\nEnvironmentFile=/etc/app/env\nLoadCredential=db:/etc/credstore/db\nSetCredentialEncrypted=db: kJ83hdq1mQzskJ83hdq1\nPassEnvironment=DB_PASSWORD".into()),
        ("a.service", "[Service]\nExecStart=/usr/bin/app --password-file=${CREDENTIALS_DIRECTORY}/db --token-file %d/token".into()),
        ("home/.ssh/id_ed25519.pub", format!("ssh-ed25519 {key} me@host")),
        ("home/.ssh/authorized_keys", format!("no-pty ssh-ed25519 {key} me@host")),
        ("home/.ssh/known_hosts", format!("a.internal ssh-ed25519 {key}\n|1|kJ83hdq1mQzskJ83hdq1mQzs=|kJ83hdq1mQzskJ83hdq1mQzs= ssh-ed25519 {key}")),
        ("a.crt", format!("-----BEGIN CERTIFICATE-----\nMIIB{}\n-----END CERTIFICATE-----", key.repeat(3))),
        ("a.pem", format!("-----BEGIN PUBLIC KEY-----\nMCow{}\n-----END PUBLIC KEY-----", key)),
        ("a.key", format!("-----BEGIN {} PRIVATE KEY-----\nMIIB{}\n-----END ENCRYPTED PRIVATE KEY-----", "ENCRYPTED", key.repeat(3))),
        ("b.key", format!("-----BEGIN RSA {}-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n{}\n-----END RSA PRIVATE KEY-----", "PRIVATE KEY", key.repeat(3))),
        ("src/main.rs", "if text.contains(\"-----BEGIN RSA PRIVATE KEY-----\") { return true; }".into()),
        ("README.md", "A key begins with `-----BEGIN OPENSSH PRIVATE KEY-----` and ends with\n`-----END OPENSSH PRIVATE KEY-----`.".into()),
        ("package-lock.json", "{\"integrity\": \"sha512-kJ83hdq1mQzskJ83hdq1mQzskJ83hdq1mQzskJ83hdq1mQzskJ83hdq1mQzs==\"}".into()),
        ("go.sum", "a.internal/x v1.2.3 h1:kJ83hdq1mQzskJ83hdq1mQzskJ83hdq1mQzs=".into()),
        ("Cargo.lock", format!("checksum = \"{hex}\"")),
        (".env", format!("IMAGE=app@sha256:{hex}\nGIT_COMMIT={}\nREQUEST_ID=550e8400-e29b-41d4-a716-446655440000", &hex[..40])),
        (".env", "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE\nAWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into()),
        (".env", "TOKEN_TTL=3600\nMAX_TOKENS=4096\nTOKENIZER=cl100k_base\nPASSWORD_MIN_LENGTH=12\nAUTH_METHOD=scram-sha-256\nPUBLIC_KEY_URL=https://a.internal/key".into()),
        (".env", "BASE_URL=https://very-long-name-of-a-host-2.eu-central-1.internal/path/to/api/v2\nNODE=worker-node-0017-eu-central-1a\nBUILD=2026.11.27-release-candidate-4".into()),
        (".env", "DATABASE_URL=postgres://app:${DB_PASSWORD}@db:5432/app\nREDIS_URL=redis://cache:6379/0\nSITE=https://example.com/?q=1".into()),
        ("README.md", "Use `postgres://user:password@localhost/db`, or `https://user:pass@example.com`.".into()),
        ("docs/a.md", "curl -H 'Authorization: Bearer $TOKEN' https://a.internal\ncurl -u user:$PASSWORD https://a.internal".into()),
        ("docs/a.md", "The token is kept in the vault. Password: see the vault. Set `API_KEY=<your key>` first.".into()),
        ("docs/a.md", "export OPENAI_API_KEY=sk-...\nexport GITHUB_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".into()),
        (".mcp.json", "{\"mcpServers\": {\"a\": {\"command\": \"npx\", \"args\": [\"-y\", \"@scope/server-with-a-long-name-2@1.2.3\"], \"env\": {\"API_KEY\": \"${API_KEY}\", \"REGION\": \"eu-central-1\"}}}}".into()),
        (".mcp.json", "{\"headers\": {\"Authorization\": \"Bearer ${TOKEN}\"}, \"url\": \"https://mcp.internal/sse\"}".into()),
        ("home/.bash_history", "mysql -u root -p\nmysql -p app\ndocker run -p 8080:80 nginx\ndocker run -d -p 127.0.0.1:5432:5432 postgres\nssh -p 2222 a\npasswd root\ncurl -u me https://a.internal\nssh-keygen -t ed25519 -N ''\ncp -p a b\nmkdir -p /srv/a9/b8".into()),
        ("home/.bash_history", "export TOKEN=$(cat token)\nread -s PASSWORD\nPGPASSWORD=\"$PW\" psql\ngit commit -m 'password: new rules'\necho $PASSWORD\nunset API_KEY".into()),
        ("home/.netrc", "machine a.internal login me\nmachine b.internal login me password ${PW}".into()),
        ("home/.pgpass", "# host:port:db:user:password\n".into()),
        ("home/.docker/config.json", "{\"auths\": {\"r.internal\": {}}, \"credsStore\": \"pass\"}".into()),
        ("values.yaml", "existingSecret: app-credentials\nsecretName: app-tls\nsecretKeyRef:\n  name: db\n  key: password\nimagePullSecrets:\n  - name: registry-login".into()),
        ("values.yaml", "env:\n  - name: DB_PASSWORD\n    valueFrom:\n      secretKeyRef: {name: db, key: password}".into()),
        ("openapi.yaml", "properties:\n  password:\n    type: string\n    description: The password of the user\n  token: {type: string, format: uuid}".into()),
        ("openapi.json", "{\"password\": {\"type\": \"string\"}, \"token\": \"string\", \"apiKey\": \"API key\"}".into()),
        ("i18n/de.json", "{\"password\": \"Passwort\", \"forgot_password\": \"Passwort vergessen?\", \"token\": \"Zugangscode\"}".into()),
        ("i18n/fr.json", "{\"password\": \"Mot de passe\", \"secret\": \"Clé secrète\"}".into()),
        ("sshd.conf", "PasswordAuthentication no\nPermitEmptyPasswords no\nAuthorizedKeysFile .ssh/authorized_keys\nHostKey /etc/ssh/ssh_host_ed25519_key".into()),
        ("pam.conf", "password requisite pam_pwquality.so retry=3\nauth required pam_unix.so".into()),
        ("main.yml", "- name: set the password\n  user: { name: app, password: \"{{ hash }}\", update_password: on_create }\n  no_log: true".into()),
        ("playbook.yml", "secret_vars: [gateway_token]\npostgres_role: { name: app, password: \"{{ secret('db/app') }}\" }".into()),
        ("ci.yml", "env:\n  TOKEN: ${{ secrets.GITHUB_TOKEN }}\n  PASSWORD: $CI_PASSWORD\nwith: { token: \"${{ github.token }}\" }".into()),
        ("main.tf", "password = var.db_password\ntoken    = data.vault_secret.x.data[\"token\"]\nsecret_id = \"arn:aws:secretsmanager:eu-central-1:123456789012:secret:db\"".into()),
        ("a.conf", "ssl_certificate_key /etc/ssl/private/a.key;\nauth_basic_user_file /etc/nginx/htpasswd;\nproxy_set_header Authorization $http_authorization;".into()),
        ("x/.htpasswd", "me:$apr1$kJ83hdq1$mQzskJ83hdq1mQzskJ83h.".into()),
        ("jwt.md", "A token looks like `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.` and has three parts.".into()),
        ("x.sql", "ALTER ROLE app PASSWORD 'SCRAM-SHA-256$4096:kJ83hdq1mQzs$kJ83hdq1:mQzs';\nSELECT password FROM users WHERE token = $1;".into()),
    ]
    .map(|(file, text)| sample(file, text))
    .into()
}

/// Programs speak of passwords all the time.
fn code() -> Vec<Sample> {
    [
        ("a.py", "password = getpass.getpass('Password: ')"),
        ("a.py", "token = os.environ['API_TOKEN']"),
        ("a.py", "parser.add_argument('--password', help='the password to use')"),
        ("a.py", "PASSWORD_FIELD = 'user_password'"),
        ("a.py", "def login(user, password, token=None):\n    return password == stored"),
        ("a.py", "headers = {'Authorization': f'Bearer {token}'}"),
        ("a.py", "raise ValueError('password must not be empty')"),
        ("a.py", "secret_key = config.get('secret_key')"),
        ("a.py", "api_key = settings.API_KEY_2"),
        ("a.rs", "let password = options::ask_password(\"Login password: \", \"login password\")?;"),
        ("a.rs", "pub password: Option<Secret>,\npub token: String,"),
        ("a.rs", "(\"token\", \"API_TOKEN\"), (\"password\", \"database-password\"),"),
        ("a.rs", "const KEY: &str = \"key\";\nmatch name { \"password\" => Kind::Password, \"token\" => Kind::Token, _ => Kind::None }"),
        ("a.js", "const password = document.getElementById('password').value;"),
        ("a.js", "const token = req.headers['x-access-token'];"),
        ("a.js", "<input type=\"password\" name=\"password\" placeholder=\"Password\" id=\"login-password-1\">"),
        ("a.ts", "interface Login { password: string; token?: string; apiKey: string }"),
        ("a.ts", "const TOKEN_KEY = 'auth.token'; localStorage.getItem(TOKEN_KEY);"),
        ("a.ts", "errors.password = 'required'; labels.secret = 'Client secret';"),
        ("a.go", "Password string `json:\"password\" yaml:\"password\"`"),
        ("a.go", "token := os.Getenv(\"GITHUB_TOKEN\")"),
        ("a.java", "String password = System.getenv(\"DB_PASSWORD\");"),
        ("a.java", "@Value(\"${spring.datasource.password}\") private String password;"),
        ("a.c", "#define PASSWORD_MAX 128\nchar password[PASSWORD_MAX];"),
        ("a.rb", "params.require(:user).permit(:password, :password_confirmation)"),
        ("a.php", "$password = $_POST['password'];\n$token = bin2hex(random_bytes(32));"),
        ("a.sh", "#!/bin/sh\nPASSWORD=$(openssl rand -base64 32)\nTOKEN=\"${1:?a token}\"\n[ -n \"$PASSWORD\" ] || exit 1"),
        ("a.sh", "#!/bin/sh\ntoken=`cat /run/secrets/token`\nprintf '%s' \"$token\" | docker login --password-stdin"),
        ("a.css", ".password { color: #a1b2c3; } #token-1 { width: 10px; }"),
        ("a.html", "<label for=\"password\">Password</label><a href=\"/reset?token={{ token }}\">reset</a>"),
    ]
    .map(|(file, text)| sample(file, text))
    .into()
}

/// Hashes, identifiers and public values, drawn, in files where a random value counts.
fn drawn(dice: &mut Dice) -> Vec<Sample> {
    let mut all = Vec::new();
    for round in 0..36 {
        let (hex40, hex64) = (dice.text(HEX, 40), dice.text(HEX, 64));
        let (uuid, base64) = (dice.uuid(), dice.base64(32));
        let public = format!("AAAAC3NzaC1lZDI1NTE5AAAAI{}", dice.text(ALNUM, 43));
        all.push(match round % 12 {
            0 => sample(".env", format!("COMMIT_SHA={hex40}\nIMAGE_DIGEST=sha256:{hex64}")),
            1 => sample(".env", format!("INSTANCE_ID={uuid}\nTRACE_ID={}", &hex64[..32])),
            2 => sample("a.yml", format!("sha256: {hex64}\nchecksum: \"{base64}\"\nuuid: {uuid}")),
            3 => sample("docker-compose.yml", format!("services:\n  a:\n    image: r.internal/a@sha256:{hex64}\n    environment:\n      BUILD_HASH: {hex40}")),
            4 => sample(".mcp.json", format!("{{\"mcpServers\": {{\"a\": {{\"env\": {{\"PROJECT_ID\": \"{uuid}\", \"REV\": \"{hex40}\"}}}}}}}}")),
            5 => sample("a.service", format!("[Service]\nEnvironment=MACHINE_UUID={uuid}\nExecStart=/usr/bin/a --rev {hex40}")),
            6 => sample("vars.yml", format!("authorized:\n  - ssh-ed25519 {public} me@host\nwireguard_public_key: {base64}")),
            7 => sample("package-lock.json", format!("{{\"integrity\": \"sha512-{}{}==\", \"resolved\": \"https://r.internal/a-{}.tgz\"}}", base64.trim_end_matches('='), dice.text(ALNUM, 43), &hex40[..7])),
            8 => sample("home/.bash_history", format!("git show {hex40}\nsha256sum -c {hex64}\ndocker pull a@sha256:{hex64}")),
            9 => sample("README.md", format!("Fixed in {hex40}. The id is {uuid}.\nSHA256:{}", dice.text(ALNUM, 43))),
            10 => sample("src/data.rs", format!("const SUM: &str = \"{hex64}\";\nconst ID: &str = \"{uuid}\";")),
            _ => sample("app.ini", format!("etag = {hex40}\nrecipient = age1{}\nfingerprint = SHA256:{}", "q9z8x7w6v5t4s3r2p0n9m8l7k6j5h4g3f2d0c9a8e7u6y5q9z8x7w6v5t4", dice.text(ALNUM, 43))),
        });
    }
    all
}
