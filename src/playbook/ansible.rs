//! Owns what those who come from Ansible look for by name, and what there is in its place. Words alone: nothing here
//! makes such a name mean anything.

use super::facts::FACTS;

/// The kind that does what a module of Ansible's does.
pub(super) fn kind(module: &str) -> Option<&'static str> {
    let short = module.strip_prefix("ansible.").and_then(|rest| rest.split_once('.')).map_or(module, |(_, name)| name);
    Some(match short.strip_prefix("community.general.").unwrap_or(short) {
        "apt" | "package" | "dnf" | "yum" => "package_apt",
        "copy" => "file",
        "lineinfile" | "blockinfile" => "line",
        "service" | "systemd" | "systemd_service" => "systemd_unit",
        "shell" | "raw" | "script" => "command",
        "get_url" => "download",
        "unarchive" => "archive",
        "uri" => "http_probe",
        "wait_for" => "port_scan",
        "fail" => "assert",
        "ufw" => "firewall_rule",
        "deb822_repository" | "apt_key" => "apt_repository",
        _ => return None,
    })
}

/// What to do in the place of a word that an item has in Ansible.
pub(super) fn item_word(word: &str) -> Option<&'static str> {
    Some(match word {
        "register" => "there is no `register`: facts are read before, and checks are kinds of their own",
        "notify" | "listen" => "use `restart_on` at the service: it restarts when the file is newer",
        "name" => "leave it out: a resource is called by its kind and key",
        "become" | "become_user" | "become_method" => "leave it out: what changes a host runs as root",
        "loop" | "loop_control" => "use `each: { NAME: EXPRESSION }`",
        word if word.starts_with("with_") => "use `each: { NAME: EXPRESSION }`",
        "block" => "put the items into a file, and `include:` it with the `when` and `tags` of all",
        "rescue" | "always" | "ignore_errors" | "any_errors_fatal" => {
            "leave it out: what fails stops what needs it, and nothing else; `needs` says what that is"
        }
        "changed_when" | "failed_when" => {
            "`unless`, `creates` and `check` of `command` say when it must run and whether it did"
        }
        "until" | "retries" | "delay" => "leave it out: a check is repeated for `--patience` seconds",
        "delegate_to" | "run_once" | "local_action" => {
            "an item belongs to the hosts of its playbook: make one for the other hosts, and `needs: [{ KIND: KEY, on: PATTERN }]`"
        }
        "no_log" => "name the variable in `secret_vars`: its value is then shown nowhere",
        "check_mode" | "diff" => "`rempart plan` never changes anything, whatever an item says",
        "set_fact" | "include_vars" => "put it into `vars:` of the playbook or of an `include`, or into the inventory",
        "import_tasks" | "include_tasks" | "import_role" | "include_role" | "roles" | "import_playbook" => {
            "`include: FILE` takes a file of items; a `site:` file gathers playbooks"
        }
        "debug" | "pause" | "meta" | "setup" | "gather_facts" => {
            "leave it out: facts are read when something reads them, and `rempart explain` shows variables"
        }
        "args" | "environment" | "async" | "poll" | "throttle" | "connection" | "remote_user" => {
            "there is nothing like it: `rempart kinds KIND` shows the fields of a kind"
        }
        _ => return None,
    })
}

/// What to do in the place of a word that a play has in Ansible.
pub(super) fn play_word(word: &str) -> Option<&'static str> {
    Some(match word {
        "name" => "a playbook's name is `playbook: NAME`",
        "tasks" | "pre_tasks" | "post_tasks" => "items belong below `phases:`, into one of the five phases",
        "handlers" => "there are no handlers: `restart_on` at a service restarts it when a file of it is newer",
        "roles" | "collections" => "there are no roles: `include: FILE` in a phase takes a file of items",
        "vars_files" | "vars_prompt" => {
            "put the values into `vars:`, or into the inventory; `--set NAME=VALUE` gives one"
        }
        "gather_facts" => "leave it out: facts are read when something reads them",
        "become" | "become_user" | "become_method" => "leave it out: what changes a host runs as root",
        "remote_user" => "set `ansible_user` in the inventory, or say `--user`",
        "connection" | "gather_subset" | "strategy" | "port" | "environment" => {
            "leave it out: connections are the inventory's"
        }
        "any_errors_fatal" | "max_fail_percentage" | "ignore_errors" => {
            "leave it out: what fails stops what needs it; `serial` says how many hosts go at once"
        }
        "tags" => "tags stand at items, or at the `include` of a file of them",
        "when" | "needs" => "it stands at an item, or at the `include` of a file of them",
        _ => return None,
    })
}

