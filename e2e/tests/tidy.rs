//! The house rules that a machine can check, over the files that git knows.
//!
//! A rule that finds something prints every place, so that one run is enough to mend them all.

mod tidy {
    pub(crate) mod arrows;
    pub(crate) mod layout;
    pub(crate) mod sizes;
    pub(crate) mod tree;
    pub(crate) mod words;
}
