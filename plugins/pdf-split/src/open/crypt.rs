//! Encrypted documents (ISO 32000-2, 7.6). An empty password opens most: they are encrypted only to forbid printing or
//! copying.

use forebay_plugin::Error;
use lopdf::encryption::{DecryptionError, decrypt_object};
use lopdf::{Dictionary, Document, EncryptionState, Object, ObjectId, Stream};

use crate::document::damaged;

/// How deeply the encryption dictionary may be nested, including references. It contains crypt filters, which contain
/// values.
const MAX_NESTING: usize = 10;

/// AES encrypts blocks of this many bytes.
const AES_BLOCK: usize = 16;

const UNSUPPORTED: &str =
    "the PDF is encrypted in a way that is not supported; remove its protection first";

/// What decrypts the objects of a document.
#[derive(Debug)]
pub(super) struct Crypt {
    state: EncryptionState,
    /// The encryption dictionary, which is not encrypted.
    dictionary: Option<ObjectId>,
}

impl Crypt {
    /// Reads how a document is encrypted, and tries a password. `None` if the document is not encrypted.
    pub(super) fn new<'a>(
        trailer: &'a Dictionary,
        object: impl Fn(ObjectId) -> Option<&'a Object>,
        password: Option<&str>,
    ) -> Result<Option<Self>, Error> {
        let Ok(entry) = trailer.get(b"Encrypt") else {
            return Ok(None);
        };
        let mut dictionary = match direct(entry, &object, MAX_NESTING) {
            Object::Dictionary(dictionary) => dictionary,
            Object::Null if entry.is_null() => return Ok(None),
            _ => return Err(damaged("how it is encrypted cannot be read".into())),
        };
        if !is_known(&dictionary) {
            return Err(Error::InvalidInput(UNSUPPORTED.into()));
        }
        let has_length = dictionary.has(b"Length");
        mend(&mut dictionary);
        // The library reads the dictionary from a document, and only by reference.
        let id = (1, 0);
        let mut document = Document::new();
        document.trailer.set("Encrypt", id);
        let identifier = trailer
            .get(b"ID")
            .map(|value| direct(value, &object, MAX_NESTING))
            .ok()
            .filter(|value| value.as_array().is_ok_and(|array| !array.is_empty()));
        document.trailer.set(
            "ID",
            // Some producers leave it out and mean an empty one.
            identifier.unwrap_or_else(|| vec![Object::string_literal(""); 2].into()),
        );
        document.objects.insert(id, Object::Dictionary(dictionary));
        let mut opened = try_passwords(&mut document, password);
        if opened.is_err() && !has_length {
            // 40 is the default of the standard, but most producers mean 128.
            if let Ok(dictionary) = document.get_dictionary_mut(id) {
                dictionary.set("Length", 40);
            }
            opened = try_passwords(&mut document, password).or(opened);
        }
        if let Err(error) = opened {
            return Err(refusal(&error, password));
        }
        Ok(document.encryption_state.take().map(|state| Self {
            state,
            dictionary: entry.as_reference().ok(),
        }))
    }

    /// Decrypts an object. Returns false if that fails. The strings that can be decrypted are still decrypted.
    pub(super) fn decrypt(&self, id: ObjectId, object: &mut Object) -> bool {
        if self.dictionary == Some(id) {
            return true;
        }
        if let Object::Stream(stream) = object
            && self.state.get_stream_filter().method().starts_with(b"AES")
            && !has_own_filter(stream)
        {
            // If the length of the stream is wrong, the data may include the end of the line after it.
            let whole = stream.content.len() / AES_BLOCK * AES_BLOCK;
            stream.content.truncate(whole);
        }
        decrypt_object(&self.state, id, object).is_ok()
    }
}

/// Whether a stream may be encrypted in another way than the rest, or not at all.
fn has_own_filter(stream: &Stream) -> bool {
    stream.dict.has_type(b"Metadata")
        || stream
            .filters()
            .is_ok_and(|filters| filters.contains(&b"Crypt".as_slice()))
}

/// Tries a password. It may be meant for other documents of the same run, so the empty password is tried as well.
fn try_passwords(document: &mut Document, password: Option<&str>) -> lopdf::Result<()> {
    let opened = document.decrypt(password.unwrap_or_default());
    if opened.is_err() && password.is_some() {
        return document.decrypt("").or(opened);
    }
    opened
}

