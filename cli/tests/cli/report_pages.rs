//! `--report run.html`: the page, read by a parser as a browser would read it.

use std::fs;
use std::path::Path;
use std::process::Output;

use quick_xml::Reader;
use quick_xml::events::Event;
use tempfile::TempDir;

use crate::{Emulator, assert_refused, assert_success, demo, forebay, forebay_with, text};

/// What is in a page.
#[derive(Default)]
struct Page {
    /// Names of elements.
    elements: Vec<String>,
    /// Names and values of attributes.
    attributes: Vec<(String, String)>,
    /// All text outside of styles, with spaces between the pieces.
    text: String,
}

impl Page {
    /// Reads a page, which is well-formed XML.
    fn read(path: &Path) -> Self {
        let source = fs::read_to_string(path).unwrap();
        let mut page = Self::default();
        let mut reader = Reader::from_str(&source);
        reader.config_mut().check_end_names = true;
        let mut open = Vec::new();
        loop {
            let event = reader
                .read_event()
                .unwrap_or_else(|error| panic!("{error}: {source}"));
            match event {
                Event::Start(element) => {
                    page.element(&element);
                    open.push(text(element.name().as_ref()));
                }
                Event::Empty(element) => page.element(&element),
                Event::End(_) => drop(open.pop()),
                Event::Text(words) if open.last().is_none_or(|name| name != "style") => {
                    page.text.push_str(&text(&words));
                }
                Event::GeneralRef(reference) => {
                    let character = reference.resolve_char_ref().unwrap();
                    page.text
                        .push(character.unwrap_or_else(|| panic!("{reference:?}")));
                }
                Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!(open, [""; 0], "all elements are closed");
        page
    }

    fn element(&mut self, element: &quick_xml::events::BytesStart<'_>) {
        self.elements.push(text(element.name().as_ref()));
        for attribute in element.attributes() {
            let attribute = attribute.unwrap();
            let value = text(&attribute.value);
            self.attributes.push((text(attribute.key.as_ref()), value));
        }
    }

    /// Values of attributes of this name.
    fn values(&self, name: &str) -> Vec<&str> {
        let named = self.attributes.iter().filter(|(known, _)| known == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// Fails if the page runs or loads anything.
    #[track_caller]
    fn assert_inert(&self) {
        for element in &self.elements {
            let inert = [
                "html",
                "head",
                "meta",
                "style",
                "title",
                "body",
                "h1",
                "h2",
                "h3",
                "p",
                "br",
                "span",
                "div",
                "section",
                "figure",
                "figcaption",
                "img",
                "details",
                "summary",
                "table",
                "tr",
                "th",
                "td",
                "code",
            ];
            assert!(inert.contains(&element.as_str()), "{element}");
        }
        for (name, value) in &self.attributes {
            let inert = [
                "lang",
                "charset",
                "http-equiv",
                "content",
                "name",
                "class",
                "style",
                "title",
                "alt",
                "src",
                "colspan",
            ];
            assert!(inert.contains(&name.as_str()), "{name}={value}");
            assert!(
                name != "src" || value.starts_with("data:image/jpeg;base64,"),
                "{value}"
            );
            assert!(name != "style" || !value.contains("url"), "{value}");
        }
        let policy = "default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;; img-src data:";
        assert_eq!(self.values("content")[0], policy);
    }
}

fn run(folder: &Path, args: &[&str]) -> Output {
    let mut command = forebay(folder);
    command
        .args(["run", "--report", "run.html", "-fo", "out"])
        .args(args);
    command.output().unwrap()
}

#[test]
fn a_page_shows_files_before_and_after_with_their_stages() {
    let folder = TempDir::new().unwrap();
    fs::copy(demo("photo.jpg"), folder.path().join("photo.jpg")).unwrap();
    fs::write(folder.path().join("note.txt"), "hello").unwrap();
    let args = [
        "-s",
        "strip-metadata",
        "-s",
        "image-resize:max_width=64",
        "photo.jpg",
        "note.txt",
    ];
    let output = run(folder.path(), &args);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let path = folder.path().join("run.html");
    let page = Page::read(&path);
    page.assert_inert();
    for part in [
        "1 file from 2 inputs, ",
        "; 1 failed",
        "note.txt: stage 1 strip-metadata: the file is text/plain; it takes image/jpeg, image/png, image/webp, image/gif, video/mp4, video/quicktime, video/3gpp, video/3gpp2, audio/mp4, video/webm, video/x-matroska, audio/mpeg, audio/wav",
        "not_accepted",
        "image/jpeg, 798.5 kB",
        "1 strip-metadata",
        "2 image-resize",
        "nothing was delivered",
        "nothing but the file",
    ] {
        assert!(page.text.contains(part), "{part}\n{}", page.text);
    }
    assert_eq!(page.values("src").len(), 2, "before and after");
    let bars = page.values("style");
    assert!(
        bars.len() >= 3 && bars.iter().all(|bar| bar.contains("%;width:")),
        "{bars:?}"
    );
    assert!(
        page.values("title")
            .iter()
            .any(|title| title.starts_with("2 image-resize: photo.jpg, "))
    );
    let length = fs::metadata(&path).unwrap().len();
    assert!(length < 150_000, "{length}");

    // An older page is replaced, and another one is not.
    assert_eq!(run(folder.path(), &args).status.code(), Some(1));
    fs::write(&path, "<!DOCTYPE html>\n<p>my own page</p>").unwrap();
    let line = "forebay: --report run.html: there is a file that is no report; it stays";
    assert_refused(&run(folder.path(), &args), 2, line);
}

#[cfg(unix)]
#[test]
fn what_a_name_or_a_plugin_chose_is_text() {
    let folder = TempDir::new().unwrap();
    let name = "<img src=x onerror='alert(1)'>&amp;\"\u{202e}\u{1b}[31m.txt";
    fs::write(folder.path().join(name), "hello").unwrap();
    fs::write(
        folder.path().join("odd.wasm"),
        forebay_test_plugins::HOSTILE,
    )
    .unwrap();
    let odd = "./odd.wasm:behaviour=name,name=<script>alert(2)</script>.txt";
    for stage in ["identity", "strip-metadata", odd] {
        run(folder.path(), &["-s", stage, name]);
        let page = Page::read(&folder.path().join("run.html"));
        page.assert_inert();
        assert!(
            page.text.contains("<img src=x onerror='alert(1)'>&amp;\""),
            "{}",
            page.text
        );
        assert!(!page.text.contains(['\u{202e}', '\u{1b}']));
    }
}

#[test]
fn uploads_and_workflows_have_pages_too() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &[]);
    let photo = demo("photo.jpg");
    for args in [
        ["upload"].as_slice(),
        &["run", "--workflow", "media-kit:prompt=Hello", "-u"],
    ] {
        let output = forebay_with(folder.path(), &emulator.url, "any")
            .args(args)
            .args(["--report", "run.html"])
            .arg(&photo)
            .output()
            .unwrap();
        assert_success(&output);
        let page = Page::read(&folder.path().join("run.html"));
        page.assert_inert();
        assert!(
            page.text.contains("asset ast_") && page.text.contains("photo.jpg"),
            "{}",
            page.text
        );
    }
}
