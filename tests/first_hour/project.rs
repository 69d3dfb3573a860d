//! `init`, `rempart.toml`, `doctor`, `kinds` and the manual pages.

use std::os::unix::fs::PermissionsExt;

use super::desk::{Desk, OPEN_KEY, Said, has};

#[test]
fn a_new_project_is_valid_as_it_is() {
    let desk = Desk::with_project();
    let validated = desk.run("fleet", &["validate"]);
    assert!(validated.good && validated.err.contains("Valid: "), "{}", validated.all());
    assert!(!validated.err.contains("warning"), "{}", validated.err);
    // From deeper inside of the project, too: the repository's root ends the search.
    std::fs::create_dir(desk.path("fleet/.git")).unwrap();
    let deeper = desk.run("fleet/playbooks", &["validate"]);
    assert!(deeper.good, "{}", deeper.all());
    let readme = std::fs::read_to_string(desk.path("fleet/README.md")).unwrap();
    let shown: Vec<&str> = readme.lines().filter(|line| line.starts_with("rempart ")).collect();
    for line in ["rempart validate", "rempart explain web1", "rempart doctor"] {
        assert!(shown.iter().any(|shown| shown.starts_with(line)), "{readme}");
        let said = desk.run("fleet", &line.split(' ').skip(1).collect::<Vec<_>>());
        assert!(said.good, "{line}: {}", said.all());
    }
    for name in ["README.md", "rempart.toml", ".gitignore", "templates/site.conf.j2", "inventories/group_vars/web.yaml"]
    {
        assert!(desk.path("fleet").join(name).is_file(), "{name}");
    }
}

#[test]
fn init_says_what_comes_next_and_overwrites_nothing() {
    let desk = Desk::new();
    desk.write("fleet/playbooks/site.yaml", "mine");
    let refused = desk.run("", &["init", "fleet"]);
    assert_eq!(refused.code, 5, "{}", refused.all());
    assert!(refused.err.contains("playbooks/site.yaml"), "{}", refused.err);
    assert_eq!(std::fs::read_to_string(desk.path("fleet/playbooks/site.yaml")).unwrap(), "mine");
    assert!(!desk.path("fleet/rempart.toml").exists(), "nothing was written beside it");
    let made = desk.run("", &["init", "other one"]);
    assert!(made.good && made.err.contains("cd 'other one'\n"), "{}", made.all());
    for next in ["  rempart validate ", "  rempart explain web1 ", "  sudo rempart lab test "] {
        assert!(made.err.contains(next), "{}", made.err);
    }
}

#[test]
fn flags_win_over_variables_and_these_over_the_project() {
    let desk = Desk::new();
    for name in ["project", "variable", "flag"] {
        desk.write(&format!("{name}.yaml"), &format!("all: {{ hosts: {{ of-{name}: }} }}\n"));
    }
    desk.write("rempart.toml", "inventory = \"project.yaml\"\n");
    let hosts = |arguments: &[&str], variable: bool| {
        let mut command = desk.command(env!("CARGO_BIN_EXE_rempart"), "");
        if variable {
            command.env("REMPART_INVENTORY", "variable.yaml");
        }
        Said::of(command.arg("inventory").args(arguments).output().unwrap()).out
    };
    assert!(hosts(&[], false).contains("of-project"));
    assert!(hosts(&[], true).contains("of-variable"));
    assert!(hosts(&["-i", "flag.yaml"], true).contains("of-flag"));
}

#[test]
fn a_login_name_of_the_project_is_weaker_than_one_of_the_inventory() {
    let desk = Desk::new();
    desk.write("hosts.yaml", "all: { hosts: { a: , b: { ansible_user: own } } }\n");
    desk.write("rempart.toml", "inventory = \"hosts.yaml\"\nuser = \"projects\"\n");
    let shown = desk.run("", &["inventory"]);
    let user = |host: &str| {
        let line = shown.out.lines().find(|line| line.starts_with(host)).unwrap_or_default();
        line.split_whitespace().nth(2).unwrap_or_default().to_owned()
    };
    assert_eq!([user("a "), user("b ")], ["projects", "own"], "{}", shown.all());
}

