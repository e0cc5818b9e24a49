//! How the command line names a pipeline: `FILE[#NAME]`.

/// Splits a reference into the pipeline file and the name of one of its pipelines.
pub(crate) fn split(reference: &str) -> (&str, Option<&str>) {
    match reference.rsplit_once('#') {
        Some((path, name)) => (path, Some(name)),
        None => (reference, None),
    }
}
