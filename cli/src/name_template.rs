//! `--name`: names results by a template.

use std::str::FromStr;
use std::sync::Arc;

use forebay::media::plain_name;
use forebay::{Delivered, Outgoing, Sink, SinkError};

/// The names that are allowed in braces.
const PLACEHOLDERS: [(&str, Part); 6] = [
    ("name", Part::Name),
    ("stem", Part::Stem),
    ("ext", Part::Extension),
    ("n", Part::InputNumber),
    ("m", Part::OutputNumber),
    ("input", Part::InputStem),
];

/// A template that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameTemplate(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The output's name.
    Name,
    /// The output's name without the extension.
    Stem,
    /// The output's extension, without the dot.
    Extension,
    /// The number of the input in the run, from 1.
    InputNumber,
    /// The number of the output among the outputs of its input, from 1.
    OutputNumber,
    /// The input's name without the extension.
    InputStem,
}

impl FromStr for NameTemplate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts: Vec<Part> = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = from.strip_prefix("{{") {
                literal.push('{');
                rest = after;
            } else if let Some(after) = from.strip_prefix("}}") {
                literal.push('}');
                rest = after;
            } else if let Some((name, after)) =
                from.strip_prefix('{').and_then(|from| from.split_once('}'))
            {
                let known = PLACEHOLDERS.iter().find(|(known, _)| *known == name);
                let (_, part) = known.ok_or_else(|| unknown(name))?;
                if !literal.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut literal)));
                }
                parts.push(part.clone());
                rest = after;
            } else {
                return Err("a brace has no other one; `{{` and `}}` stand for braces".into());
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        for part in &parts {
            if let Part::Text(text) = part
                && text.contains(|c: char| matches!(c, '/' | '\\') || c.is_control())
            {
                return Err("it names files, not folders: `/`, `\\` and control characters cannot stand in it".into());
            }
        }
        match parts.first() {
            None => Err("it is empty".into()),
            Some(Part::Text(text)) if text.starts_with(['.', '-']) => {
                Err("it would begin each name with a dot or a dash".into())
            }
            Some(_) => Ok(Self(parts)),
        }
    }
}

fn unknown(name: &str) -> String {
    let known: Vec<String> = PLACEHOLDERS
        .iter()
        .map(|(name, _)| format!("{{{name}}}"))
        .collect();
    format!("there is no {{{name}}}; there are {}", known.join(", "))
}

impl NameTemplate {
    /// Whether no two outputs of different inputs get the same name.
    pub(crate) fn tells_inputs_apart(&self) -> bool {
        self.0.contains(&Part::InputNumber)
    }

    /// Whether no two outputs of one input get the same name.
    pub(crate) fn tells_outputs_apart(&self) -> bool {
        self.0.contains(&Part::OutputNumber)
    }

    /// The name of an output of the input with this number, by its name so far and its indexes among the outputs of each
    /// stage.
    pub(crate) fn apply_to(
        &self,
        name: &str,
        place: &[usize],
        input: &str,
        number: usize,
    ) -> Result<String, String> {
        self.apply(&Output {
            name,
            place,
            input,
            number,
        })
    }

    /// The name of an output.
    fn apply(&self, output: &Output<'_>) -> Result<String, String> {
        let Output {
            name,
            place,
            input,
            number,
        } = output;
        let (stem, extension) = split(name);
        let mut result = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => result.push_str(text),
                Part::Name => result.push_str(name),
                Part::Stem => result.push_str(stem),
                Part::Extension => result.push_str(extension),
                Part::InputNumber => result.push_str(&number.to_string()),
                Part::OutputNumber => result.push_str(&numbers(place)),
                Part::InputStem => result.push_str(split(input).0),
            }
        }
        if extension.is_empty() {
            // `{stem}.{ext}` for a name without an extension.
            if result.ends_with('.') && !name.ends_with('.') {
                result.pop();
            }
        } else if !split(&result).1.eq_ignore_ascii_case(extension) {
            // The extension shows the type.
            result.push('.');
            result.push_str(extension);
        }
        let first = result.chars().next();
        let starts_as_given = [name, input]
            .iter()
            .any(|given| given.chars().next() == first);
        if plain_name(&result) != result || (result.starts_with(['.', '-']) && !starts_as_given) {
            return Err(format!(
                "--name makes it `{result}`, which is no plain file name"
            ));
        }
        Ok(result)
    }
}

