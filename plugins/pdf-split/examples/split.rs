//! Splits a PDF outside of forebay: `split FILE FOLDER [CONFIG]`, where CONFIG is JSON.

use std::path::Path;

use forebay_plugin::{Error, FileInfo, FilePlugin, InputFile};
use pdf_split::PdfSplit;

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, folder, config @ ..] = arguments.as_slice() else {
        return Err(Error::Failed("usage: split FILE FOLDER [CONFIG]".into()));
    };
    let path = Path::new(file);
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let info = FileInfo {
        name,
        media_type: "application/pdf".into(),
        size: None,
    };
    let config = serde_json::from_str(config.first().map_or("{}", String::as_str))
        .map_err(|error| Error::InvalidConfig(error.to_string()))?;
    for output in PdfSplit::transform(
        &InputFile {
            info,
            path: path.into(),
        },
        Path::new(folder),
        config,
    )? {
        println!("{}", output.path);
    }
    Ok(())
}