/// The fact that tells what one of Ansible's facts tells, named without its `ansible_`.
pub(super) fn fact(name: &str) -> Option<&'static str> {
    Some(match name {
        "architecture" | "machine" | "userspace_architecture" => "arch",
        "kernel" | "kernel_version" => "kernel",
        "hostname" | "nodename" | "fqdn" => "hostname",
        "distribution" | "os_family" => "os",
        "distribution_version" | "distribution_major_version" => "os_version",
        "distribution_release" | "lsb" => "os_codename",
        "memtotal_mb" | "memory_mb" => "memory_mb",
        "processor" | "processor_count" | "processor_cores" | "processor_nproc" | "processor_vcpus" => "cpus",
        "service_mgr" => "init",
        "default_ipv4" | "default_ipv6" | "all_ipv4_addresses" | "all_ipv6_addresses" => "addresses",
        "interfaces" => "interfaces",
        _ => return None,
    })
}

/// What to do in the place of a variable that Ansible has by itself.
pub(super) fn variable(name: &str) -> Option<String> {
    let told = match name {
        "ansible_facts" => return Some(format!("facts are `facts` here, and their names are {}", FACTS.join(", "))),
        "inventory_hostname_short" => "write `host | split(\".\") | first`",
        "ansible_host" | "ansible_ssh_host" => "the address at which a host is reached is `address`",
        "ansible_user" | "ansible_ssh_user" | "ansible_port" | "ansible_ssh_port" => {
            "it is known only where the inventory gives it: set it there, or write `| default(...)` behind it"
        }
        "play_hosts" | "ansible_play_hosts" | "ansible_play_hosts_all" | "ansible_play_batch" => {
            "the hosts of a group are `groups.NAME`, all of them `groups.all`"
        }
        "playbook_dir" | "role_path" | "inventory_dir" | "inventory_file" => {
            "no path is needed: `from:` and `source:` are looked for beside the playbook"
        }
        "role_name" | "ansible_role_name" | "ansible_role_names" | "role_names" | "ansible_parent_role_names" => {
            "there are no roles: `include:` takes a file of items"
        }
        "item" | "ansible_loop" | "ansible_loop_var" | "ansible_index_var" => {
            "a loop names its value itself: `each: { NAME: LIST }`"
        }
        "omit" => "make two items of it, each with its `when:`, or give the field its usual value",
        "vars" => "write the variable's name alone; of another host, `hostvars.HOST.NAME`",
        "environment" | "ansible_env" => "a host's environment is not read: put the value into a variable",
        "ansible_check_mode" | "ansible_diff_mode" => "`rempart plan` never changes anything, and nothing has to ask",
        "ansible_run_tags" | "ansible_skip_tags" | "ansible_limit" => {
            "what is selected never changes what is rendered: put it into a variable"
        }
        "ansible_version" | "ansible_python_version" | "ansible_playbook_python" | "ansible_python_interpreter" => {
            "there is no Ansible and no Python here: remove it"
        }
        "ansible_date_time" => "the same input gives the same plan, so there is no clock: give the date by `--set`",
        _ => return by_prefix(name),
    };
    Some(told.to_owned())
}

fn by_prefix(name: &str) -> Option<String> {
    let bare = name.strip_prefix("ansible_")?;
    Some(match fact(bare) {
        Some(fact) => format!("Ansible's `{name}` is `facts.{fact}` here"),
        None => format!("Ansible's facts and magic variables are not known here; the facts are {}", FACTS.join(", ")),
    })
}

/// What to do about a variable that is named as values of Ansible Vault are.
pub(super) fn vault(name: &str) -> Option<&'static str> {
    name.starts_with("vault_").then_some(
        "files of ansible-vault are not read: give it in the inventory as plain text tagged `!secret`, in a file that only you can read",
    )
}

/// What to do in the place of a function; `call` is how it was called.
pub(super) fn function(name: &str, call: &str) -> Option<&'static str> {
    Some(match name {
        "lookup" | "query" | "q" => lookup(call),
        "now" => "the same input gives the same plan, so there is no clock: give the date by `--set`",
        "undef" => "leave it out: what is not defined is an error as it is",
        _ => return None,
    })
}

fn lookup(call: &str) -> &'static str {
    let quote = ['"', '\''];
    let plugin = call.split(quote).nth(1).unwrap_or_default();
    match plugin.rsplit('.').next().unwrap_or_default() {
        "env" => "there are no lookups: hand it in by `--set NAME=\"$NAME\"`",
        "file" | "fileglob" | "unvault" => {
            "there are no lookups: `source: FILE` takes a file as it is, and a template has `{% include \"FILE\" %}`"
        }
        "template" => {
            "there are no lookups: `from: FILE` renders a template, and another one has `{% include \"FILE\" %}`"
        }
        "vars" | "varnames" => "there are no lookups: write the variable's name; of another host, `hostvars.HOST.NAME`",
        "password" | "passwordstore" | "hashi_vault" | "vault_kv2_get" => {
            "there are no lookups: give it as a variable tagged `!secret`, in a file that only you can read"
        }
        "pipe" | "url" | "dig" | "dns" => {
            "there are no lookups: nothing is asked for a template; hand it in by `--set NAME=...`"
        }
        "items" | "dict" | "list" | "sequence" | "nested" => {
            "there are no lookups: `each: { NAME: LIST }` takes a list or a map"
        }
        _ => "there are no lookups: use a variable, `source:` for a file, or `from:` for a template",
    }
}

