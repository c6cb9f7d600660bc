//! Every rule of every kind, broken once, with the line that a person reads.

mod clusters;
mod reading;
mod topics;

use std::fs;

use super::{Loaded, Manifest, Resource, load};

/// Loads files of these names and texts from a folder; the folder's path is cut from what is told.
fn load_files(files: &[(&str, &str)], previous: &[Manifest]) -> (Loaded, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let loaded = load(&[folder.path().to_owned()], previous);
    let prefix = format!("{}/", folder.path().display());
    let problems = loaded.problems.iter().map(|p| p.to_string().replace(&prefix, "")).collect();
    (loaded, problems)
}

#[track_caller]
fn refuses(text: &str, expected: &[&str]) {
    let (loaded, problems) = load_files(&[("a.yaml", text)], &[]);
    assert_eq!(problems, expected, "\n{text}");
    assert!(loaded.manifests.is_empty(), "a file with a problem applies nothing");
}

/// Applies `before`, then `after`.
#[track_caller]
fn refuses_change(before: &str, after: &str, expected: &[&str]) {
    let (loaded, problems) = load_files(&[("a.yaml", before)], &[]);
    assert_eq!(problems, [""; 0], "\n{before}");
    let (_, problems) = load_files(&[("a.yaml", after)], &loaded.manifests);
    assert_eq!(problems, expected, "\n{after}");
    let (_, problems) = load_files(&[("a.yaml", before)], &loaded.manifests);
    assert_eq!(problems, [""; 0], "the same again is no change");
}

fn topic(spec: &str) -> String {
    format!(
        "apiVersion: gregor.dev/v1alpha1\nkind: Topic\nmetadata: {{name: orders}}\nspec:\n  \
         clusterRef: {{name: demo}}\n{spec}"
    )
}

fn cluster(spec: &str) -> String {
    format!("apiVersion: gregor.dev/v1alpha1\nkind: Cluster\nmetadata: {{name: demo}}\nspec:\n{spec}")
}

fn quota(spec: &str) -> String {
    format!(
        "apiVersion: gregor.dev/v1alpha1\nkind: Quota\nmetadata: {{name: app}}\nspec:\n  \
         clusterRef: {{name: demo}}\n{spec}"
    )
}
