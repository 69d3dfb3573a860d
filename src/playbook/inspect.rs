//! Owns a look at a template's syntax tree with the values it will meet: where a secret is put to a use that would
//! tell about it, which name in a failed expression is undefined, and which names are wrong whatever a host says.
//!
//! The engine compares a text with an object without asking the object, so that `secret == "x"` has to be found here.
//! What cannot be followed (parameters of macros, computed keys) is unknown and passes; the hooks of the secret and
//! the sentinels still keep its content out of reach then.

use std::collections::HashMap;
use std::ops::Range;

use minijinja::Value;
use minijinja::machinery::Span;
use minijinja::machinery::ast::{BinOpKind, CallArg, Expr, Stmt};

use super::facts::{self, FACTS};
use super::filters::{is_filter, is_test, takes_secrets};
use super::taint::Tainted;

const MOST: usize = 1000;

// The one function that gives secrets.
const FUNCTION: &str = "secret";

/// Gives the values that a template meets.
#[derive(Clone, Copy)]
pub(super) struct Lookup<'a> {
    /// Of a variable of the context.
    pub variable: &'a dyn Fn(&str) -> Option<Value>,
    /// Of a secret of the store, by its name where that is known.
    pub secret: &'a dyn Fn(Option<&str>) -> Value,
}

/// A use of a secret that is not allowed.
#[derive(Debug)]
pub(super) struct Misuse {
    pub range: Range<usize>,
    pub secret: String,
    pub how: String,
}

/// A name that is not defined.
#[derive(Debug)]
pub(super) struct Missing {
    pub range: Range<usize>,
    /// The part of the path that is missing.
    pub name: String,
    /// What it was looked for in, if not among the variables.
    pub parent: Option<String>,
    /// What is there.
    pub known: Vec<String>,
}

/// What a name was taken for that means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Fact,
    Filter,
    Test,
}

/// A name that means nothing on any host.
#[derive(Debug)]
pub(super) struct Wrong {
    pub range: Range<usize>,
    pub name: String,
    pub taken: Taken,
}

/// What was found in a template, and which templates it names.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub misuse: Option<Misuse>,
    pub missing: Option<Missing>,
    pub wrong: Option<Wrong>,
    pub templates: Vec<String>,
}

/// Looks at a template; undefined names are looked for within a range only.
pub(super) fn template(stmt: &Stmt<'_>, lookup: Lookup<'_>, within: Option<Range<usize>>) -> Found {
    let mut visitor = Visitor { lookup, within, found: Found::default(), scopes: vec![HashMap::new()], printed: None };
    visitor.stmt(stmt);
    visitor.found
}

/// Looks at an expression; as the condition of a `when` it may not be a secret itself.
pub(super) fn expression(expr: &Expr<'_>, lookup: Lookup<'_>, within: Option<Range<usize>>) -> Found {
    let mut visitor = Visitor { lookup, within, found: Found::default(), scopes: vec![HashMap::new()], printed: None };
    visitor.eval(expr);
    visitor.found
}

// The values that an expression may have; `None` = cannot be told.
type Values = Option<Vec<Value>>;

struct Visitor<'a> {
    lookup: Lookup<'a>,
    within: Option<Range<usize>>,
    found: Found,
    scopes: Vec<HashMap<String, Values>>,
    // The first secret that was printed in the block at hand.
    printed: Option<Value>,
}

fn range(span: Span) -> Range<usize> {
    span.start_offset as usize..span.end_offset as usize
}

fn secret_of(values: &Values) -> Option<Value> {
    values.iter().flatten().find(|value| value.downcast_object_ref::<Tainted>().is_some()).cloned()
}

fn secret(values: &Values) -> Option<String> {
    secret_of(values)?.downcast_object_ref::<Tainted>().map(Tainted::names)
}

fn both(a: Values, b: Values) -> Values {
    match (a, b) {
        (Some(mut a), Some(b)) => {
            a.extend(b);
            Some(a)
        }
        // A secret among the known half must not get lost.
        (Some(known), None) | (None, Some(known)) if secret(&Some(known.clone())).is_some() => Some(known),
        _ => None,
    }
}

