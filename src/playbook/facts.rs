//! Owns the names of facts as templates may read them, so that a wrong one is told before any host is asked.
//!
//! Must not know how they are read; a test of the command line holds both lists against each other.

use minijinja::machinery::ast::Expr;

/// What a host tells of itself.
pub const FACTS: [&str; 11] = [
    "addresses",
    "arch",
    "cpus",
    "hostname",
    "init",
    "interfaces",
    "kernel",
    "memory_mb",
    "os",
    "os_codename",
    "os_version",
];

/// The name that an expression reads as a fact, if it reads one: `facts.X`, `hostvars.NAME.facts.X`. What `is_bound`
/// is something else here.
pub(super) fn read<'a>(expr: &'a Expr<'a>, is_bound: &dyn Fn(&str) -> bool) -> Option<&'a str> {
    let (of, name) = member(expr)?;
    let is_facts = match of {
        Expr::Var(var) => var.id == "facts" && !is_bound("facts"),
        of => member(of).is_some_and(|(of, name)| name == "facts" && is_host(of, is_bound)),
    };
    is_facts.then_some(name)
}

// One of `hostvars`, whichever.
fn is_host(expr: &Expr<'_>, is_bound: &dyn Fn(&str) -> bool) -> bool {
    let of = match expr {
        Expr::GetAttr(get) => &get.expr,
        Expr::GetItem(get) => &get.expr,
        _ => return false,
    };
    matches!(of, Expr::Var(var) if var.id == "hostvars" && !is_bound("hostvars"))
}

// `x.name` and `x["name"]`.
fn member<'a>(expr: &'a Expr<'a>) -> Option<(&'a Expr<'a>, &'a str)> {
    match expr {
        Expr::GetAttr(get) => Some((&get.expr, get.name)),
        Expr::GetItem(get) => match &get.subscript_expr {
            Expr::Const(value) => Some((&get.expr, value.value.as_str()?)),
            _ => None,
        },
        _ => None,
    }
}