/// An output that is to be named.
struct Output<'a> {
    /// Its name so far.
    name: &'a str,
    /// Its index among the outputs of each stage, from 0.
    place: &'a [usize],
    /// The name of its input.
    input: &'a str,
    /// The number of its input.
    number: usize,
}

/// One number for each stage.
fn numbers(place: &[usize]) -> String {
    if place.is_empty() {
        return "1".into();
    }
    let numbers: Vec<String> = place.iter().map(|at| (at + 1).to_string()).collect();
    numbers.join("-")
}

/// Splits a name into stem and extension. A dot at the beginning or at the end does not begin an extension.
fn split(name: &str) -> (&str, &str) {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && !extension.is_empty() => (stem, extension),
        _ => (name, ""),
    }
}

/// A sink that names the outputs of one input by a template.
pub(crate) struct Named {
    pub(crate) template: NameTemplate,
    /// The input's name.
    pub(crate) input: String,
    /// The input's number in the run, from 1.
    pub(crate) number: usize,
    /// Receives the files under their new names.
    pub(crate) sink: Arc<dyn Sink>,
}

#[async_trait::async_trait]
impl Sink for Named {
    async fn put(&self, mut file: Outgoing) -> Result<Delivered, SinkError> {
        let output = Output {
            name: &file.info.name,
            place: &file.place,
            input: &self.input,
            number: self.number,
        };
        let name = self.template.apply(&output);
        file.info.name = name.map_err(|problem| SinkError::Other(problem.into()))?;
        self.sink.put(file).await
    }

    fn identity(&self) -> Option<String> {
        self.sink.identity()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn named(template: &str, name: &str) -> Result<String, String> {
        let template: NameTemplate = template.parse().unwrap();
        template.apply(&Output {
            name,
            place: &[0, 2],
            input: "scan.pdf",
            number: 7,
        })
    }

    #[test]
    fn placeholders_stand_for_what_the_help_says() {
        for (template, name, expected) in [
            ("{stem}-{n}.{ext}", "a.tar.gz", "a.tar-7.gz"),
            ("{n}-{name}", "a.png", "7-a.png"),
            ("{input}-{m}.{ext}", "page.pdf", "scan-1-3.pdf"),
            ("{{{n}}}.{ext}", "a.png", "{7}.png"),
            ("{stem}-{n}.{ext}", "README", "README-7"),
            ("{name}", "odd.", "odd."),
            ("{name}", ".profile", ".profile"),
            ("{stem}-{n}.{ext}", ".profile", ".profile-7"),
            ("{name}", "-dash.png", "-dash.png"),
            ("{stem}.{ext}", "héllo wörld.JPG", "héllo wörld.JPG"),
        ] {
            assert_eq!(
                named(template, name).as_deref(),
                Ok(expected),
                "{template} {name}"
            );
        }
    }

    #[test]
    fn the_extension_stays_that_of_the_type() {
        for (template, expected) in [
            ("{stem}-{n}", "a-7.png"),
            ("photo.jpg", "photo.jpg.png"),
            ("photo.PNG", "photo.PNG"),
            ("{ext}", "png.png"),
            ("v1.{n}", "v1.7.png"),
        ] {
            assert_eq!(
                named(template, "a.png").as_deref(),
                Ok(expected),
                "{template}"
            );
        }
    }

    #[test]
    fn a_template_that_cannot_name_files_is_refused() {
        for (template, problem) in [
            ("", "it is empty"),
            ("{stem", "a brace has no other one"),
            ("stem}", "a brace has no other one"),
            (
                "{Stem}",
                "there is no {Stem}; there are {name}, {stem}, {ext}, {n}, {m}, {input}",
            ),
            ("{}", "there is no {}"),
            ("../{name}", "not folders"),
            ("{n}/{name}", "not folders"),
            ("{n}\\{name}", "not folders"),
            ("{n}\n{name}", "control characters"),
            (".{name}", "a dot or a dash"),
            ("-{name}", "a dot or a dash"),
        ] {
            let error = template.parse::<NameTemplate>().unwrap_err();
            assert!(error.contains(problem), "{template}: {error}");
        }
    }

    #[test]
    fn a_name_that_is_not_plain_is_refused() {
        for (template, name) in [
            ("{ext}.{n}", "README"),
            ("{ext}-", "README"),
            ("{stem}{stem}", &"x".repeat(200)),
        ] {
            let error = named(template, name).unwrap_err();
            assert!(error.contains("no plain file name"), "{template}: {error}");
        }
    }
}
