//! The reader of Java's `.properties` format (java.util.Properties.load): comments, continued lines, escapes,
//! `=`, `:` or a blank between key and value. Each pair keeps the line where it begins.

use std::sync::Arc;

use super::problem::{Origin, Problem};

/// The largest file that is read, in bytes; a configuration has a few thousand.
pub const FILE_BYTES_MAX: usize = 4 << 20;

/// One pair of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// The key, escapes resolved.
    pub key: String,
    /// The value, escapes resolved.
    pub value: String,
    /// The line where the pair begins, counted from 1.
    pub line: u32,
}

/// Reads a file's text: its pairs, and a problem for every line with a bad `\u` escape, or one for a text that
/// is too long.
pub fn parse(text: &str, file_name: &str) -> (Vec<Property>, Vec<Problem>) {
    let name: Arc<str> = Arc::from(file_name);
    let problem = |line: u32, message: String| Problem {
        origin: Origin::File { name: Arc::clone(&name), line },
        key: String::new(),
        value: None,
        message,
    };
    if text.len() > FILE_BYTES_MAX {
        let message = format!("the file is larger than {FILE_BYTES_MAX} bytes");
        return (Vec::new(), vec![problem(1, message)]);
    }
    let mut properties = Vec::new();
    let mut problems = Vec::new();
    for (line, logical) in logical_lines(text) {
        let (key, value) = split_pair(&logical);
        match (unescape(key), unescape(value)) {
            (Ok(key), Ok(value)) => properties.push(Property { key, value, line }),
            (Err(escape), _) | (_, Err(escape)) => {
                problems
                    .push(problem(line, format!("\\u{escape} is not an escape; write \\u and 4 hex digits")));
            }
        }
    }
    (properties, problems)
}

/// Lines with their continuations joined and comments left out; the number is the first line's.
fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let mut lines: Vec<(u32, String)> = Vec::new();
    let mut open: Option<(u32, String)> = None;
    // A byte order mark is no part of the first key.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, natural) in (1u32..).zip(natural_lines(text)) {
        let content = natural.trim_start_matches([' ', '\t', '\x0c']);
        if open.is_none() && (content.is_empty() || content.starts_with(['#', '!'])) {
            continue;
        }
        let (first, mut joined) = open.take().unwrap_or((number, String::new()));
        // An odd number of backslashes at the end: the last one continues the line.
        let backslashes = content.len() - content.trim_end_matches('\\').len();
        if backslashes % 2 == 1 {
            joined.push_str(content.get(..content.len() - 1).unwrap_or_default());
            open = Some((first, joined));
        } else {
            joined.push_str(content);
            lines.push((first, joined));
        }
    }
    lines.extend(open);
    lines
}

/// Lines end with CR, LF, or both.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let here = rest?;
        let Some(end) = here.find(['\r', '\n']) else {
            rest = None;
            return Some(here);
        };
        let (line, after) = here.split_at(end);
        rest = after.strip_prefix("\r\n").or_else(|| after.get(1..));
        Some(line)
    })
}

/// The key ends at the first `=`, `:` or blank without a backslash before it.
fn split_pair(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c| {
        let ends = !escaped && matches!(c, '=' | ':' | ' ' | '\t' | '\x0c');
        escaped = c == '\\' && !escaped;
        ends
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let blank = [' ', '\t', '\x0c'];
    let rest = rest.trim_start_matches(blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(blank))
}

/// Resolves `\t`, `\n`, `\r`, `\f` and `\uXXXX` (surrogate pairs too); any other escaped character stands for itself.
fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    let mut units: Vec<u16> = Vec::new();
    while let Some(c) = chars.next() {
        let escape = if c == '\\' { chars.next() } else { None };
        if escape == Some('u') {
            let digits: String = chars.by_ref().take(4).collect();
            let hex = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
            units.push(u16::from_str_radix(&digits, 16).ok().filter(|_| hex).ok_or(digits)?);
            continue;
        }
        flush_units(&mut units, &mut out);
        match (c, escape) {
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('r')) => out.push('\r'),
            ('\\', Some('f')) => out.push('\x0c'),
            ('\\', Some(other)) => out.push(other),
            ('\\', None) => {}
            (other, _) => out.push(other),
        }
    }
    flush_units(&mut units, &mut out);
    Ok(out)
}

/// Appends UTF-16 units as text; a lone surrogate becomes the replacement character.
fn flush_units(units: &mut Vec<u16>, out: &mut String) {
    out.push_str(&String::from_utf16_lossy(units));
    units.clear();
}
