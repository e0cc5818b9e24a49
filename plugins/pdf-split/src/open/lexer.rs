//! Reads the objects of a PDF from bytes (ISO 32000-2, 7.2 and 7.3), as generously as other readers do.
//!
//! Some input outside of the standard is accepted, because producers write it and other readers accept it:
//! - names with a `#` that begins no escape, or with a space in them (the rest of the name is skipped);
//! - numbers with an exponent, with two signs or with two points;
//! - hexadecimal strings with other characters in them;
//! - unknown words, which become null in an array.
//!
//! A value without an end is an error, because the bytes after it would become a part of it.

use lopdf::{Dictionary, Object, StringFormat};

/// How deeply arrays and dictionaries may be nested. Code that walks over a value recurses to the same depth.
const MAX_NESTING: usize = 100;

/// A value cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

type Result<T> = std::result::Result<T, Unreadable>;

/// White space (table 1).
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 0x0c | b'\r' | b' ')
}

/// A character that a name, a number or a word can have (7.2.3).
pub(super) const fn is_regular(byte: u8) -> bool {
    !is_space(byte)
        && !matches!(
            byte,
            b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%'
        )
}

/// What can be found in the place of a value.
enum Item {
    Value(Object),
    /// A word that is not a value, such as `endobj`.
    Word,
    CloseArray,
    CloseDictionary,
    End,
}

