//! The table: medians, ratios, goals, and what could not be told.

use std::fmt::Write as _;

use anyhow::Result;

use super::known_short::{Reason, reason};
use super::rows::{Goal, Metric};
use super::stats::{Series, disagreement};

/// One figure of one row.
#[derive(Clone, Debug)]
pub struct Line {
    /// What `known_short` calls it.
    pub name: String,
    /// The load.
    pub title: String,
    /// The figure.
    pub metric: Metric,
    /// What it must reach.
    pub goal: Goal,
    /// Kafka's windows before Gregor's.
    pub kafka: Series,
    /// Kafka's windows after Gregor's.
    pub kafka_again: Series,
    /// Gregor's windows.
    pub gregor: Series,
    /// The floor's windows.
    pub floor: Series,
    /// Gregor's own figure without the disturbance, for `Goal::OwnAtMost`.
    pub base: Series,
}

/// How a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The goal is reached.
    Met,
    /// It is not, and nothing explains it.
    Short,
    /// It is not, and `known_short` has the measurement that explains it.
    Explained,
    /// Kafka did not agree with itself: nothing can be said.
    Unresolved,
    /// There is no goal.
    Shown,
    /// Gregor was not measured.
    Absent,
}

impl Line {
    /// Gregor's median divided by what the goal compares it with.
    pub fn ratio(&self) -> Option<f64> {
        let ours = self.gregor.median()?;
        let other = match self.goal {
            Goal::OwnAtMost(_) => self.base.median()?,
            _ => self.kafka.joined(&self.kafka_again).median()?,
        };
        (other > 0.0).then(|| ours / other)
    }

    /// Whether the goal is reached, or why not.
    pub fn verdict(&self, known: &[Reason]) -> Verdict {
        let judge = |met: Option<bool>| match met {
            Some(true) => Verdict::Met,
            Some(false) if reason(known, &self.name, self.metric).is_some() => Verdict::Explained,
            Some(false) => Verdict::Short,
            None => Verdict::Unresolved,
        };
        let ours = match (self.goal, self.gregor.median()) {
            (Goal::Shown, _) => return Verdict::Shown,
            (_, None) => return Verdict::Absent,
            (_, Some(ours)) => ours,
        };
        match self.goal {
            Goal::Shown => Verdict::Shown,
            Goal::Absolute(most) => judge(Some(ours <= most)),
            Goal::OwnAtMost(most) => judge(self.ratio().map(|ratio| ratio <= most)),
            Goal::AtLeast(_) | Goal::AtMost(_) if !self.kafka_agrees() => Verdict::Unresolved,
            Goal::AtLeast(least) => judge(self.ratio().map(|ratio| ratio >= least)),
            Goal::AtMost(most) => judge(self.ratio().map(|ratio| ratio <= most)),
        }
    }

    /// Whether two series of Kafka's were measured and lie close together.
    fn kafka_agrees(&self) -> bool {
        disagreement(&self.kafka, &self.kafka_again).is_some_and(|apart| apart <= self.metric.agreement())
    }

    /// How many windows stand behind the medians of Kafka (before and after Gregor), Gregor and the floor.
    fn windows(&self) -> String {
        let [kafka, again, gregor, floor] =
            [&self.kafka, &self.kafka_again, &self.gregor, &self.floor].map(Series::count);
        format!("{kafka}+{again}, {gregor}, {floor}")
    }

    fn goal(&self) -> String {
        match self.goal {
            Goal::AtLeast(least) => format!(">= {least}x"),
            Goal::AtMost(most) => format!("<= {most}x"),
            Goal::Absolute(most) => format!("<= {most}"),
            Goal::OwnAtMost(most) => format!("<= {most}x own"),
            Goal::Shown => String::new(),
        }
    }

    fn verdict_text(&self, known: &[Reason]) -> String {
        match self.verdict(known) {
            Verdict::Met => "met".to_owned(),
            Verdict::Short => "**short**".to_owned(),
            Verdict::Explained => "**short**, explained below".to_owned(),
            Verdict::Absent => "**not measured**".to_owned(),
            Verdict::Shown => String::new(),
            Verdict::Unresolved => {
                let spread = self.kafka.joined(&self.kafka_again).spread().unwrap_or_default();
                format!("unresolved: Kafka {} to {}", figure(spread.0), figure(spread.1))
            }
        }
    }
}