/// Corrects common mistakes of producers, as other readers do: passwords and keys that are cut short or padded, a
/// length in bytes, and lengths that the version already determines.
fn mend(dictionary: &mut Dictionary) {
    let integer = |key: &[u8]| match dictionary.get(key) {
        Ok(Object::Integer(number)) => Some(*number),
        #[allow(clippy::cast_possible_truncation, reason = "it saturates")]
        Ok(Object::Real(number)) => Some(*number as i64),
        _ => None,
    };
    let (version, revision) = (integer(b"V"), integer(b"R"));
    let length = match (version, integer(b"Length")) {
        (Some(1), _) => Some(40),
        (Some(4), _) => Some(128),
        (Some(5), _) => Some(256),
        (_, Some(bytes @ 5..=16)) => Some(bytes * 8),
        (Some(2), None) => Some(128),
        _ => None,
    };
    let permissions = integer(b"P");
    let long = revision.is_some_and(|revision| revision >= 5);
    let sizes = if long {
        &[(b"O".as_slice(), 48), (b"U", 48), (b"OE", 32), (b"UE", 32)][..]
    } else {
        &[(b"O".as_slice(), 32), (b"U", 32)]
    };
    for (key, size) in sizes {
        if let Ok(Object::String(value, _)) = dictionary.get_mut(key) {
            value.resize(*size, 0);
        }
    }
    for (key, value) in [(b"Length".as_slice(), length), (b"P", permissions)] {
        if let Some(value) = value {
            dictionary.set(key, value);
        }
    }
    if dictionary
        .get(b"EncryptMetadata")
        .is_ok_and(|value| value.as_bool().is_err())
    {
        dictionary.remove(b"EncryptMetadata");
    }
}

/// Whether the methods of encryption are known. The library uses RC4 for unknown ones, so they must be refused before.
fn is_known(dictionary: &Dictionary) -> bool {
    let version = dictionary.get(b"V").and_then(Object::as_i64).unwrap_or(0);
    version < 4
        || [b"StmF", b"StrF"].iter().all(|key| {
            let name = dictionary.get(*key).and_then(Object::as_name);
            let filter = |name: &[u8]| {
                let filters = dictionary.get(b"CF")?.as_dict()?;
                filters.get(name)?.as_dict()?.get(b"CFM")?.as_name()
            };
            match name {
                Ok(b"Identity") | Err(_) => true,
                Ok(name) => filter(name).is_ok_and(|method| {
                    [&b"V2"[..], b"AESV2", b"AESV3", b"None"].contains(&method)
                }),
            }
        })
}

fn refusal(error: &lopdf::Error, password: Option<&str>) -> Error {
    use lopdf::Error as Load;

    Error::InvalidInput(match (error, password) {
        (Load::InvalidPassword | Load::Decryption(DecryptionError::IncorrectPassword), None) => {
            "the PDF can be opened only with its password; give it in the option `password`".into()
        }
        (Load::InvalidPassword | Load::Decryption(DecryptionError::IncorrectPassword), Some(_)) => {
            "the PDF is not opened by the option `password`; give the right one".into()
        }
        (
            Load::UnsupportedSecurityHandler(_)
            | Load::Decryption(
                DecryptionError::UnsupportedEncryption
                | DecryptionError::UnsupportedVersion
                | DecryptionError::UnsupportedRevision,
            ),
            _,
        ) => "the PDF is encrypted in a way that is not supported; remove its protection first"
            .into(),
        _ => "the PDF is damaged: how it is encrypted cannot be read".into(),
    })
}

/// A value in which references are replaced by the objects that they lead to.
fn direct<'a>(
    value: &'a Object,
    object: &impl Fn(ObjectId) -> Option<&'a Object>,
    depth: usize,
) -> Object {
    let Some(depth) = depth.checked_sub(1) else {
        return Object::Null;
    };
    match value {
        Object::Reference(id) => {
            object(*id).map_or(Object::Null, |value| direct(value, object, depth))
        }
        Object::Array(array) => Object::Array(
            array
                .iter()
                .map(|value| direct(value, object, depth))
                .collect(),
        ),
        Object::Dictionary(dictionary) => Object::Dictionary(
            dictionary
                .iter()
                .map(|(key, value)| (key.clone(), direct(value, object, depth)))
                .collect(),
        ),
        value => value.clone(),
    }
}
