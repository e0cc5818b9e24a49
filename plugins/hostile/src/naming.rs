//! Words that are not what they should be.

use forebay_plugin::{Error, FileInfo, Output};

use crate::output::copy;
use crate::streams::Input;

pub(crate) async fn long_name(
    input: &mut Input,
    info: FileInfo,
    bytes: usize,
) -> Result<(), Error> {
    let name = "n".repeat(bytes);
    copy(input, FileInfo { name, ..info }).await
}

pub(crate) async fn long_type(
    input: &mut Input,
    info: FileInfo,
    bytes: usize,
) -> Result<(), Error> {
    let media_type = format!("text/{}", "t".repeat(bytes.saturating_sub(5)));
    copy(input, FileInfo { media_type, ..info }).await
}

pub(crate) async fn claim(info: FileInfo, media_type: String, text: String) -> Result<(), Error> {
    let mut output = Output::open(FileInfo { media_type, ..info }).await;
    output.write(&mut text.into_bytes()).await?;
    output.finish().await
}
