//! Values as Rust's types, and the checks that need more than one row of the table.

use super::key::list_items;
use super::problem::{Origin, Problem};
use super::table;
use super::values::Values;

/// Reads typed values and gathers what is wrong.
pub(super) struct Typed<'a> {
    values: &'a Values,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Typed<'a> {
    pub(super) const fn new(values: &'a Values, problems: &'a mut Vec<Problem>) -> Self {
        Self { values, problems }
    }

    /// The value in force; `None` when null.
    pub(super) fn text(&self, name: &'static str) -> Option<&'a str> {
        let (deciding, _) = self.values.deciding(name);
        self.values.own(row(deciding)).0
    }

    pub(super) fn list(&self, name: &'static str) -> Vec<String> {
        list_items(self.text(name).unwrap_or_default()).map(str::to_owned).collect()
    }

    pub(super) fn flag(&self, name: &'static str) -> bool {
        self.text(name).is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }

    /// A number in the unit of `name`, whichever key of its chain gave it.
    fn signed(&self, name: &'static str) -> Option<i64> {
        let (_, unit) = self.values.deciding(name);
        let number: i64 = self.text(name)?.parse().ok()?;
        // -1 means no limit, in every unit.
        Some(if number < 0 { number } else { number.saturating_mul(unit) })
    }

    /// A number that the table keeps in the range of `T`.
    pub(super) fn number<T: TryFrom<i64> + Default>(&mut self, name: &'static str) -> T {
        let converted = self.signed(name).and_then(|number| T::try_from(number).ok());
        if converted.is_none() {
            self.wrong(name, "is out of range".to_owned());
        }
        converted.unwrap_or_default()
    }

    /// A number of which null and negatives mean that there is no limit.
    pub(super) fn limit<T: TryFrom<i64>>(&self, name: &'static str) -> Option<T> {
        self.signed(name).and_then(|number| T::try_from(number).ok())
    }

    /// A number under this very name, without its chain.
    pub(super) fn own_number(&self, name: &str) -> Option<i32> {
        self.values.own(row(name)).0?.parse().ok()
    }

    /// Reads something whose problems another field reports.
    pub(super) fn quietly<T>(
        &self,
        unreported: &mut Vec<Problem>,
        read: impl FnOnce(&mut Typed<'_>) -> T,
    ) -> T {
        read(&mut Typed { values: self.values, problems: unreported })
    }

    /// Adds a problem with the value in force.
    pub(super) fn wrong(&mut self, name: &'static str, message: String) {
        let (name, _) = self.values.deciding(name);
        let origin = self.values.origin(name);
        let row = row(name);
        let problem = match self.values.own(row).0 {
            Some(value) => Problem::with_value(origin, name, Some(row), value, message),
            None => Problem { origin, key: name.to_owned(), value: None, message },
        };
        self.problems.push(problem);
    }

    /// Whether the key was set.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.values.is_set(name)
    }

    /// A problem that belongs to no one value.
    pub(super) fn missing(&mut self, name: &'static str, message: &str) {
        // A value that was refused is not missing.
        if self.problems.iter().any(|problem| problem.key == name) {
            return;
        }
        let message = message.to_owned();
        self.problems.push(Problem { origin: Origin::Missing, key: name.to_owned(), value: None, message });
    }
}

fn row(name: &str) -> &'static super::key::Key {
    table::find(name).expect("every key that the code asks for is in the table, which a test shows")
}
