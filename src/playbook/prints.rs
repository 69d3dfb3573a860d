//! Owns which prints of a template can be rendered without the rest of it: those outside of every block that use no name
//! which the template makes itself. So what is wrong with each can be told, though a rendering ends at the first fault.

use std::collections::BTreeSet;
use std::ops::Range;

use minijinja::machinery;
use minijinja::machinery::ast::{Expr, Stmt};

/// More prints of one template are not tried.
const MOST: usize = 50;
/// How many `}}` behind an expression may belong to it.
const CLOSINGS: usize = 4;

/// The text once for each such print, with spaces for all that stands before it: it stands where it stood.
pub(super) fn alone(stmt: &Stmt<'_>, text: &str) -> Vec<String> {
    let Stmt::Template(template) = stmt else { return Vec::new() };
    // Of a template that extends another one, only blocks are printed.
    if template.children.iter().any(|stmt| matches!(stmt, Stmt::Extends(_))) {
        return Vec::new();
    }
    let mut made = BTreeSet::from(["self", "super", "loop", "caller"]);
    made_by(&template.children, &mut made);
    let is_own = |print: &str| print.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| made.contains(word));
    let print = |stmt: &Stmt<'_>| {
        let Stmt::EmitExpr(print) = stmt else { return None };
        let span = print.expr.span();
        let range = whole(text, span.start_offset as usize..span.end_offset as usize)?;
        let print = text.get(range.clone()).filter(|print| !is_own(print))?;
        Some(format!("{}{print}", " ".repeat(range.start)))
    };
    template.children.iter().filter_map(print).take(MOST).collect()
}

// A print with its braces. The engine's stretch of an expression leaves brackets around it out.
fn whole(text: &str, expr: Range<usize>) -> Option<Range<usize>> {
    let start = text.get(..text.len().min(expr.start + 2))?.rfind("{{")?;
    let closings = text.get(expr.end..)?.match_indices("}}").take(CLOSINGS);
    let is_whole = |end: &usize| {
        let inner = text.get(start + 2..*end).unwrap_or_default();
        let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner);
        machinery::parse_expr(inner.strip_suffix(['-', '+']).unwrap_or(inner)).is_ok()
    };
    closings.map(|(at, _)| expr.end + at).find(is_whole).map(|end| start..end + 2)
}

// The names that statements make, wherever they stand.
fn made_by<'a>(stmts: &[Stmt<'a>], made: &mut BTreeSet<&'a str>) {
    for stmt in stmts {
        match stmt {
            Stmt::Set(set) => named(&set.target, made),
            Stmt::SetBlock(set) => named(&set.target, made),
            Stmt::Import(import) => named(&import.name, made),
            Stmt::FromImport(import) => {
                import.names.iter().for_each(|(name, alias)| named(alias.as_ref().unwrap_or(name), made));
            }
            Stmt::Macro(declared) => drop(made.insert(declared.name)),
            Stmt::IfCond(cond) => {
                made_by(&cond.true_body, made);
                made_by(&cond.false_body, made);
            }
            Stmt::ForLoop(each) => {
                made_by(&each.body, made);
                made_by(&each.else_body, made);
            }
            Stmt::WithBlock(with) => made_by(&with.body, made),
            Stmt::AutoEscape(auto) => made_by(&auto.body, made),
            Stmt::FilterBlock(filter) => made_by(&filter.body, made),
            Stmt::Block(block) => made_by(&block.body, made),
            _ => {}
        }
    }
}

fn named<'a>(target: &Expr<'a>, made: &mut BTreeSet<&'a str>) {
    match target {
        Expr::Var(var) => drop(made.insert(var.id)),
        Expr::List(list) => list.items.iter().for_each(|item| named(item, made)),
        Expr::Tuple(list) => list.items.iter().for_each(|item| named(item, made)),
        Expr::GetAttr(get) => named(&get.expr, made),
        _ => {}
    }
}
