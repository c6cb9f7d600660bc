//! The words of findings: what a value is, which ones are allowed, which name was perhaps meant.

use super::yaml::Content;

/// `1 key`, `2 keys`.
pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// `a.b`, or `b` at the root.
pub(super) fn join(field: &str, name: &str) -> String {
    if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") }
}

/// The text of a scalar other than null.
pub(super) fn scalar(content: &Content) -> Option<String> {
    match content {
        Content::Boolean(value) => Some(value.to_string()),
        Content::Integer(value) => Some(value.to_string()),
        Content::Number(value) => Some(value.to_string()),
        Content::Text(text) => Some(format!("{text:?}")),
        Content::Null | Content::List(_) | Content::Map(_) => None,
    }
}

pub(super) fn describe(content: &Content) -> String {
    scalar(content).unwrap_or_else(|| {
        match content {
            Content::List(_) => "a list",
            Content::Map(_) => "a map",
            _ => "nothing",
        }
        .to_owned()
    })
}

pub(super) fn one_of(choices: &[String]) -> String {
    match choices {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [start @ .., last] => format!("{} or {last}", start.join(", ")),
    }
}

/// How many letters must be put in, taken out or replaced.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, above) in b.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = *above;
            left = replaced.min(*above + 1).min(left + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
