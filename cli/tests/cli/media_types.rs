//! Types from bytes, the names that go with them, and `upload --type`.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::{Emulator, assert_success, forebay, forebay_with, json, names, text};

/// A film whose `ftyp` lists these brands.
fn mp4(major: &str) -> Vec<u8> {
    let mut bytes = b"\0\0\0\x20ftyp".to_vec();
    bytes.extend(major.as_bytes());
    bytes.extend(b"\0\0\x02\0isomiso2avc1mp41");
    bytes.resize(4000, 7);
    bytes
}

#[test]
fn films_and_sound_of_every_kind_are_uploaded() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &[]);
    let media = folder.path().join("media");
    fs::create_dir(&media).unwrap();
    for brand in [
        "isom", "iso7", "iso8", "iso9", "M4V ", "XAVC", "CAEP", "cmfc", "3gp4", "hvc1",
    ] {
        fs::write(media.join(format!("{}.mp4", brand.trim())), mp4(brand)).unwrap();
    }
    for second in [0xfb, 0xfa, 0xe3] {
        let mut frame = vec![0xff, second, 0x90, 0x64];
        frame.resize(421, 0);
        fs::write(media.join(format!("sync-{second:x}.mp3")), frame).unwrap();
    }
    let output = forebay_with(folder.path(), &emulator.url, "k")
        .args(["upload", "media"])
        .output()
        .unwrap();
    assert_success(&output);
    let lines = text(&output.stdout);
    let mut uploaded: Vec<&str> = lines
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(_, name)| name)
        .collect();
    uploaded.sort_unstable();
    assert_eq!(
        uploaded,
        [
            "3gp4.mp4",
            "CAEP.mp4",
            "M4V.mp4",
            "XAVC.mp4",
            "cmfc.mp4",
            "hvc1.mp4",
            "iso7.mp4",
            "iso8.mp4",
            "iso9.mp4",
            "isom.mp4",
            "sync-e3.mp3",
            "sync-fa.mp3",
            "sync-fb.mp3",
        ]
    );
}

#[test]
fn text_keeps_its_name_and_nothing_is_called_what_it_is_not() {
    let folder = TempDir::new().unwrap();
    let inputs = folder.path().join("in");
    fs::create_dir(&inputs).unwrap();
    for (name, content) in [
        (
            "about.txt",
            "Notes on file types\n\nA file that opens with %PDF- is a PDF.\n",
        ),
        ("cars.txt", "BMW sales by month\n2024,1,2\n"),
        ("gifts.md", "GIFT IDEAS\n- socks\n"),
        ("tags.txt", "ID3 tags explained\n"),
        ("photo.jpg", "<!DOCTYPE html><title>404 Not Found</title>\n"),
        ("scan.pdf", "It could not be scanned.\n"),
    ] {
        fs::write(inputs.join(name), content).unwrap();
    }
    let output = forebay(folder.path())
        .args(["run", "-s", "identity", "-o", "out", "in"])
        .output()
        .unwrap();
    assert_success(&output);
    assert_eq!(
        names(&folder.path().join("out")),
        [
            "about.txt",
            "cars.txt",
            "gifts.md",
            "photo.html",
            "scan.txt",
            "tags.txt"
        ]
    );
}

#[test]
fn the_type_of_an_upload_can_be_set_and_the_report_says_so() {
    let folder = TempDir::new().unwrap();
    let emulator = Emulator::start(folder.path(), &[]);
    // A frame of MP3 that no other frame follows: forebay is not sure, and the service takes it.
    let mut sound = vec![0xff, 0xfb, 0x90, 0x64];
    sound.resize(3000, 0);
    fs::write(folder.path().join("tone.mp3"), sound).unwrap();
    let upload = |args: &[&str]| {
        forebay_with(folder.path(), &emulator.url, "k")
            .args(["upload", "--json", "tone.mp3"])
            .args(args)
            .output()
            .unwrap()
    };
    let output = upload(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(json(&output.stdout)["detected_type"], Value::Null);
    let error = text(&output.stderr);
    assert!(error.contains("application/octet-stream"), "{error}");

    // `audio/mp3` is another name of `audio/mpeg`.
    let output = upload(&["--type", "audio/mp3"]);
    assert_success(&output);
    let report = json(&output.stdout);
    assert_eq!(report["source"]["media_type"], "audio/mpeg");
    assert_eq!(report["detected_type"], "application/octet-stream");
    assert_eq!(report["files"][0]["media_type"], "audio/mpeg");
    assert_eq!(report["files"][0]["name"], "tone.mp3");

    // A type that the service does not take is refused before anything is sent.
    let output = upload(&["--type", "image/tiff"]);
    assert_eq!(output.status.code(), Some(1));
    let output = upload(&["--type", "nonsense"]);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.contains("TYPE/SUBTYPE"), "{error}");
}
