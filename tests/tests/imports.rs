//! No two files of a crate import each other.
//!
//! The test reads every path in a file's code that begins with `crate`, `super`, `self` or a child module. A `mod` item
//! is not an import, and a `pub use` is one only if the file uses the name itself. A name that a module imports, and
//! others take from there, counts as taken from its origin.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A module's path from the root of its crate.
type Module = Vec<String>;

/// One crate: a library, a binary or a test, as the compiler reads it from its root file.
#[derive(Default)]
struct Crate {
    files: Vec<(PathBuf, TokenStream)>,
    /// The file of every module. An inline module has the file that it stands in.
    modules: BTreeMap<Module, usize>,
    /// The names that a module imports, with their paths.
    imports: BTreeMap<(Module, String), Vec<String>>,
    /// The importing and the imported file, with one path as an example.
    edges: BTreeMap<(usize, usize), String>,
}

impl Crate {
    fn read(root: &Path) -> Self {
        let mut this = Self::default();
        this.add_file(root, Vec::new(), root.parent().unwrap());
        for module in this.file_modules() {
            let (_, tokens) = &this.files[this.modules[&module]];
            this.visit(&tokens.clone(), &module, &mut Self::note_import);
        }
        for module in this.file_modules() {
            let (_, tokens) = &this.files[this.modules[&module]];
            this.visit(&tokens.clone(), &module, &mut Self::note_edge);
        }
        this
    }

    /// The modules that have a file of their own.
    fn file_modules(&self) -> Vec<Module> {
        let mut seen = BTreeSet::new();
        let mut modules: Vec<_> = self.modules.iter().collect();
        modules.sort_by_key(|(module, _)| module.len());
        modules.into_iter().filter(|(_, file)| seen.insert(**file)).map(|(module, _)| module.clone()).collect()
    }

    /// Reads a file and those of its child modules, which are in `children`.
    fn add_file(&mut self, path: &Path, module: Module, children: &Path) {
        let text = fs::read_to_string(path).unwrap();
        let parsed = text.parse().map_err(|error| format!("{}: {error}", path.display()));
        let tokens: TokenStream = parsed.unwrap();
        self.files.push((path.to_owned(), tokens.clone()));
        self.add_modules(tokens, &module, self.files.len() - 1, children);
    }

    fn add_modules(&mut self, tokens: TokenStream, module: &Module, file: usize, children: &Path) {
        self.modules.insert(module.clone(), file);
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut path_attribute = None;
        for (at, token) in tokens.iter().enumerate() {
            if let TokenTree::Group(group) = token
                && let Some(path) = path_of_attribute(group.stream())
            {
                path_attribute = Some(path);
            }
            let Some((name, body)) = module_at(&tokens, at) else { continue };
            let child = [module.as_slice(), std::slice::from_ref(&name)].concat();
            match body {
                Some(body) => self.add_modules(body, &child, file, &children.join(&name)),
                None => {
                    let beside = self.files[file].0.parent().unwrap().to_owned();
                    let named = path_attribute.take().map(|path| beside.join(path));
                    let flat = children.join(format!("{name}.rs"));
                    let nested = children.join(&name).join("mod.rs");
                    let path = named.unwrap_or(if flat.exists() { flat } else { nested });
                    let below = if path.ends_with("mod.rs") { path.parent().unwrap() } else { &children.join(&name) };
                    self.add_file(&path, child, below);
                }
            }
        }
    }

