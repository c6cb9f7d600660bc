//! The files in `crds/` are what the types say. `UPDATE=1 cargo test -p operator-api` writes them anew.

use std::path::Path;

/// kubectl keeps an applied object in an annotation of at most this many bytes; a larger definition
/// cannot be applied the usual way.
const BYTES_MAX: usize = 262_144;

#[test]
fn crds_on_disk_are_the_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crds");
    for crd in operator_api::crds() {
        let path = folder.join(format!("{}.yaml", crd.spec.names.plural));
        let text = format!(
            "# Written by `UPDATE=1 cargo test -p operator-api`; the source is operator/api.\n{}",
            serde_yaml::to_string(&crd).unwrap()
        );
        assert!(text.len() < BYTES_MAX, "{} has {} bytes", path.display(), text.len());
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let on_disk = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(on_disk == text, "{} is stale: UPDATE=1 cargo test -p operator-api", path.display());
    }
}
