//! What a topic may be called.

use crate::image::MetadataImage;

/// The longest topic name: with a partition number it must be a folder's name.
pub const TOPIC_NAME_MAX: usize = 249;

/// What is wrong with a name, as the end of a sentence; `None` when it is a legal one.
#[must_use]
pub fn topic_name_problem(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("the empty string is not allowed".to_owned());
    }
    if name == "." || name == ".." {
        return Some(format!("'{name}' is not allowed"));
    }
    if name.len() > TOPIC_NAME_MAX {
        return Some(format!(
            "the length of '{name}' is longer than the max allowed length {TOPIC_NAME_MAX}"
        ));
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (!name.chars().all(legal)).then(|| {
        format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
    })
}

/// The topic that `name` would collide with: metrics write `.` and `_` alike, so that only one of two names that
/// differ in nothing else may exist.
pub(super) fn colliding<'a>(image: &'a MetadataImage, name: &str) -> Option<&'a str> {
    image.topic_alike(name).filter(|other| *other != name)
}