#[test]
fn a_wrong_project_file_is_told_with_its_place() {
    let desk = Desk::with_project();
    desk.write("fleet/rempart.toml", "inventory = \"inventories/hosts.yaml\"\nforkss = 5\nyes = true\n");
    let told = desk.run("fleet", &["validate"]);
    assert_eq!(told.code, 65, "{}", told.all());
    for words in ["rempart.toml:2:1", "did you mean `forks`?", "rempart.toml:3:1", "on the command line"] {
        assert!(told.err.contains(words), "{words}: {}", told.err);
    }
    assert!(desk.run("fleet", &["--help"]).good);
    assert!(desk.run("fleet", &["kinds"]).good);
    let doctor = desk.run("fleet", &["doctor"]);
    assert_eq!(doctor.code, 1);
    assert!(doctor.err.contains("did you mean `forks`?"), "{}", doctor.all());
    // Whoever may write it would choose the keys that are trusted.
    desk.write("fleet/rempart.toml", "inventory = \"inventories/hosts.yaml\"\n");
    std::fs::set_permissions(desk.path("fleet/rempart.toml"), std::fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(desk.run("fleet", &["validate"]).code, 65);
}

#[test]
fn the_documented_project_file_is_one() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/project.md");
    let page = std::fs::read_to_string(page).unwrap();
    let shown = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let desk = Desk::with_project();
    desk.write("fleet/rempart.toml", shown);
    let said = desk.run("fleet", &["validate"]);
    assert!(said.good, "{}", said.all());
    // Every key that the program knows is on the page.
    desk.write("fleet/rempart.toml", "xxxxxxxxxxxxxxx = 1\n");
    let told = desk.run("fleet", &["validate"]).err;
    let keys = told.split("the keys are ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
    for key in keys.split(", ") {
        assert!(page.contains(&format!("| `{key}` |")), "docs/project.md does not have `{key}`");
    }
}

#[test]
fn playbooks_of_the_project_serve_verbs_that_need_one() {
    let desk = Desk::with_project();
    let graph = desk.run("fleet", &["graph"]);
    assert!(graph.good && graph.out.contains("systemd_unit:nginx"), "{}", graph.all());
    desk.write("fleet/rempart.toml", "inventory = \"inventories/hosts.yaml\"\n");
    let asked = desk.run("fleet", &["graph"]);
    assert_eq!(asked.code, 64, "{}", asked.all());
    // `apply` may do without one for --resume alone.
    assert_eq!(desk.run("fleet", &["apply"]).code, 64);
    desk.write("fleet/rempart.toml", "inventory = \"inventories/hosts.yaml\"\nplaybook = \"gone.yaml\"\n");
    let gone = desk.run("fleet", &["apply", "--yes"]);
    assert_eq!(gone.code, 65, "{}", gone.all());
    assert!(gone.err.contains("gone.yaml"), "{}", gone.err);
}

#[test]
fn doctor_looks_before_it_says() {
    let desk = Desk::new();
    let bare = desk.run("", &["doctor", "--json"]);
    assert_eq!(bare.code, 1, "there is no inventory: {}", bare.all());
    let of = |said: &Said, about: &str| {
        let all = said.json();
        let found = all["findings"].as_array().unwrap().iter().find(|one| one["about"] == about).cloned();
        found.unwrap_or_else(|| panic!("nothing about {about}: {}", said.out))
    };
    assert_eq!(of(&bare, "inventory")["standing"], "missing");
    assert!(of(&bare, "inventory")["get"].as_str().unwrap().contains("rempart init"));
    assert!(of(&bare, "ssh keys")["get"].as_str().unwrap().contains("ssh-keygen"));
    assert_eq!(bare.json()["complete"], false);
    assert!(desk.run("", &["init"]).good);
    let keyless = desk.run("", &["doctor", "--json"]);
    assert_eq!((keyless.code, of(&keyless, "ssh keys")["standing"].as_str()), (1, Some("missing")));
    let password = desk.run("", &["doctor", "--json", "-e", "ansible_password=hidden-one"]);
    assert!(password.good && !password.all().contains("hidden-one"), "{}", password.all());
    desk.write(".ssh/id_rsa", OPEN_KEY);
    let made = desk.run("", &["doctor", "--json"]);
    assert!(made.good, "{}", made.all());
    assert_eq!(of(&made, "project")["says"], "defaults come from rempart.toml");
    assert_eq!(of(&made, "inventory")["says"], "inventories/hosts.yaml: 1 host");
    // The store: none, one of one's own, one that nobody here opens, one that somebody changed.
    let secrets = |standing: &str, words: &[&str]| {
        let said = desk.run("", &["doctor", "--json"]);
        let found = of(&said, "secrets");
        assert_eq!(found["standing"], standing, "{}", said.all());
        let text = found["says"].as_str().unwrap();
        assert!(words.iter().all(|word| text.contains(word)), "{words:?}: {text}");
        said.code
    };
    assert_eq!(secrets("note", &["no store in secrets"]), 0);
    assert!(
        desk.run("", &["secrets", "init"]).good && desk.run("", &["secrets", "set", "a/b", "--generate", "8"]).good
    );
    assert_eq!(secrets("ok", &["1 secret, opened by age1", "sealed with the project key"]), 0);
    let keys = ".config/sops/age/keys.txt";
    let key = std::fs::read_to_string(desk.path(keys)).unwrap();
    desk.write(keys, "# none\n");
    assert_eq!(secrets("note", &["1 secret, which no key at hand opens"]), 0);
    desk.write(keys, &key);
    let sealed = std::fs::read_to_string(desk.path("secrets/a.yaml")).unwrap();
    desk.write("secrets/a.yaml", &sealed.replacen("data:", "data:A", 1));
    assert_eq!(secrets("missing", &["1 of 2 files cannot be relied on"]), 1);
    desk.write("secrets/a.yaml", &sealed);
    let key = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n";
    desk.write(".ssh/id_rsa", key);
    assert!(of(&desk.run("", &["doctor", "--json"]), "ssh keys")["get"].as_str().unwrap().contains("ssh-add"));
    desk.write("inventories/hosts.yaml", "all:\n  hosts: [web1\n");
    let broken = desk.run("", &["doctor"]);
    assert_eq!(broken.code, 1);
    assert!(broken.err.contains("inventories/hosts.yaml:"), "{}", broken.all());
}

#[test]
fn kinds_are_shown_with_fields_and_an_example() {
    let desk = Desk::new();
    let list = desk.run("", &["kinds"]);
    assert!(list.out.contains("package_apt") && list.out.contains("what it is for"), "{}", list.all());
    let one = desk.run("", &["kinds", "user"]);
    for words in ["example\n  user: {", "password_locked", "Login name.", "required"] {
        assert!(one.out.contains(words), "{words}: {}", one.out);
    }
    let json = desk.run("", &["kinds", "user", "--json"]).json();
    assert!(json[0]["fields"].as_array().unwrap().iter().any(|field| field["name"] == "shell"));
    let wrong = desk.run("", &["kinds", "usr"]);
    assert_eq!(wrong.code, 64);
    assert!(wrong.err.contains("did you mean `user`?"), "{}", wrong.err);
}

#[test]
fn manual_pages_are_rendered_without_a_warning() {
    let desk = Desk::new();
    let made = desk.run("", &["man", "man1"]);
    assert!(made.good, "{}", made.all());
    let pages: Vec<_> = std::fs::read_dir(desk.path("man1")).unwrap().flatten().map(|entry| entry.path()).collect();
    for name in ["rempart.1", "rempart-plan.1", "rempart-lab-up.1", "rempart-history-verify.1"] {
        assert!(desk.path("man1").join(name).is_file(), "{name}");
    }
    assert!(!desk.path("man1/rempart-complete.1").exists(), "what is hidden has no page");
    if !has("groff") {
        return;
    }
    for page in pages {
        let said =
            Said::of(desk.command("groff", "").args(["-man", "-Tutf8", "-ww", "-z"]).arg(&page).output().unwrap());
        assert!(said.good && said.all().trim() == "exit 0", "{}: {}", page.display(), said.all());
    }
    let shown = Said::of(
        desk.command("groff", "")
            .args(["-man", "-Tascii", "-P-c"])
            .arg(desk.path("man1/rempart-plan.1"))
            .output()
            .unwrap(),
    );
    assert!(shown.out.contains("rempart plan site.yaml --limit 'servers:!db1' --phase hardening"), "{}", shown.out);
}
