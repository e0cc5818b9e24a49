//! The page at `/`, as a browser shows it. Without a Chromium these tests say so and are skipped; `$CHROME` names one
//! that is not on the path.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod chromium;
#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "shared with other suites")]
mod common;

use std::io::Cursor;
use std::path::Path;
use std::process::ExitCode;

use image::{ImageFormat, Rgb, RgbImage};
use libtest_mimic::{Arguments, Trial};
use reqwest::Method;
use reqwest::header::USER_AGENT;
use serde_json::{Value, json};

use chromium::{Chromium, WINDOW};
use common::{Answer, Fixture, PDF, form};

/// Takes the path of Chromium.
type Test = fn(&Path);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tests: [(&str, Test); 2] = [
        ("assets_show_up_while_the_page_is_open", |chromium| {
            block_on(live(chromium));
        }),
        ("hostile_names_are_shown_as_text", |chromium| {
            block_on(hostile(chromium));
        }),
    ];
    let chromium = chromium::find();
    let trials = tests.map(|(name, test)| match chromium.clone() {
        Ok(chromium) => Trial::test(name, move || {
            test(&chromium);
            Ok(())
        }),
        Err(reason) => {
            let name = format!("{name}: skipped, {reason}");
            Trial::test(name, || Ok(())).with_ignored_flag(true)
        }
    });
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}

fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(test);
}

/// The colour of the picture that is uploaded; nothing else on the page has it.
const ORANGE: Rgb<u8> = Rgb([240, 130, 20]);

/// The text of each cell of each row.
const ROWS: &str = "[...document.querySelectorAll('tbody tr')].map(row => [...row.cells].map(cell => cell.textContent))";

/// Whether every picture has come.
const PICTURES: &str = "[...document.querySelectorAll('tbody img')].every(image => image.complete && image.naturalWidth > 0)";

fn picture() -> Vec<u8> {
    let mut png = Cursor::new(Vec::new());
    let picture = RgbImage::from_pixel(640, 480, ORANGE);
    picture.write_to(&mut png, ImageFormat::Png).unwrap();
    png.into_inner()
}

/// `POST /v3/assets` by a client of this name.
async fn upload(f: &Fixture, user_agent: &str, name: &str, bytes: Vec<u8>) -> String {
    let request = f
        .request(Method::POST, "/v3/assets")
        .header(USER_AGENT, user_agent)
        .multipart(form(name, bytes));
    Answer::of(request.send().await.unwrap())
        .await
        .text("asset_id")
}

/// The page, open and connected. A reload would take the mark away.
async fn open(f: &Fixture, chromium: &Path) -> Chromium {
    let mut page = Chromium::open(chromium, &f.url("/")).await;
    page.until("document.getElementById('state')?.textContent === '0 assets'")
        .await;
    page.evaluate("window.mark = 'as it was opened'").await;
    page
}

/// Whether the page is still the one that was opened.
async fn assert_not_reloaded(page: &mut Chromium) {
    assert_eq!(page.evaluate("window.mark").await, "as it was opened");
}

async fn live(chromium: &Path) {
    let f = Fixture::start().await;
    let mut page = open(&f, chromium).await;
    let note = "document.getElementById('none').checkVisibility()";
    assert_eq!(page.evaluate(note).await, true);

    let png = picture();
    let size = format!("{:.1} KiB", png.len() as f64 / 1024.0);
    let pipeline = "forebay/0.1.0 (pipeline image-resize, strip-metadata)";
    let photo = upload(&f, pipeline, "photo.png", png).await;
    page.until("document.querySelector('tbody img')?.naturalWidth === 640")
        .await;
    assert_eq!(page.evaluate(note).await, false);
    let rows = page.evaluate(ROWS).await;
    let made_by = "pipeline image-resize, strip-metadata";
    let expected = ["", "photo.png", "image/png", &size, "upload", made_by];
    assert_eq!(rows[0].as_array().unwrap()[..6], expected);
    assert_eq!(rows.as_array().unwrap().len(), 1);
    let age = "(Date.now() - Date.parse(document.querySelector('time').dateTime)) / 1000";
    let age = page.evaluate(age).await.as_f64().unwrap();
    assert!((0.0..60.0).contains(&age), "{age} seconds");
    let year = "document.querySelector('time').textContent.includes(new Date().getFullYear())";
    assert_eq!(page.evaluate(year).await, true);

    // A direct upload is seen from its first step on, and its row stays where it is.
    let slot = json!({"filename": "paper.pdf", "content_type": "application/pdf", "size_bytes": PDF.len()});
    let create = f.request(Method::POST, "/v3/assets/direct-uploads");
    let create = create.header(USER_AGENT, "curl/8.5.0").json(&slot);
    let slot = Answer::of(create.send().await.unwrap()).await;
    page.until("document.querySelectorAll('tbody tr').length === 2")
        .await;
    let size = format!("{} bytes", PDF.len());
    let mut expected = json!([
        "pdf",
        "paper.pdf",
        "application/pdf",
        size,
        "direct upload",
        "curl/8.5.0",
        "pending upload"
    ]);
    assert_eq!(page.evaluate(ROWS).await[0], expected);
    let url = slot.text("upload_url");
    let put = f.client.put(url).header("content-type", "application/pdf");
    put.body(PDF).send().await.unwrap();
    f.complete(&slot.text("asset_id"), &json!({})).await.data();
    page.until(
        "document.querySelector('tbody tr time') !== null && !document.querySelector('.pending')",
    )
    .await;
    let rows = page.evaluate(ROWS).await;
    expected[6] = rows[0][6].clone();
    assert_eq!(rows[0], expected);
    assert_eq!(rows[1][1], "photo.png");

    let png = page.screenshot().await;
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/page.png"), &png).unwrap();
    look(&png);

    let path = format!("/v3/assets/{photo}");
    f.request(Method::DELETE, &path).send().await.unwrap();
    page.until("document.querySelectorAll('tbody tr').length === 1")
        .await;
    assert_eq!(page.evaluate(ROWS).await[0][1], "paper.pdf");
    assert_not_reloaded(&mut page).await;
    assert_eq!(page.complaints, [Value::Null; 0]);
    let paths = f
        .emulator
        .requests()
        .into_iter()
        .map(|request| request.path);
    let strange: Vec<_> = paths.filter(|path| path.contains("icon")).collect();
    assert_eq!(strange, [""; 0], "the browser asks for nothing of its own");
}

