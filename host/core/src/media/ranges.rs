//! Ranges of media types, such as `image/*`.

/// Whether a media type is in a range such as `image/*`, `*/*` or `image/png`.
pub fn in_range(media_type: &str, range: &str) -> bool {
    match range.strip_suffix("/*") {
        Some("*") => true,
        Some(kind) => media_type
            .split_once('/')
            .is_some_and(|(left, _)| left.eq_ignore_ascii_case(kind)),
        None => media_type.eq_ignore_ascii_case(range),
    }
}

/// Whether some media type is in both ranges.
pub fn ranges_meet(a: &str, b: &str) -> bool {
    in_range(a, b) || in_range(b, a)
}

/// Whether this is `type/subtype` or a range of the kind that [`in_range`] reads.
pub fn is_range(text: &str) -> bool {
    let token = |t: &str| {
        !t.is_empty()
            && t.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+*".contains(&b))
    };
    text.split_once('/')
        .is_some_and(|(left, right)| token(left) && token(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert!(
            in_range("image/png", "image/*")
                && in_range("image/png", "*/*")
                && in_range("image/png", "image/png")
        );
        assert!(!in_range("image/png", "video/*") && !in_range("image/png", "image/jpeg"));
        assert!(
            ranges_meet("image/*", "image/png")
                && ranges_meet("*/*", "audio/*")
                && !ranges_meet("image/*", "audio/*")
        );
        assert!(is_range("image/*") && is_range("*/*") && !is_range("image") && !is_range("a/b c"));
    }
}
