//! Sizes: a file that one can read at a sitting, a function that fits a screen.

use std::collections::BTreeMap;

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use super::tree::{Source, report, sources};

/// Lines of a file outside tests and tables.
const FILE_LINES_MAX: usize = 800;
/// Lines of a function, signature included. There is no list of exceptions.
const FUNCTION_LINES_MAX: usize = 70;
/// A file is a table when less than this share of its lines is inside functions.
const TABLE_SHARE_MAX: f64 = 0.25;

/// Functions with their lines, where they begin, and whether they are tests.
#[derive(Default)]
struct Functions {
    found: Vec<(String, usize, usize)>,
    in_tests: usize,
}

impl Functions {
    fn add(&mut self, name: &syn::Ident, whole: proc_macro2::Span) {
        if self.in_tests == 0 {
            let lines = whole.end().line + 1 - name.span().start().line;
            self.found.push((name.to_string(), name.span().start().line, lines));
        }
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.add(&function.sig.ident, function.block.span());
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.add(&function.sig.ident, function.block.span());
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let test = module.attrs.iter().any(|attribute| {
            attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Ident>().is_ok_and(|what| what == "test")
        });
        self.in_tests += usize::from(test);
        visit::visit_item_mod(self, module);
        self.in_tests -= usize::from(test);
    }
}

fn functions(source: &Source) -> Vec<(String, usize, usize)> {
    let file = syn::parse_file(&source.text);
    let file = file.unwrap_or_else(|error| panic!("{} cannot be parsed: {error}", source.path));
    let mut functions = Functions::default();
    functions.visit_file(&file);
    functions.found
}

/// Lines before the tests that stand at a file's end.
fn lines_without_tests(text: &str) -> usize {
    text.split("#[cfg(test)]\nmod ").next().unwrap_or_default().lines().count()
}

#[test]
fn files_and_functions_stay_small() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| source.is_rust() && !source.is_test()) {
        let functions = functions(source);
        for (name, line, lines) in functions.iter().filter(|(_, _, lines)| *lines > FUNCTION_LINES_MAX) {
            found.push(format!("{}:{line}: {name} has {lines} lines", source.path));
        }
        let lines = lines_without_tests(&source.text);
        // Nested functions count once: by the outermost line that they begin on.
        let inside: BTreeMap<usize, usize> =
            functions.iter().map(|(_, line, lines)| (*line, *lines)).collect();
        let inside = inside.values().sum::<usize>() as f64;
        if lines > FILE_LINES_MAX && inside > lines as f64 * TABLE_SHARE_MAX {
            found.push(format!("{}: {lines} lines", source.path));
        }
    }
    report("files have at most 800 lines, functions 70", &found);
}

#[test]
fn a_long_function_is_seen() {
    let body = "    let _ = 1;\n".repeat(FUNCTION_LINES_MAX);
    let text =
        format!("impl A {{\nfn long() {{\n{body}}}\n}}\n#[cfg(test)]\nmod tests {{ fn t() {{\n{body}}} }}\n");
    let source = Source { path: "a.rs".to_owned(), text };
    assert_eq!(functions(&source), [("long".to_owned(), 2, FUNCTION_LINES_MAX + 2)]);
    assert_eq!(lines_without_tests(&source.text), FUNCTION_LINES_MAX + 4);
}
