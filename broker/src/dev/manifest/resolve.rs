//! What a plain scalar means: the rules of the YAML library behind kubectl, which are those of YAML 1.1
//! (`yes` and `on` are booleans, `010` is eight), so that a file means the same here and there.

use super::yaml::Content;

/// The value of an unquoted scalar.
pub(super) fn plain(text: &str) -> Content {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Content::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Content::Boolean(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Content::Boolean(false);
        }
        _ => {}
    }
    number(text).unwrap_or_else(|| Content::Text(text.to_owned()))
}

/// What kubectl makes of an unquoted key, when that is not its text: it turns keys into the text of what
/// they mean.
pub(super) fn other_meaning(key: &str) -> Option<String> {
    let meaning = match plain(key) {
        Content::Null => "null".to_owned(),
        Content::Boolean(value) => value.to_string(),
        Content::Integer(value) => value.to_string(),
        Content::Number(value) => value.to_string(),
        Content::Text(_) | Content::List(_) | Content::Map(_) => return None,
    };
    (meaning != key).then_some(meaning)
}

/// `None` when `text` is not a number. A number without a fraction that fits is whole, as in JSON.
pub(super) fn number(text: &str) -> Option<Content> {
    let first = text.chars().next()?;
    if !(first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return None;
    }
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    if let Some(integer) = integer(&digits) {
        return Some(Content::Integer(integer));
    }
    if !is_float(&digits) {
        return None;
    }
    let float: f64 = digits.parse().ok().filter(|float: &f64| float.is_finite())?;
    /// Whole numbers up to here are exact as floating point.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "no fraction and below 2^53")]
    let content = if float.fract() == 0.0 && float.abs() < EXACT {
        Content::Integer(float as i64)
    } else {
        Content::Number(float)
    };
    Some(content)
}

/// Signed decimal, `0x`, `0b`, `0o`, and a leading zero for octal.
fn integer(digits: &str) -> Option<i64> {
    let (negative, digits) = match digits.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, digits.strip_prefix('+').unwrap_or(digits)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, rest) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    // A second sign would be taken by the parser below.
    if !rest.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    let magnitude = i128::from(u64::from_str_radix(rest, radix).ok()?);
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// Digits with at most one point, and perhaps an exponent.
fn is_float(digits: &str) -> bool {
    let digits = digits.strip_prefix(['-', '+']).unwrap_or(digits);
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    all_digits(whole)
        && all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|e| {
            let e = e.strip_prefix(['-', '+']).unwrap_or(e);
            !e.is_empty() && all_digits(e)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_mean_what_kubectl_takes_them_for() {
        let text = |t: &str| Content::Text(t.to_owned());
        for (scalar, content) in [
            ("", Content::Null),
            ("~", Content::Null),
            ("null", Content::Null),
            ("nULL", text("nULL")),
            ("yes", Content::Boolean(true)),
            ("Off", Content::Boolean(false)),
            ("0", Content::Integer(0)),
            ("604800000", Content::Integer(604_800_000)),
            ("1_000", Content::Integer(1_000)),
            ("-12", Content::Integer(-12)),
            ("+12", Content::Integer(12)),
            ("--12", text("--12")),
            ("+-12", text("+-12")),
            ("010", Content::Integer(8)),
            ("09", Content::Integer(9)),
            ("0x1F", Content::Integer(31)),
            ("0b11", Content::Integer(3)),
            ("0o17", Content::Integer(15)),
            ("9223372036854775807", Content::Integer(i64::MAX)),
            ("-9223372036854775808", Content::Integer(i64::MIN)),
            ("18446744073709551616", Content::Number(18_446_744_073_709_551_616.0)),
            ("0.5", Content::Number(0.5)),
            (".5", Content::Number(0.5)),
            ("3.0", Content::Integer(3)),
            ("1e3", Content::Integer(1_000)),
            ("1e999", text("1e999")),
            (".", text(".")),
            ("-", text("-")),
            ("1.2.3", text("1.2.3")),
            ("0.1.0", text("0.1.0")),
            ("10Gi", text("10Gi")),
            ("2026-01-01", text("2026-01-01")),
            ("orders", text("orders")),
        ] {
            assert_eq!(plain(scalar), content, "{scalar:?}");
        }
    }
}
