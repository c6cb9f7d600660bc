//! `gregor config`: the table of keys as text.

use std::io::{self, Write};

use node::config::table::SECTIONS;
use node::config::{Key, Standing};

/// Prints the keys that contain one of the words, or all.
pub(super) fn print(out: &mut dyn Write, words: &[String]) -> io::Result<()> {
    let asked = |key: &Key| words.is_empty() || words.iter().any(|word| key.name.contains(word.as_str()));
    let mut found = false;
    for (title, keys) in SECTIONS {
        let mut keys = keys.iter().filter(|key| asked(key)).peekable();
        if keys.peek().is_none() {
            continue;
        }
        found = true;
        writeln!(out, "# {title}\n")?;
        for key in keys {
            print_key(out, key)?;
        }
    }
    if !found {
        writeln!(out, "no key contains {}; `gregor config` lists all", words.join(" or "))?;
    }
    Ok(())
}

fn print_key(out: &mut dyn Write, key: &Key) -> io::Result<()> {
    writeln!(out, "{}", key.name)?;
    writeln!(out, "    {}", key.documentation)?;
    writeln!(out, "    Default {}; {}; {}.", key.default_text(), key.right_values(), key.update)?;
    match key.standing {
        Standing::Acts => {}
        Standing::Later => writeln!(out, "    Kept and shown; this version lacks what it governs.")?,
        Standing::Meaningless(why) => writeln!(out, "    Accepted without effect: {why}.")?,
        Standing::Fixed(why) => writeln!(out, "    Only the default is accepted: {why}.")?,
    }
    writeln!(out)
}