/// Three significant digits, with thousands apart.
pub fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 1_000.0 => {
            let whole = format!("{value:.0}");
            let head = whole.len() % 3;
            let mut text = whole[..head].to_owned();
            for group in whole.as_bytes()[head..].chunks(3) {
                if !text.is_empty() {
                    text.push(',');
                }
                text.push_str(std::str::from_utf8(group).expect("digits are text"));
            }
            text
        }
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn median(series: &Series) -> String {
    series.median().map_or_else(|| "-".to_owned(), figure)
}

/// All that a run found.
#[derive(Default)]
pub struct Outcome {
    /// The figures.
    pub lines: Vec<Line>,
    /// Rows that did not come to an end, each with the reason: a lost record, a server that died.
    pub failures: Vec<String>,
}

/// How many goals ended how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Met, or short for a reason that is known.
    pub passed: usize,
    /// Those of them that are short.
    pub explained: usize,
    /// Short without a known reason, not measured, or lost with their row.
    pub failed: usize,
    /// Kafka did not agree with itself.
    pub unresolved: usize,
}

impl Outcome {
    /// Adds a row's lines, or its failure.
    pub fn add(&mut self, row: &str, lines: Result<Vec<Line>>) {
        match lines {
            Ok(lines) => self.lines.extend(lines),
            Err(error) => {
                eprintln!("{row:>12} failed: {error:#}");
                self.failures.push(format!("{row}: {error:#}"));
            }
        }
    }

    /// Counts the verdicts.
    pub fn counts(&self, known: &[Reason]) -> Counts {
        let count = |verdict| self.lines.iter().filter(|line| line.verdict(known) == verdict).count();
        let explained = count(Verdict::Explained);
        Counts {
            passed: count(Verdict::Met) + explained,
            explained,
            failed: count(Verdict::Short) + count(Verdict::Absent) + self.failures.len(),
            unresolved: count(Verdict::Unresolved),
        }
    }

    /// The table as Markdown, with the verdicts' count and what explains those that are short below it.
    pub fn render(&self, preface: &str, known: &[Reason]) -> String {
        let mut text = format!("{preface}\n\n");
        text +=
            "| load | figure | Kafka | Kafka against itself | Gregor | floor | windows | ratio | goal | |\n";
        text += "|---|---|--:|--:|--:|--:|---|--:|---|---|\n";
        let mut last_title = "";
        for line in &self.lines {
            let title = if line.title == last_title { "" } else { &line.title };
            last_title = &line.title;
            text += &row(title, line, known);
        }
        let count = |verdict| self.lines.iter().filter(|line| line.verdict(known) == verdict).count();
        let (met, short, unresolved) =
            (count(Verdict::Met), count(Verdict::Short), count(Verdict::Unresolved));
        let explained = count(Verdict::Explained);
        writeln!(
            text,
            "\n{met} goals met, {short} short, {explained} short and explained, {unresolved} unresolved."
        )
        .expect("a string takes all");
        for line in self.lines.iter().filter(|line| line.verdict(known) == Verdict::Explained) {
            if let Some(reason) = reason(known, &line.name, line.metric) {
                writeln!(text, "- Short: {}, {}: {reason}", line.title, line.metric.name())
                    .expect("a string takes all");
            }
        }
        for failure in &self.failures {
            writeln!(text, "- **Failed**: {failure}").expect("a string takes all");
        }
        text
    }
}

