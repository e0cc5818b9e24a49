//! Names that a plugin may give its outputs.
//!
//! A valid name may still be dangerous in the folder where the output is stored: in a home folder, in a folder that a
//! shell expands, or on a desktop. The name of the user's own input is never refused.

use std::fmt;

use super::names::{NameProblem, check_name};
use crate::text::is_plain;

/// Names that a desktop or a file manager reads, in lower case.
const READ_BY_DESKTOPS: [&str; 4] = ["autorun.inf", "desktop.ini", "ehthumbs.db", "thumbs.db"];

/// Why an output cannot have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputNameProblem {
    /// No file may have it.
    Name(NameProblem),
    /// It begins with a character that has a special meaning: a dot hides the file, a dash starts an option, `~` is a
    /// folder.
    Start(char),
    /// It has no visible character.
    Invisible,
    /// A desktop reads files of this name.
    Desktop,
}

impl fmt::Display for OutputNameProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(problem) => problem.fmt(f),
            Self::Start(c) => write!(f, "begins with `{c}`, as the input's does not"),
            Self::Invisible => f.write_str("has no character that can be seen"),
            Self::Desktop => f.write_str("is one that desktops read"),
        }
    }
}

/// Checks a name that a plugin gives an output. A special start or a desktop's name is accepted if `input`, the name of
/// its input, has the same.
///
/// # Errors
/// What is wrong with it.
pub fn check_output_name(name: &str, input: &str) -> Result<(), OutputNameProblem> {
    check_name(name).map_err(OutputNameProblem::Name)?;
    let seen = |c: char| is_plain(c) && !c.is_whitespace() && !matches!(c, '\u{200c}' | '\u{200d}');
    if !name.chars().any(seen) {
        return Err(OutputNameProblem::Invisible);
    }
    if let Some(first @ ('.' | '-' | '~')) = name.chars().next()
        && !input.starts_with(first)
    {
        return Err(OutputNameProblem::Start(first));
    }
    let lower = name.to_ascii_lowercase();
    if READ_BY_DESKTOPS.contains(&&*lower) && lower != input.to_ascii_lowercase() {
        return Err(OutputNameProblem::Desktop);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_traps_are_refused_unless_the_input_has_them() {
        use OutputNameProblem::{Desktop, Invisible, Name, Start};
        for (name, problem) in [
            (".profile", Start('.')),
            ("-rf", Start('-')),
            ("~", Start('~')),
            ("Desktop.INI", Desktop),
            ("\u{200d}", Invisible),
            (" \u{a0}", Invisible),
            ("\u{200b}", Name(NameProblem::Control)),
            ("a/b", Name(NameProblem::Separator)),
        ] {
            assert_eq!(check_output_name(name, "a.txt"), Err(problem), "{name:?}");
        }
        for (name, input) in [
            ("photo.jpg", "a.png"),
            (".hidden.jpg", ".hidden.png"),
            ("-1-a.txt", "-a.txt"),
            ("desktop.ini", "Desktop.ini"),
            ("a-b~.c", "a"),
            ("写真.jpg", "a"),
        ] {
            assert_eq!(check_output_name(name, input), Ok(()), "{name:?}");
        }
    }
}
