//! What comes to a store from around it: git, which changes and hides files, editors that remember, and the scanner.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::project::Project;
use crate::readers::rules;

#[test]
fn vim_is_told_to_remember_nothing() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "hunter2").ends(0);
    for name in ["vim.basic", "nvim", "nano"] {
        project.write(&format!("bin/{name}"), "#!/bin/sh\nprintf '%s\\n' \"$@\" > args\n");
        let path = project.folder().join("bin").join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let bin = project.folder().join("bin");
    symlink(bin.join("vim.basic"), bin.join("alternative")).unwrap();
    symlink("alternative", bin.join("vi")).unwrap();
    symlink("nano", bin.join("ed")).unwrap();
    for (editor, told) in [("vi", true), ("nvim +3", true), ("./bin/vim.basic", true), ("nano", false), ("ed", false)] {
        let commands = format!("export PATH=\"$PWD/bin:$PATH\" EDITOR='{editor}'");
        project.behind(&commands, &["secrets", "edit", "gw"]).ends(0);
        let args = project.read("args");
        assert_eq!(args.starts_with("-n\n-i\nNONE\n"), told, "{editor}: {args}");
        assert_eq!(args.contains("noundofile"), told, "{editor}: {args}");
        assert_eq!(args.contains("+3"), editor.contains("+3"), "{args}");
        assert!(args.trim_end().ends_with("/gw.yaml"), "{args}");
    }
}
