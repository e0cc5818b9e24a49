//! The assets: what is known of each ([`entry`]), the table of all of them ([`table`]), how a start restores it
//! ([`recover`]), what others see of an asset ([`view`], [`status`]), and news of changes ([`changes`]).

mod changes;
mod entry;
mod recover;
mod status;
mod table;
mod view;

pub(crate) use changes::Change;
pub(crate) use entry::{Declared, Ready};
pub(crate) use status::Status;
pub(crate) use table::Assets;
pub(crate) use view::AssetSummary;

pub use entry::Flow;
pub use view::{AssetStatus, StoredAsset};
