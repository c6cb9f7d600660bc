//! The table: medians, ratios, goals, and what could not be told.

use std::fmt::Write as _;

use super::rows::{Goal, Metric};
use super::stats::{Series, disagreement};

/// One figure of one row.
#[derive(Clone, Debug)]
pub struct Line {
    /// The load.
    pub title: String,
    /// The figure.
    pub metric: Metric,
    /// What it must reach.
    pub goal: Goal,
    /// Kafka's windows before Gregor's.
    pub kafka: Series,
    /// Kafka's windows after Gregor's; empty where Kafka is measured once.
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
    /// It is not.
    Short,
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

    /// Whether the goal is reached.
    pub fn verdict(&self) -> Verdict {
        let Some(ours) = self.gregor.median() else { return Verdict::Absent };
        let judge = |met: Option<bool>| match met {
            Some(true) => Verdict::Met,
            Some(false) => Verdict::Short,
            None => Verdict::Unresolved,
        };
        match self.goal {
            Goal::Shown => Verdict::Shown,
            Goal::Absolute(most) => judge(Some(ours <= most)),
            Goal::OwnAtMost(most) => judge(self.ratio().map(|ratio| ratio <= most)),
            _ if !self.kafka_agrees() => Verdict::Unresolved,
            Goal::AtLeast(least) => judge(self.ratio().map(|ratio| ratio >= least)),
            Goal::AtMost(most) => judge(self.ratio().map(|ratio| ratio <= most)),
        }
    }

    fn kafka_agrees(&self) -> bool {
        disagreement(&self.kafka, &self.kafka_again).is_none_or(|apart| apart <= self.metric.agreement())
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

    fn verdict_text(&self) -> String {
        match self.verdict() {
            Verdict::Met => "met".to_owned(),
            Verdict::Short => "**short**".to_owned(),
            Verdict::Shown | Verdict::Absent => String::new(),
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

/// The table as Markdown, with one line below that counts the verdicts.
pub fn render(lines: &[Line], preface: &str) -> String {
    let mut text = format!("{preface}\n\n");
    text += "| load | figure | Kafka | Kafka against itself | Gregor | floor | ratio | goal | |\n";
    text += "|---|---|--:|--:|--:|--:|--:|---|---|\n";
    let mut last_title = "";
    for line in lines {
        let title = if line.title == last_title { "" } else { &line.title };
        last_title = &line.title;
        let apart = disagreement(&line.kafka, &line.kafka_again)
            .map_or_else(|| "-".to_owned(), |apart| format!("{:.1} %", apart * 100.0));
        let ratio = line.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}x"));
        writeln!(
            text,
            "| {title} | {} | {} | {apart} | {} | {} | {ratio} | {} | {} |",
            line.metric.name(),
            median(&line.kafka.joined(&line.kafka_again)),
            median(&line.gregor),
            median(&line.floor),
            line.goal(),
            line.verdict_text()
        )
        .expect("a string takes all");
    }
    let count = |verdict| lines.iter().filter(|line| line.verdict() == verdict).count();
    let (met, short, unresolved) = (count(Verdict::Met), count(Verdict::Short), count(Verdict::Unresolved));
    writeln!(text, "\n{met} goals met, {short} short, {unresolved} unresolved.").expect("a string takes all");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(goal: Goal, kafka: &[f64], again: &[f64], gregor: &[f64]) -> Line {
        let series = |values: &[f64]| Series::new(values.iter().copied());
        Line {
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

    #[test]
    fn a_goal_is_judged_by_medians() {
        let verdict = |goal, gregor: &[f64]| line(goal, &[100.0, 90.0, 110.0], &[104.0], gregor).verdict();
        assert_eq!(verdict(Goal::AtLeast(2.5), &[1.0, 260.0, 270.0]), Verdict::Met);
        assert_eq!(verdict(Goal::AtLeast(2.5), &[240.0]), Verdict::Short);
        assert_eq!(verdict(Goal::AtMost(0.3), &[29.0]), Verdict::Met);
        assert_eq!(verdict(Goal::Absolute(15.0), &[16.0]), Verdict::Short);
        assert_eq!(verdict(Goal::OwnAtMost(2.0), &[19.0]), Verdict::Met);
        assert_eq!(verdict(Goal::Shown, &[1.0]), Verdict::Shown);
        assert_eq!(verdict(Goal::AtLeast(2.5), &[]), Verdict::Absent);
    }

    #[test]
    fn nothing_is_claimed_where_kafka_disagrees_with_itself() {
        let line = line(Goal::AtLeast(2.5), &[100.0], &[111.0], &[900.0]);
        assert_eq!(line.verdict(), Verdict::Unresolved);
        let text = render(&[line], "preface");
        assert!(text.contains("unresolved: Kafka 100 to 111"), "{text}");
        assert!(text.contains("0 goals met, 0 short, 1 unresolved."), "{text}");
    }

    #[test]
    fn figures_keep_three_digits() {
        let figures: Vec<String> = [65_432.1, 1_234_567.0, 345.6, 34.56, 3.456, 0.1234].map(figure).into();
        assert_eq!(figures, ["65,432", "1,234,567", "346", "34.6", "3.46", "0.123"]);
    }
}
