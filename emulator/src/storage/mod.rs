//! Where bytes and records are kept: files on disk, objects in a bucket, records in a database, and the key that signs
//! URLs. Uses `base`.

pub(crate) mod bucket;
pub(crate) mod files;
pub(crate) mod object;
pub(crate) mod presign;
pub(crate) mod records;