/// A position in some bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    /// Begins at an offset of the bytes. If it is beyond their end, there is nothing to read.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at: at.min(bytes.len()),
        }
    }

    pub(super) const fn position(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// Skips white space and comments.
    pub(super) fn skip_space(&mut self) {
        while let Some(byte) = self.peek() {
            if byte == b'%' {
                let line = self.rest().iter().position(|b| matches!(b, b'\r' | b'\n'));
                self.at = line.map_or(self.bytes.len(), |length| self.at + length);
            } else if is_space(byte) {
                self.at += 1;
            } else {
                break;
            }
        }
    }

    /// Takes a word if it comes next, such as `trailer`. Any byte may follow it.
    pub(super) fn take(&mut self, word: &[u8]) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    /// Takes a keyword such as `R` or `n` if it comes next as a separate word.
    pub(super) fn take_keyword(&mut self, word: &[u8]) -> bool {
        let before = self.at;
        if self.take(word) && self.peek().is_none_or(|byte| !is_regular(byte)) {
            return true;
        }
        self.at = before;
        false
    }

    /// Takes a number without sign, as in `12 0 obj`.
    pub(super) fn take_unsigned(&mut self) -> Option<u64> {
        let before = self.at;
        self.skip_space();
        let digits = self
            .rest()
            .iter()
            .take(20)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let number = self
            .rest()
            .get(..digits)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| digits.parse().ok());
        match number {
            Some(number) => {
                self.at += digits;
                Some(number)
            }
            None => {
                self.at = before;
                None
            }
        }
    }

    /// Takes the beginning of an indirect object, `12 0 obj`, and returns its number and generation.
    pub(super) fn take_header(&mut self) -> Option<(u32, u16)> {
        let mut ahead = *self;
        let number = u32::try_from(ahead.take_unsigned()?).ok()?;
        let generation = u16::try_from(ahead.take_unsigned()?).ok()?;
        if !ahead.take(b"obj") {
            return None;
        }
        *self = ahead;
        Some((number, generation))
    }

    /// Reads a value.
    pub(super) fn value(&mut self) -> Result<Object> {
        match self.item(0)? {
            Item::Value(value) => Ok(value),
            Item::Word | Item::CloseArray | Item::CloseDictionary | Item::End => Err(Unreadable),
        }
    }

    fn item(&mut self, depth: usize) -> Result<Item> {
        self.skip_space();
        let Some(byte) = self.peek() else {
            return Ok(Item::End);
        };
        Ok(match byte {
            b'/' => {
                self.at += 1;
                Item::Value(Object::Name(self.name()))
            }
            b'(' => {
                self.at += 1;
                Item::Value(Object::String(self.literal()?, StringFormat::Literal))
            }
            b'<' if self.rest().starts_with(b"<<") => {
                self.at += 2;
                Item::Value(Object::Dictionary(self.dictionary(depth)?))
            }
            b'<' => {
                self.at += 1;
                Item::Value(Object::String(
                    self.hexadecimal()?,
                    StringFormat::Hexadecimal,
                ))
            }
            b'[' => {
                self.at += 1;
                Item::Value(Object::Array(self.array(depth)?))
            }
            b']' => {
                self.at += 1;
                Item::CloseArray
            }
            b'>' if self.rest().starts_with(b">>") => {
                self.at += 2;
                Item::CloseDictionary
            }
            b'>' | b')' | b'{' | b'}' => {
                self.at += 1;
                Item::Word
            }
            b'0'..=b'9' | b'+' | b'-' | b'.' => self.number_or_reference(),
            _ => self.word(),
        })
    }

    /// A run of regular characters.
    fn run(&self) -> &'a [u8] {
        let rest = self.rest();
        let length = rest.iter().position(|byte| !is_regular(*byte));
        rest.get(..length.unwrap_or(rest.len())).unwrap_or_default()
    }

    fn word(&mut self) -> Item {
        let word = self.run();
        self.at += word.len();
        match word {
            b"null" => Item::Value(Object::Null),
            b"true" => Item::Value(Object::Boolean(true)),
            b"false" => Item::Value(Object::Boolean(false)),
            _ => Item::Word,
        }
    }

    /// The rest of a name after its `/`.
    fn name(&mut self) -> Vec<u8> {
        let run = self.run();
        self.at += run.len();
        let digit = |at: usize| run.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        let mut name = Vec::with_capacity(run.len());
        let mut at = 0;
        while let Some(byte) = run.get(at) {
            match (byte, digit(at + 1), digit(at + 2)) {
                (b'#', Some(high), Some(low)) => {
                    name.extend(u8::try_from(high << 4 | low));
                    at += 3;
                }
                _ => {
                    name.push(*byte);
                    at += 1;
                }
            }
        }
        name
    }

    /// The rest of a string after its `(` (7.3.4.2).
    fn literal(&mut self) -> Result<Vec<u8>> {
        let mut string = Vec::new();
        let mut open = 0_usize;
        loop {
            match self.next().ok_or(Unreadable)? {
                b')' if open == 0 => return Ok(string),
                b')' => {
                    open -= 1;
                    string.push(b')');
                }
                b'(' => {
                    open += 1;
                    string.push(b'(');
                }
                b'\r' => {
                    if self.peek() == Some(b'\n') {
                        self.at += 1;
                    }
                    string.push(b'\n');
                }
                b'\\' => string.extend(self.escape()?),
                byte => string.push(byte),
            }
        }
    }

    /// The byte that an escape after a `\` stands for. `None` for the end of a line.
    fn escape(&mut self) -> Result<Option<u8>> {
        Ok(Some(match self.next().ok_or(Unreadable)? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 0x08,
            b'f' => 0x0c,
            b'\n' => return Ok(None),
            b'\r' => {
                if self.peek() == Some(b'\n') {
                    self.at += 1;
                }
                return Ok(None);
            }
            digit @ b'0'..=b'7' => {
                let mut code = u32::from(digit - b'0');
                for _ in 0..2 {
                    match self.peek() {
                        Some(digit @ b'0'..=b'7') => {
                            self.at += 1;
                            code = code << 3 | u32::from(digit - b'0');
                        }
                        _ => break,
                    }
                }
                // The standard ignores the bits that do not fit.
                u8::try_from(code & 0xff).unwrap_or_default()
            }
            byte => byte,
        }))
    }

    /// The rest of a string after its `<` (7.3.4.3).
    fn hexadecimal(&mut self) -> Result<Vec<u8>> {
        let mut string = Vec::new();
        let mut high = None;
        loop {
            let byte = self.next().ok_or(Unreadable)?;
            if byte == b'>' {
                string.extend(high.map(|high: u8| high << 4));
                return Ok(string);
            }
            let digit = char::from(byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok());
            match (high, digit) {
                (_, None) => {}
                (None, digit) => high = digit,
                (Some(first), Some(digit)) => {
                    string.push(first << 4 | digit);
                    high = None;
                }
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Object>> {
        let depth = deeper(depth)?;
        let mut array = Vec::new();
        loop {
            match self.item(depth)? {
                Item::Value(value) => array.push(value),
                // For example JavaScript's `undefined` and `NaN`, or units.
                Item::Word if !self.at_end_of_object() => array.push(Object::Null),
                Item::CloseArray => return Ok(array),
                Item::Word | Item::CloseDictionary | Item::End => return Err(Unreadable),
            }
        }
    }

    fn dictionary(&mut self, depth: usize) -> Result<Dictionary> {
        let depth = deeper(depth)?;
        let mut dictionary = Dictionary::new();
        loop {
            let key = match self.item(depth)? {
                Item::Value(Object::Name(key)) => key,
                Item::CloseDictionary => return Ok(dictionary),
                Item::Value(_) => continue,
                Item::Word if !self.at_end_of_object() => continue,
                Item::Word | Item::CloseArray | Item::End => return Err(Unreadable),
            };
            match self.item(depth)? {
                Item::Value(value) => dictionary.set(key, value),
                Item::CloseDictionary => return Ok(dictionary),
                Item::Word if !self.at_end_of_object() => {}
                Item::Word | Item::CloseArray | Item::End => return Err(Unreadable),
            }
        }
    }

    /// Whether the last word ends an object or begins its stream.
    fn at_end_of_object(&self) -> bool {
        let read = self.bytes.get(..self.at).unwrap_or_default();
        [b"endobj".as_slice(), b"stream", b"obj", b"xref", b"trailer"]
            .iter()
            .any(|word| read.ends_with(word))
    }

    fn number_or_reference(&mut self) -> Item {
        let number = self.number();
        if let Object::Integer(id) = number
            && let Ok(id) = u32::try_from(id)
        {
            let mut ahead = *self;
            if let Some(generation) = ahead.take_unsigned()
                && let Ok(generation) = u16::try_from(generation)
                && ahead.take_keyword(b"R")
            {
                *self = ahead;
                return Item::Value(Object::Reference((id, generation)));
            }
        }
        Item::Value(number)
    }

    /// A number. If the run is not a number, such as `612pt` or `0endobj`, only its beginning is used.
    fn number(&mut self) -> Object {
        let run = self.run();
        let numeric = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.');
        let length = run.iter().take_while(|byte| numeric(byte)).count();
        // An exponent is read only if the whole run is a number, because `e` might begin a word. ISO 32000-2, 7.3.3,
        // has no exponents. Producers in scripting languages write them for numbers that are nearly 0.
        if run
            .get(length)
            .is_some_and(|byte| matches!(byte, b'e' | b'E'))
            && let Some(number) = std::str::from_utf8(run)
                .ok()
                .and_then(|text| text.parse::<f32>().ok())
        {
            self.at += run.len();
            return real(number);
        }
        let text = run.get(..length).unwrap_or_default();
        self.at += length;
        plain_number(text)
    }
}

fn deeper(depth: usize) -> Result<usize> {
    if depth == MAX_NESTING {
        return Err(Unreadable);
    }
    Ok(depth + 1)
}

/// A number of digits, signs and points. The first sign counts. A later sign or a second point ends the number.
fn plain_number(text: &[u8]) -> Object {
    let signs = text
        .iter()
        .take_while(|byte| matches!(byte, b'+' | b'-'))
        .count();
    let negative = text.first() == Some(&b'-');
    let mut points = 0;
    let body: String = text
        .iter()
        .skip(signs)
        .map_while(|byte| {
            points += usize::from(*byte == b'.');
            (points < 2 && !matches!(byte, b'+' | b'-')).then_some(char::from(*byte))
        })
        .collect();
    if points == 0 {
        let number = if negative {
            format!("-{body}").parse().ok()
        } else {
            body.parse().ok()
        };
        if let Some(number) = number {
            return Object::Integer(number);
        }
    }
    let number: f32 = body.parse().unwrap_or_default();
    real(if negative { -number } else { number })
}

/// A real number that can be written. Infinities become the largest finite number of the same sign.
fn real(number: f32) -> Object {
    Object::Real(number.clamp(f32::MIN, f32::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn read(text: &[u8]) -> String {
        Lexer::new(text, 0)
            .value()
            .map_or_else(|_| "unreadable".into(), |value| format!("{value:?}"))
    }

    #[test]
    fn what_the_standard_has() {
        for (text, value) in [
            (
                &b"<</A[1 -2.5 true null]/B(x\\(\\051\\n)>>"[..],
                "<</A [1 -2.5 true Null]/B (x()\n)>>",
            ),
            (b"% comment\n 12 0 R", "12 0 R"),
            (b"[1 2 3 0 R 4]", "[1 2 3 0 R 4]"),
            (b"<48 65 6>", "<486560>"),
            (b"/A#42", "/AB"),
            (b"(a (b) c)", "(a (b) c)"),
            (b"(a\\\r\nb\rc)", "(ab\nc)"),
        ] {
            assert_eq!(read(text).replace(' ', ""), value.replace(' ', ""));
        }
    }

    #[test]
    fn what_producers_write() {
        for (text, value) in [
            (&b"/Bold#Font"[..], "/Bold#Font"),
            (
                b"<</BaseFont/Open Sans/Encoding/X>>",
                "<</BaseFont /Open/Encoding /X>>",
            ),
            (b"[1e2 1E-3 -2.5e1 0]", "[100 0.001 -25 0]"),
            (b"[--5 +-3 1.2.3 5-3 . - 4.]", "[-5 3 1.2 5 0 -0 4]"),
            (b"[99999999999999999999]", "[100000000000000000000]"),
            (b"[NaN undefined 612pt]", "[Null Null 612 Null]"),
            (b"<48656Z6c>", "<486566c0>"),
            (b"<</A/B/C>>", "<</A /B>>"),
            (b"<</A 1 2/B 3>>", "<</A 1/B 3>>"),
        ] {
            assert_eq!(read(text).replace(' ', ""), value.replace(' ', ""));
        }
    }

    #[test]
    fn what_does_not_end_is_unreadable() {
        for text in [
            &b"(a"[..],
            b"<41",
            b"[1 2",
            b"[1 2 endobj ]",
            b"<</A 1 endobj >>",
            b"<</A 1 ] >>",
            b"[1 >> ]",
            b"endobj",
            b"",
        ] {
            assert_eq!(read(text), "unreadable", "{text:?}");
        }
        let deep = [vec![b'['; 101], vec![b']'; 101]].concat();
        assert_eq!(read(&deep), "unreadable");
        let deep = [vec![b'['; 100], vec![b']'; 100]].concat();
        assert_eq!(read(&deep), String::from_utf8(deep).unwrap());
    }
}
