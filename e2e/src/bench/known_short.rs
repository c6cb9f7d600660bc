//! Goals that Gregor falls short of for a reason that was measured: the file `known_short` beside this one.
//!
//! Such a line stays in the table with its reason. A line that is short and has none fails the run.

use anyhow::{Result, ensure};

use super::rows::Metric;

const FILE: &str = include_str!("known_short");

/// Why one figure of one line is short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The line: what `--rows` calls it, with what tells it from the row's other lines.
    pub name: String,
    /// The figure, as the table names it.
    pub figure: String,
    /// The measurement that explains it.
    pub text: String,
}

/// The reasons that are committed; a line of the file that cannot be understood is an error.
pub fn known() -> Result<Vec<Reason>> {
    parse(FILE)
}

/// The reason for one figure of one line.
pub fn reason<'a>(known: &'a [Reason], name: &str, metric: Metric) -> Option<&'a str> {
    let found = known.iter().find(|reason| reason.name == name && reason.figure == metric.name())?;
    Some(&found.text)
}

fn parse(text: &str) -> Result<Vec<Reason>> {
    let mut reasons = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let parts: Vec<&str> = line.splitn(3, '|').map(str::trim).collect();
        let [name, figure, text] = parts[..] else {
            anyhow::bail!("known_short: NAME | FIGURE | REASON: {line}")
        };
        ensure!(text.contains(' '), "known_short: {name} | {figure} has no reason");
        reasons.push(Reason { name: name.to_owned(), figure: figure.to_owned(), text: text.to_owned() });
    }
    Ok(reasons)
}

#[cfg(test)]
mod tests {
    use super::super::rows::{Goal, ROWS, SPECIAL_GOALS};
    use super::*;

    /// Every line of the table that has a goal, with its figure.
    fn goals() -> Vec<(String, &'static str)> {
        let mut goals: Vec<(String, &str)> =
            SPECIAL_GOALS.iter().map(|(name, metric)| ((*name).to_owned(), metric.name())).collect();
        for row in ROWS {
            let judged = row.figures.iter().filter(|(_, goal)| !matches!(goal, Goal::Shown));
            goals.extend(judged.map(|(metric, _)| (row.name.to_owned(), metric.name())));
            goals.extend(row.strict.map(|_| (format!("{} strict", row.name), Metric::CpuPerGigabyte.name())));
        }
        goals
    }

    #[test]
    fn every_reason_is_about_a_goal_of_the_table() {
        for reason in known().unwrap() {
            let goal = (reason.name.clone(), reason.figure.as_str());
            assert!(goals().contains(&goal), "no goal is {goal:?}; there are {:?}", goals());
        }
    }

    #[test]
    fn a_reason_without_a_text_is_refused() {
        let reasons = parse("# of the machine\n\nfetch | cpu-s/GB | sendfile | of the kernel\n").unwrap();
        assert_eq!(reason(&reasons, "fetch", Metric::CpuPerGigabyte), Some("sendfile | of the kernel"));
        assert_eq!(reason(&reasons, "fetch", Metric::P99), None);
        assert_eq!(reason(&reasons, "cold", Metric::CpuPerGigabyte), None);
        assert!(parse("fetch | cpu-s/GB\n").is_err());
        assert!(parse("fetch | cpu-s/GB | \n").is_err());
    }
}