/// Whether a screenshot shows what it should: dark text on a light ground, and the picture that was uploaded.
fn look(png: &[u8]) {
    let seen = image::load_from_memory_with_format(png, ImageFormat::Png);
    let seen = seen.unwrap().into_rgb8();
    assert_eq!(seen.dimensions(), WINDOW);
    let count = |is: fn(&Rgb<u8>) -> bool| seen.pixels().filter(|pixel| is(pixel)).count();
    let light = count(|pixel| pixel.0.iter().all(|&part| part > 240));
    let dark = count(|pixel| pixel.0.iter().all(|&part| part < 100));
    let orange = count(|pixel| *pixel == ORANGE);
    let all = seen.pixels().len();
    assert!(light > all / 2, "{light} of {all} pixels are light");
    assert!((500..all / 10).contains(&dark), "{dark} pixels are dark");
    // The picture is fitted into 72 by 54 pixels, less a border.
    assert!((3000..=72 * 54).contains(&orange), "{orange} are orange");
}

async fn hostile(chromium: &Path) {
    let f = Fixture::start().await;
    let mut page = open(&f, chromium).await;
    let markup = "<img src=x onerror=window.pwned=1>";
    let closing = "</td></tr></table><script>window.pwned=2;alert(1)</script>";
    for (user_agent, made_by) in [
        (
            format!("x/1 (pipeline {markup})"),
            format!("pipeline {markup}"),
        ),
        (markup.replace(' ', "\u{a0}"), markup.replace(' ', "\u{a0}")),
        (
            format!("x/1 (pipeline {closing})"),
            format!("pipeline {closing}"),
        ),
        (String::new(), "–".to_owned()),
    ] {
        let name = format!("{markup}{}.png", f.emulator.assets().len());
        let id = upload(&f, &user_agent, &name, picture()).await;
        page.until(&format!(
            "document.querySelector('.name')?.title === '{id}'"
        ))
        .await;
        let row = &page.evaluate(ROWS).await[0];
        assert_eq!((&row[1], &row[5]), (&json!(name), &json!(made_by)));
    }
    assert_not_reloaded(&mut page).await;
    // What a page shows when it is opened comes another way than changes.
    page.navigate(&f.url("/")).await;
    page.until("document.querySelectorAll('tbody tr').length === 4")
        .await;
    page.until(PICTURES).await;
    let png = page.screenshot().await;
    std::fs::write(
        concat!(env!("CARGO_TARGET_TMPDIR"), "/page-hostile.png"),
        &png,
    )
    .unwrap();

    let texts =
        "[...document.querySelectorAll('.name, .maker')].every(cell => cell.children.length === 0)";
    assert_eq!(page.evaluate(texts).await, true);
    let sources =
        "[...document.images].map(image => new URL(image.src).pathname.split('/')[1]).join()";
    assert_eq!(page.evaluate(sources).await, "files,files,files,files");
    assert_eq!(page.evaluate("document.scripts.length").await, 1);
    assert_eq!(page.evaluate("typeof window.pwned").await, "undefined");
    assert_eq!(page.complaints, [Value::Null; 0]);

    // Even if it were markup, the page's policy would not let it run.
    page.evaluate("addEventListener('securitypolicyviolation', event => window.refused = event.effectiveDirective)")
        .await;
    page.evaluate(&format!(
        "document.body.insertAdjacentHTML('beforeend', '{markup}')"
    ))
    .await;
    page.until("window.refused === 'script-src-attr' && document.body.lastElementChild.complete")
        .await;
    assert_eq!(page.evaluate("typeof window.pwned").await, "undefined");
}