    /// Hands every path in the code of a module to `note`, with `true` for one of a `use` item.
    fn visit(&mut self, tokens: &TokenStream, module: &Module, note: &mut dyn FnMut(&mut Self, &Module, &Import)) {
        let tokens: Vec<_> = tokens.clone().into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            if let Some((name, Some(body))) = module_at(&tokens, at) {
                self.visit(&body, &[module.as_slice(), &[name]].concat(), note);
                at += 3;
            } else if let TokenTree::Group(group) = token {
                self.visit(&group.stream(), module, note);
                at += 1;
            } else if ident(Some(token)).is_some() && !follows_separator(&tokens, at) {
                let is_use = at > 0 && ident(tokens.get(at - 1)).as_deref() == Some("use");
                let is_public = is_use && at > 1 && is_visibility(&tokens[at - 2]);
                let mut found = Vec::new();
                at = paths(&tokens, at, &[], &mut found);
                for (segments, name) in found.into_iter().filter(|(segments, _)| segments.len() > 1) {
                    note(self, module, &Import { segments, name: name.filter(|_| is_use), is_public });
                }
            } else {
                at += 1;
            }
        }
    }

    fn note_import(&mut self, module: &Module, import: &Import) {
        if let Some(name) = &import.name {
            self.imports.insert((module.clone(), name.clone()), import.segments.clone());
        }
    }

    fn note_edge(&mut self, module: &Module, import: &Import) {
        let from = self.modules[module];
        let name = import.name.as_deref().unwrap_or_default();
        if import.is_public && occurrences(&self.files[from].1, name) == 1 {
            return;
        }
        if let Some(to) = self.resolve(module, &import.segments, 0).filter(|to| *to != from) {
            self.edges.entry((from, to)).or_insert_with(|| import.segments.join("::"));
        }
    }

    /// The file of this crate in which the path ends, if it is a path into this crate.
    fn resolve(&self, module: &Module, segments: &[String], depth: usize) -> Option<usize> {
        let mut rest = segments.iter();
        let mut at = match rest.next()?.as_str() {
            "crate" => Vec::new(),
            "self" => module.clone(),
            "super" => module.split_last()?.1.to_vec(),
            name => {
                let child = [module.as_slice(), &[name.to_owned()]].concat();
                self.modules.contains_key(&child).then_some(child)?
            }
        };
        for segment in rest {
            if segment == "super" {
                at.pop();
                continue;
            }
            at.push(segment.clone());
            if !self.modules.contains_key(&at) {
                let name = at.pop()?;
                return match self.imports.get(&(at.clone(), name)) {
                    Some(origin) if depth < 8 && origin != segments => self.resolve(&at, origin, depth + 1),
                    _ => self.modules.get(&at).copied(),
                };
            }
        }
        self.modules.get(&at).copied()
    }

    /// Every two files that import each other.
    fn circles(&self) -> Vec<String> {
        let name = |file: usize| self.files[file].0.display();
        let both = self.edges.iter().filter(|((from, to), _)| from < to);
        both.filter_map(|((from, to), path)| {
            let back = self.edges.get(&(*to, *from))?;
            Some(format!("{} ({path}) and {} ({back})", name(*from), name(*to)))
        })
        .collect()
    }
}

/// A path in the code, and the name under which a `use` item makes it known.
struct Import {
    segments: Vec<String>,
    name: Option<String>,
    /// `true` if the item is a `pub use`.
    is_public: bool,
}

fn ident(token: Option<&TokenTree>) -> Option<String> {
    match token {
        Some(TokenTree::Ident(ident)) => Some(ident.to_string()),
        _ => None,
    }
}

fn is_punct(token: Option<&TokenTree>, character: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

fn is_separator(tokens: &[TokenTree], at: usize) -> bool {
    is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':')
}

/// Returns `true` if this is `pub`, or the parenthesis of `pub(crate)` and the like.
fn is_visibility(token: &TokenTree) -> bool {
    match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Parenthesis,
        token => ident(Some(token)).as_deref() == Some("pub"),
    }
}

/// The number of times that the code has this identifier.
fn occurrences(code: &TokenStream, name: &str) -> usize {
    let count = |token| match token {
        TokenTree::Group(group) => occurrences(&group.stream(), name),
        TokenTree::Ident(ident) => usize::from(ident == name),
        _ => 0,
    };
    code.clone().into_iter().map(count).sum()
}

fn follows_separator(tokens: &[TokenTree], at: usize) -> bool {
    at >= 2 && is_separator(tokens, at - 2)
}

/// The module item that begins here: its name, and its body if it is inline.
fn module_at(tokens: &[TokenTree], at: usize) -> Option<(String, Option<TokenStream>)> {
    if ident(tokens.get(at))? != "mod" {
        return None;
    }
    let name = ident(tokens.get(at + 1))?;
    match tokens.get(at + 2) {
        Some(TokenTree::Group(body)) if body.delimiter() == Delimiter::Brace => Some((name, Some(body.stream()))),
        semicolon if is_punct(semicolon, ';') => Some((name, None)),
        _ => None,
    }
}

/// The file named by an attribute `path = "…"`.
fn path_of_attribute(attribute: TokenStream) -> Option<String> {
    let tokens: Vec<_> = attribute.into_iter().collect();
    let [TokenTree::Ident(name), TokenTree::Punct(_), TokenTree::Literal(path)] = tokens.as_slice() else {
        return None;
    };
    (name == "path").then(|| path.to_string().trim_matches('"').to_owned())
}

/// Adds every path that begins at this identifier, those in braces one by one, each with the name that a `use` gives
/// it. Returns the place behind them.
fn paths(
    tokens: &[TokenTree],
    mut at: usize,
    prefix: &[String],
    found: &mut Vec<(Vec<String>, Option<String>)>,
) -> usize {
    let mut segments = prefix.to_vec();
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(segment)) => segments.push(segment.to_string()),
            Some(TokenTree::Punct(star)) if star.as_char() == '*' => segments.push("*".to_owned()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let members: Vec<_> = group.stream().into_iter().collect();
                for member in members.split(|token| is_punct(Some(token), ',')).filter(|member| !member.is_empty()) {
                    paths(member, 0, &segments, found);
                }
                return at + 1;
            }
            // A generic argument: the path ends before it.
            _ => break,
        }
        at += 1;
        if !is_separator(tokens, at) {
            break;
        }
        at += 2;
    }
    if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
        segments.pop();
    }
    let renamed = ident(tokens.get(at)).filter(|word| word == "as").and_then(|_| ident(tokens.get(at + 1)));
    let name = renamed.or_else(|| segments.last().cloned());
    found.push((segments, name));
    at
}