impl Visitor<'_> {
    fn forbid(&mut self, values: &Values, span: Span, how: impl Into<String>) {
        if let Some(secret) = secret(values)
            && self.found.misuse.is_none()
        {
            self.found.misuse = Some(Misuse { range: range(span), secret, how: how.into() });
        }
    }

    fn refuse(&mut self, expr: &Expr<'_>, how: &str) {
        let values = self.eval(expr);
        self.forbid(&values, expr.span(), how);
    }

    fn wrong(&mut self, span: Span, name: &str, taken: Taken) {
        self.found.wrong.get_or_insert_with(|| Wrong { range: range(span), name: name.to_owned(), taken });
    }

    // A fact that no host tells: an undefined name whose parent is not there yet.
    fn fact(&mut self, expr: &Expr<'_>) {
        let is_bound = |name: &str| self.scopes.iter().any(|scope| scope.contains_key(name));
        if let Some(name) = facts::read(expr, &is_bound).filter(|name| !FACTS.contains(name)) {
            let name = name.to_owned();
            self.wrong(expr.span(), &name, Taken::Fact);
        }
    }

    fn bind(&mut self, target: &Expr<'_>, values: Values) {
        match target {
            Expr::Var(var) => {
                if let Some(scope) = self.scopes.last_mut() {
                    scope.insert(var.id.to_owned(), values);
                }
            }
            Expr::List(list) => list.items.iter().for_each(|item| self.bind(item, None)),
            Expr::Tuple(list) => list.items.iter().for_each(|item| self.bind(item, None)),
            _ => {}
        }
    }

    // Whether what is called is `secret`, by this name or by one that it was given; the function is taken for a secret
    // itself, so that it cannot get lost either.
    fn gives_secrets(&mut self, callee: &Expr<'_>) -> bool {
        match callee {
            Expr::Var(var) => match self.scopes.iter().rev().find_map(|scope| scope.get(var.id)) {
                Some(values) => secret(values).is_some(),
                None => var.id == FUNCTION,
            },
            Expr::GetAttr(method) => {
                let base = self.eval(&method.expr);
                self.forbid(&base, method.expr.span(), "a method of it");
                let key = Value::from(method.name);
                let members = base.iter().flatten().filter_map(|base| base.get_item(&key).ok()).collect();
                secret(&Some(members)).is_some()
            }
            other => {
                let values = self.eval(other);
                secret(&values).is_some()
            }
        }
    }

    fn inside(&mut self, body: impl FnOnce(&mut Self)) {
        self.scopes.push(HashMap::new());
        body(self);
        self.scopes.pop();
    }

    fn body(&mut self, stmts: &[Stmt<'_>]) {
        stmts.iter().for_each(|stmt| self.stmt(stmt));
    }

    fn named(&mut self, expr: &Expr<'_>) {
        let named = self.eval(expr);
        for value in named.into_iter().flatten() {
            match value.as_str() {
                Some(name) => self.found.templates.push(name.to_owned()),
                None => {
                    let names = value.try_iter().into_iter().flatten();
                    self.found.templates.extend(names.filter_map(|name| name.as_str().map(str::to_owned)));
                }
            }
        }
    }

    fn stmt(&mut self, stmt: &Stmt<'_>) {
        match stmt {
            Stmt::Template(template) => self.body(&template.children),
            Stmt::EmitExpr(emit) => {
                let values = self.eval(&emit.expr);
                self.printed = self.printed.take().or(secret_of(&values));
            }
            Stmt::EmitRaw(_) => {}
            Stmt::ForLoop(each) => {
                let list = self.eval(&each.iter);
                self.forbid(&list, each.iter.span(), "a loop over it");
                let items = list.map(|lists| {
                    let items = lists.iter().filter_map(|list| list.try_iter().ok()).flatten();
                    items.take(MOST).collect()
                });
                self.inside(|this| {
                    this.bind(&each.target, items);
                    this.scopes.last_mut().map(|scope| scope.insert("loop".into(), None));
                    if let Some(filter) = &each.filter_expr {
                        this.refuse(filter, "a condition");
                    }
                    this.body(&each.body);
                });
                self.body(&each.else_body);
            }
            Stmt::IfCond(cond) => {
                self.refuse(&cond.expr, "a condition");
                self.body(&cond.true_body);
                self.body(&cond.false_body);
            }
            Stmt::WithBlock(with) => self.inside(|this| {
                for (target, expr) in &with.assignments {
                    let values = this.eval(expr);
                    this.bind(target, values);
                }
                this.body(&with.body);
            }),
            Stmt::Set(set) => {
                let values = self.eval(&set.expr);
                self.bind(&set.target, values);
            }
            Stmt::SetBlock(set) => {
                // A block that prints a secret is as secret as that.
                let before = self.printed.take();
                self.body(&set.body);
                let printed = std::mem::replace(&mut self.printed, before);
                self.bind(&set.target, printed.map(|value| vec![value]));
            }
            Stmt::AutoEscape(auto) => self.body(&auto.body),
            Stmt::FilterBlock(filter) => self.body(&filter.body),
            Stmt::Block(block) => self.body(&block.body),
            Stmt::Import(import) => {
                self.named(&import.expr);
                self.bind(&import.name, None);
            }
            Stmt::FromImport(import) => {
                self.named(&import.expr);
                for (name, alias) in &import.names {
                    self.bind(alias.as_ref().unwrap_or(name), None);
                }
            }
            Stmt::Extends(extends) => self.named(&extends.name),
            Stmt::Include(include) => self.named(&include.name),
            Stmt::Macro(declared) => self.declare(declared.name, &declared.args, &declared.body),
            Stmt::CallBlock(call) => {
                self.args(&call.call.args, None);
                self.inside(|this| {
                    call.macro_decl.args.iter().for_each(|arg| this.bind(arg, None));
                    this.body(&call.macro_decl.body);
                });
            }
            Stmt::Do(call) => drop(self.args(&call.call.args, None)),
        }
    }

    fn declare(&mut self, name: &str, args: &[Expr<'_>], body: &[Stmt<'_>]) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name.to_owned(), None);
        }
        self.inside(|this| {
            args.iter().for_each(|arg| this.bind(arg, None));
            this.scopes.last_mut().map(|scope| scope.insert("caller".into(), None));
            this.body(body);
        });
    }

    fn args(&mut self, args: &[CallArg<'_>], refused: Option<&str>) -> Values {
        let mut first = None;
        for (at, arg) in args.iter().enumerate() {
            let (CallArg::Pos(expr) | CallArg::Kwarg(_, expr) | CallArg::PosSplat(expr) | CallArg::KwargSplat(expr)) =
                arg;
            let values = self.eval(expr);
            if let Some(how) = refused {
                self.forbid(&values, expr.span(), how);
            }
            if at == 0 {
                first = values;
            }
        }
        first
    }

    fn eval(&mut self, expr: &Expr<'_>) -> Values {
        match expr {
            Expr::Const(value) => Some(vec![value.value.clone()]),
            Expr::Var(var) => {
                if let Some(values) = self.scopes.iter().rev().find_map(|scope| scope.get(var.id)) {
                    return values.clone();
                }
                let function = || (var.id == FUNCTION).then(|| (self.lookup.secret)(None));
                let value = (self.lookup.variable)(var.id).or_else(function);
                if value.is_none() {
                    self.missing(expr.span(), var.id, None, Vec::new());
                }
                value.map(|value| vec![value])
            }
            Expr::GetAttr(get) => {
                self.fact(expr);
                let base = self.eval(&get.expr);
                self.forbid(&base, expr.span(), "a look into it");
                self.member(expr.span(), &base, &Value::from(get.name))
            }
            Expr::GetItem(get) => {
                self.fact(expr);
                let base = self.eval(&get.expr);
                self.forbid(&base, expr.span(), "a look into it");
                let key = self.eval(&get.subscript_expr);
                self.forbid(&key, get.subscript_expr.span(), "a key");
                match key.as_deref() {
                    Some([key]) => self.member(expr.span(), &base, key),
                    _ => None,
                }
            }
            Expr::Slice(slice) => {
                let base = self.eval(&slice.expr);
                self.forbid(&base, expr.span(), "a slice of it");
                None
            }
            Expr::UnaryOp(op) => {
                self.refuse(&op.expr, "an operator");
                None
            }
            Expr::BinOp(op) => {
                let how = match op.op {
                    BinOpKind::Concat | BinOpKind::Add => "a concatenation",
                    BinOpKind::ScAnd | BinOpKind::ScOr => "a condition",
                    _ => "a comparison",
                };
                let sides = [self.eval(&op.left), self.eval(&op.right)];
                for values in &sides {
                    self.forbid(values, expr.span(), how);
                }
                None
            }
            Expr::Compare(compare) => {
                let first = self.eval(&compare.expr);
                self.forbid(&first, expr.span(), "a comparison");
                for op in &compare.ops {
                    let values = self.eval(&op.expr);
                    self.forbid(&values, expr.span(), "a comparison");
                }
                None
            }
            Expr::IfExpr(cond) => {
                self.refuse(&cond.test_expr, "a condition");
                let yes = self.eval(&cond.true_expr);
                let no = cond.false_expr.as_ref().map_or(Some(Vec::new()), |expr| self.eval(expr));
                both(yes, no)
            }
            Expr::Filter(filter) => {
                if !is_filter(filter.name) {
                    self.wrong(expr.span(), filter.name, Taken::Filter);
                }
                let default = matches!(filter.name, "default" | "d");
                // `default` is there for what is not defined.
                let within = if default { self.within.take() } else { None };
                let of = filter.expr.as_ref().and_then(|inner| self.eval(inner));
                if default {
                    self.within = within;
                }
                if !takes_secrets(filter.name) {
                    self.forbid(&of, expr.span(), format!("the filter `{}`", filter.name));
                }
                let refused = (!default).then_some("an argument of a filter");
                let first = self.args(&filter.args, refused);
                match default {
                    true => both(of, first),
                    false => of.filter(|_| takes_secrets(filter.name)),
                }
            }
            Expr::Test(test) => {
                if !is_test(test.name) {
                    self.wrong(expr.span(), test.name, Taken::Test);
                }
                let harmless = matches!(test.name, "defined" | "undefined" | "none");
                let within = if harmless { self.within.take() } else { None };
                let of = self.eval(&test.expr);
                if harmless {
                    self.within = within;
                } else {
                    self.forbid(&of, expr.span(), format!("the test `{}`", test.name));
                }
                self.args(&test.args, Some("an argument of a test"));
                None
            }
            Expr::Call(call) => {
                if self.gives_secrets(&call.expr) {
                    let names = self.args(&call.args, Some("a name"));
                    let name = names.as_deref().and_then(|names| names.first()?.as_str());
                    return Some(vec![(self.lookup.secret)(name)]);
                }
                self.args(&call.args, None);
                None
            }
            Expr::List(list) => self.list(&list.items),
            Expr::Tuple(list) => self.list(&list.items),
            Expr::Map(map) => {
                let mut pairs = Vec::new();
                for (key, value) in map.keys.iter().zip(&map.values) {
                    let (key, value) = (self.eval(key), self.eval(value));
                    for key in key.into_iter().flatten() {
                        pairs.extend(value.iter().flatten().map(|value| (key.clone(), value.clone())));
                    }
                }
                Some(vec![Value::from_pairs(pairs)])
            }
        }
    }

    // Unknown items are left out: what matters is whether a secret is among the known ones.
    fn list(&mut self, items: &[Expr<'_>]) -> Values {
        let values: Vec<Value> = items.iter().filter_map(|item| self.eval(item)).flatten().collect();
        Some(vec![Value::from(values)])
    }

    fn member(&mut self, span: Span, base: &Values, key: &Value) -> Values {
        let mut values = Vec::new();
        for parent in base.as_ref()?.iter().take(MOST) {
            match parent.get_item(key) {
                Ok(value) if !value.is_undefined() => values.push(value),
                _ => {
                    let known = match parent.kind() {
                        minijinja::value::ValueKind::Map => {
                            parent.try_iter().into_iter().flatten().map(|key| key.to_string()).collect()
                        }
                        _ => Vec::new(),
                    };
                    let kind = parent.kind().to_string();
                    self.missing(span, &key.to_string(), Some(kind), known);
                }
            }
        }
        Some(values)
    }

    fn missing(&mut self, span: Span, name: &str, parent: Option<String>, known: Vec<String>) {
        let at = range(span);
        let wanted = self.within.as_ref().is_some_and(|within| within.start <= at.start && at.end <= within.end);
        if wanted && self.found.missing.is_none() {
            self.found.missing = Some(Missing { range: at, name: name.to_owned(), parent, known });
        }
    }
}
