//! Medians, ratios, and whether two series of the same thing agree.

/// One figure, window by window.
#[derive(Clone, Debug, Default)]
pub struct Series(Vec<f64>);

impl Series {
    /// Only numbers are kept: a window that moved nothing has no CPU per byte.
    pub fn new(values: impl IntoIterator<Item = f64>) -> Series {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        Series(values)
    }

    /// The middle value, or the mean of the two in the middle; none without windows.
    pub fn median(&self) -> Option<f64> {
        let middle = self.0.len() / 2;
        match self.0.len() {
            0 => None,
            count if count % 2 == 1 => Some(self.0[middle]),
            _ => Some((self.0[middle - 1] + self.0[middle]) / 2.0),
        }
    }

    /// Windows.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Least and greatest.
    pub fn spread(&self) -> Option<(f64, f64)> {
        Some((*self.0.first()?, *self.0.last()?))
    }

    /// Both series together.
    pub fn joined(&self, other: &Series) -> Series {
        Series::new(self.0.iter().chain(&other.0).copied())
    }
}

/// How far the medians of two series of the same thing lie apart, as a share of the smaller.
pub fn disagreement(first: &Series, second: &Series) -> Option<f64> {
    let (first, second) = (first.median()?, second.median()?);
    let smaller = first.min(second);
    (smaller > 0.0).then(|| (first - second).abs() / smaller)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Series::new([3.0, 1.0, 2.0]).median(), Some(2.0));
        assert_eq!(Series::new([4.0, 1.0, 2.0, 3.0]).median(), Some(2.5));
        assert_eq!(Series::new([f64::NAN, f64::INFINITY]).median(), None);
        assert_eq!(Series::new([3.0, 1.0]).spread(), Some((1.0, 3.0)));
    }

    #[test]
    fn disagreement_is_a_share() {
        let apart = disagreement(&Series::new([100.0]), &Series::new([110.0])).unwrap();
        assert!((apart - 0.1).abs() < 1e-9);
        assert_eq!(disagreement(&Series::new([]), &Series::new([1.0])), None);
    }
}