fn row(title: &str, line: &Line, known: &[Reason]) -> String {
    let apart = disagreement(&line.kafka, &line.kafka_again)
        .map_or_else(|| "-".to_owned(), |apart| format!("{:.1} %", apart * 100.0));
    let ratio = line.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}x"));
    format!(
        "| {title} | {} | {} | {apart} | {} | {} | {} | {ratio} | {} | {} |\n",
        line.metric.name(),
        median(&line.kafka.joined(&line.kafka_again)),
        median(&line.gregor),
        median(&line.floor),
        line.windows(),
        line.goal(),
        line.verdict_text(known)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(goal: Goal, kafka: &[f64], again: &[f64], gregor: &[f64]) -> Line {
        let series = |values: &[f64]| Series::new(values.iter().copied());
        Line {
            name: "a".to_owned(),
            title: "a load".to_owned(),
            metric: Metric::MegabytesPerSecond,
            goal,
            kafka: series(kafka),
            kafka_again: series(again),
            gregor: series(gregor),
            floor: Series::default(),
            base: series(&[10.0]),
        }
    }

    fn outcome(lines: Vec<Line>) -> Outcome {
        Outcome { lines, failures: Vec::new() }
    }

    #[test]
    fn a_goal_is_judged_by_medians() {
        let verdict = |goal, gregor: &[f64]| line(goal, &[100.0, 90.0, 110.0], &[104.0], gregor).verdict(&[]);
        assert_eq!(verdict(Goal::AtLeast(2.5), &[1.0, 260.0, 270.0]), Verdict::Met);
        assert_eq!(verdict(Goal::AtLeast(2.5), &[240.0]), Verdict::Short);
        assert_eq!(verdict(Goal::AtMost(0.3), &[29.0]), Verdict::Met);
        assert_eq!(verdict(Goal::Absolute(15.0), &[16.0]), Verdict::Short);
        assert_eq!(verdict(Goal::OwnAtMost(2.0), &[19.0]), Verdict::Met);
        assert_eq!(verdict(Goal::Shown, &[1.0]), Verdict::Shown);
        assert_eq!(verdict(Goal::Shown, &[]), Verdict::Shown);
        assert_eq!(verdict(Goal::AtLeast(2.5), &[]), Verdict::Absent);
    }

    #[test]
    fn nothing_is_claimed_where_kafka_disagrees_with_itself() {
        let apart = line(Goal::AtLeast(2.5), &[100.0], &[111.0], &[900.0]);
        assert_eq!(apart.verdict(&[]), Verdict::Unresolved);
        let text = outcome(vec![apart]).render("preface", &[]);
        assert!(text.contains("unresolved: Kafka 100 to 111"), "{text}");
        assert!(text.contains("0 goals met, 0 short, 0 short and explained, 1 unresolved."), "{text}");
    }

    #[test]
    fn nothing_is_claimed_where_kafka_was_measured_once() {
        assert_eq!(line(Goal::AtMost(0.1), &[100.0], &[], &[1.0]).verdict(&[]), Verdict::Unresolved);
        assert_eq!(line(Goal::Absolute(15.0), &[100.0], &[], &[1.0]).verdict(&[]), Verdict::Met);
    }

    #[test]
    fn a_goal_that_is_short_fails_unless_its_reason_is_known() {
        let known =
            [Reason { name: "a".to_owned(), figure: "MB/s".to_owned(), text: "it sleeps".to_owned() }];
        let short = || line(Goal::AtLeast(2.5), &[100.0], &[100.0], &[200.0]);
        let mut outcome = outcome(vec![short(), line(Goal::AtLeast(2.5), &[1.0], &[1.0], &[3.0])]);
        let counts = |passed, explained, failed| Counts { passed, explained, failed, unresolved: 0 };
        assert_eq!(outcome.counts(&[]), counts(1, 0, 1));
        assert_eq!(outcome.counts(&known), counts(2, 1, 0));
        assert!(outcome.render("preface", &known).contains("- Short: a load, MB/s: it sleeps"));
        outcome.lines.push(Line { name: "b".to_owned(), ..short() });
        outcome.lines.push(line(Goal::AtLeast(2.5), &[1.0], &[1.0], &[]));
        outcome.add("fetch", Err(anyhow::anyhow!("a record is lost")));
        assert_eq!(outcome.counts(&known), counts(2, 1, 3));
        assert!(outcome.render("preface", &known).contains("- **Failed**: fetch: a record is lost"));
    }

    #[test]
    fn figures_keep_three_digits() {
        let figures: Vec<String> = [65_432.1, 1_234_567.0, 345.6, 34.56, 3.456, 0.1234].map(figure).into();
        assert_eq!(figures, ["65,432", "1,234,567", "346", "34.6", "3.46", "0.123"]);
    }
}
