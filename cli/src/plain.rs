//! Makes text safe to print on a terminal. File names, reports and messages may contain any character.

pub(crate) use forebay::text::{json, lines as plain, one_line};

/// An error and what caused it, in one text. Many errors name their cause already. It is not said twice.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::chain;

    #[test]
    fn a_cause_that_is_named_already_is_not_said_twice() {
        let reason = std::io::Error::other("no such file");
        let error = forebay::Error::Source {
            file: "a.jpg".into(),
            reason,
        };
        let error = Err::<(), _>(error).context("pipeline photos");
        let text = error.map_err(|error| chain(&error));
        assert_eq!(text, Err("pipeline photos: a.jpg: no such file".into()));
    }
}