/// The root files of all crates in the packages below a folder.
fn roots(folder: &Path) -> Vec<PathBuf> {
    let mut roots = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let hidden = |path: &Path| path.file_name().unwrap().to_string_lossy().starts_with('.');
        folders.extend(entries.filter(|path| path.is_dir() && !path.ends_with("target") && !hidden(path)));
        if !folder.join("Cargo.toml").exists() {
            continue;
        }
        roots.extend(["src/lib.rs", "src/main.rs"].map(|root| folder.join(root)));
        for tests in ["tests", "src/bin", "fuzz_targets", "benches", "examples"] {
            let entries = fs::read_dir(folder.join(tests)).into_iter().flatten().map(|entry| entry.unwrap().path());
            roots.extend(entries.flat_map(|path| [path.join("main.rs"), path]));
        }
    }
    roots.retain(|root| root.extension().is_some_and(|extension| extension == "rs") && root.is_file());
    roots.sort();
    roots
}

#[test]
fn no_two_files_of_a_crate_import_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let roots = roots(&root);
    assert!(roots.len() > 60, "{} crates", roots.len());
    let circles: Vec<_> = roots.iter().flat_map(|root| Crate::read(root).circles()).collect();
    assert!(circles.is_empty(), "{}", circles.join("\n").replace(&format!("{}/", root.display()), ""));
}

/// The circles of a crate of these files, of which the first is the root.
fn circles(files: &[(&str, &str)]) -> usize {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    Crate::read(&folder.path().join(files[0].0)).circles().len()
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    let root = ("lib.rs", "mod a; mod b;");
    let b = ("b.rs", "use crate::a::A; struct B;");
    for a in [
        "use crate::b::B;",
        "use super::b::B;",
        "use crate::{b::{B as C}, x};",
        "use crate::b;",
        "fn f() { crate::b::B::new(vec![1]) }",
        "fn f() { println!(\"{}\", super::b::B) }",
        "mod inner { use super::super::b::B; }",
        "#[cfg(test)] mod tests { use crate::b::*; }",
    ] {
        assert_eq!(circles(&[root, ("a.rs", a), b]), 1, "{a}");
    }
    for parent in ["mod a; use a::A; struct Y;", "mod a; pub(crate) use a::A; struct Y(A);"] {
        for child in ["use super::Y; struct A;", "struct A(crate::Y);", "use super::*;"] {
            assert_eq!(circles(&[("lib.rs", parent), ("a.rs", child)]), 1, "{parent} {child}");
        }
    }
    let nested = [("lib.rs", "mod a;"), ("a.rs", "mod b; use self::b::B; struct Y;"), ("a/b.rs", "use super::Y;")];
    assert_eq!(circles(&nested), 1);
    let moved = [("lib.rs", "#[path = \"z.rs\"] mod a; use a::A; struct Y;"), ("z.rs", "use crate::Y;")];
    assert_eq!(circles(&moved), 1);
}

#[test]
fn a_path_in_one_direction_is_not_a_circle() {
    let b = ("b.rs", "use crate::a::A; struct B;");
    for a in
        ["", "// use crate::b::B;\n", "const TEXT: &str = \"crate::b::B\";", "use std::b::B;", "fn b() { b::<u8>() }"]
    {
        assert_eq!(circles(&[("lib.rs", "mod a; mod b;"), ("a.rs", a), b]), 0, "{a}");
    }
    for (parent, child) in [
        ("mod a; struct Y;", "use super::Y; struct A;"),
        ("mod a; use a::A;", "struct A;"),
        ("mod a; use a::A; use std::fmt;", "use super::fmt; struct A;"),
        ("mod a; pub use a::A;", "struct A; #[cfg(test)] mod tests { use super::*; use crate::A; }"),
        ("mod a; pub use a::A; struct Y;", "use super::Y; struct A;"),
        ("mod a; pub(crate) use a::{A, B}; struct Y;", "use super::Y; struct A; struct B;"),
    ] {
        assert_eq!(circles(&[("lib.rs", parent), ("a.rs", child)]), 0, "{child}");
    }
    let exported = [("lib.rs", "mod a; mod b; pub use a::A; pub use b::B;"), ("a.rs", "use crate::B;"), ("b.rs", "")];
    assert_eq!(circles(&exported), 0);
}