/// What to do in the place of a filter.
pub(super) fn filter(name: &str) -> Option<&'static str> {
    let name = name.rsplit('.').next().unwrap_or(name);
    Some(match name {
        "safe" | "escape" | "e" => "nothing is escaped here: remove it; for several lines use `raw_lines`",
        "to_nice_json" => "`to_json` writes JSON, on one line",
        "to_yaml" | "to_nice_yaml" => "`to_json` writes JSON, and JSON is YAML",
        "from_json" | "from_yaml" | "from_yaml_all" => {
            "write the value into the inventory as it is: YAML is read there"
        }
        "dict2items" => "`items` gives the pairs of a map; `each` takes a map as it is",
        "ternary" => "write `A if CONDITION else B`",
        "mandatory" => "leave it out: what is not defined is an error as it is",
        "combine" | "items2dict" => "maps are not joined: write the whole map where it is used",
        "union" | "difference" | "intersect" | "symmetric_difference" => {
            "`select` and `reject` with `in` choose from a list"
        }
        "flatten" | "product" | "subelements" | "zip_longest" => "`each` with two names gives every combination",
        "regex_replace" | "regex_search" | "regex_findall" | "regex_escape" | "regex" => {
            "there are no regular expressions: `replace`, `split`, `in` and `is startingwith` are there"
        }
        "password_hash" | "hash" | "checksum" | "md5" | "sha1" => {
            "nothing is hashed in a template: give the hash as a variable, or let the kind do it"
        }
        "b64" => "did you mean `b64encode`?",
        "random" | "shuffle" => "the same input gives the same plan, so nothing is random: choose in a variable",
        "strftime" | "to_datetime" => {
            "the same input gives the same plan, so there is no clock: give the date by `--set`"
        }
        "ipaddr" | "ipv4" | "ipv6" | "ipsubnet" => "addresses are not computed: give the parts as variables",
        "path_join" => "write `A ~ \"/\" ~ B`",
        "splitext" => "`split(\".\")` gives the parts",
        "expanduser" | "realpath" | "relpath" => "paths of this machine mean nothing on a host: write the whole path",
        "json_query" | "extract" => "`selectattr` and `map(attribute=...)` choose from lists of maps",
        "type_debug" => "`rempart explain HOST NAME` shows a variable and where it comes from",
        _ => return None,
    })
}

/// What to do in the place of a test (`x is TEST`).
pub(super) fn test(name: &str) -> Option<&'static str> {
    let name = name.rsplit('.').next().unwrap_or(name);
    Some(match name {
        "match" | "search" | "regex" => {
            "there are no regular expressions: write `\"part\" in x`, `x is startingwith \"part\"` or `x is endingwith \"part\"`"
        }
        "success" | "succeeded" | "failed" | "failure" | "changed" | "change" | "skipped" | "skip" => {
            "there is no `register`: facts are read before, and checks are kinds of their own"
        }
        "file" | "directory" | "exists" | "link" | "abs" => {
            "files of a host are not asked for here: declare them, or look with a `command` and `unless`"
        }
        "version" | "version_compare" => {
            "versions are not compared: compare the text, or the number before the first dot"
        }
        "subset" | "superset" | "contains" => "write `x in LIST`",
        "truthy" | "falsy" => "compare it, such as `x != \"\"`, or ask `x is true`",
        _ => return None,
    })
}

/// What to do in the place of a method of Python's.
pub(super) fn method(name: &str) -> Option<&'static str> {
    Some(match name {
        "get" => "write `m.NAME | default(...)` or `m[KEY] | default(...)`",
        "items" => "write `m | items`",
        "keys" => "a map goes through its keys by itself: `for key in m`, `m | list`",
        "values" => "write `m | items | map(\"last\")`",
        "split" => "write `text | split(\",\")`",
        "join" => "write `list | join(\",\")`",
        "replace" => "write `text | replace(\"a\", \"b\")`",
        "strip" | "lstrip" | "rstrip" => "write `text | trim`",
        "upper" | "lower" | "title" | "capitalize" => "it is a filter: write `text | upper`, and so on",
        "startswith" => "write `text is startingwith \"a\"`",
        "endswith" => "write `text is endingwith \"a\"`",
        "format" => "write `\"%s\" | format(x)`, or `a ~ b`",
        "append" | "extend" | "update" | "insert" | "pop" | "remove" => {
            "values are not changed: build what is needed with `+`, `select` and `reject`"
        }
        "index" | "find" | "count" => "write `x in list`, or `list | length`",
        _ => return None,
    })
}
