//! Writes HTML.
//!
//! Promise: markup comes from this program's own source alone, since it must be `'static`. All other text is escaped. The
//! result is well-formed XML as well, so that a parser can check it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::plain::plain;

/// A page that grows.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Markup of this program.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text that anyone may have chosen.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for character in plain(text).chars() {
            match character {
                '&' => self.0.push_str("&#38;"),
                '<' => self.0.push_str("&#60;"),
                '>' => self.0.push_str("&#62;"),
                '"' => self.0.push_str("&#34;"),
                '\'' => self.0.push_str("&#39;"),
                // Not a character of XML.
                '\u{fffe}' | '\u{ffff}' => self.0.push('\u{fffd}'),
                other => self.0.push(other),
            }
        }
        self
    }

    /// A percentage in a style, with two digits behind the point.
    pub(super) fn percent(&mut self, part: f64) -> &mut Self {
        let part = if part.is_finite() {
            part.clamp(0.0, 1.0)
        } else {
            0.0
        };
        let _ = write!(self.0, "{:.2}%", part * 100.0);
        self
    }

    /// A JPEG picture within the page.
    pub(super) fn picture(&mut self, jpeg: &[u8]) -> &mut Self {
        self.raw("<img alt=\"\" src=\"data:image/jpeg;base64,");
        STANDARD.encode_string(jpeg, &mut self.0);
        self.raw("\"/>")
    }

    /// A cell of a table.
    pub(super) fn cell(&mut self, text: &str) -> &mut Self {
        self.raw("<td>").text(text).raw("</td>")
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}
