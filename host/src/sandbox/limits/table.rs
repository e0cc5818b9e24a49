//! How limits are declared: one entry gives a field, its default, its setter and the way that TOML writes it.

/// Declares a set of limits.
///
/// An entry is `name: type as ("report", "toml") = default;`. `report` is the serde module by which reports write the value
/// ("number" or "seconds"). `toml` is the function that reads it in a pipeline file ("size", "count" or "time"). The doc
/// comment of an entry says four things: what it limits, its default, why that, and how exact it is.
macro_rules! limits {
    (
        $(#[$meta:meta])*
        $name:ident, $text:ident {
            $(
                $(#[$doc:meta])*
                $field:ident: $type:ty as ($report:literal, $toml:literal) = $default:expr;
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        #[non_exhaustive]
        pub struct $name {
            $(
                $(#[$doc])*
                #[serde(with = $report)]
                pub $field: $type,
            )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $name {
            $(
                #[doc = concat!("Sets [`", stringify!($field), "`](Self::", stringify!($field), ").")]
                #[must_use]
                pub fn $field(mut self, value: $type) -> Self {
                    self.$field = value;
                    self
                }
            )*
        }

        /// The same as TOML writes it. What is left out keeps its default.
        #[cfg(feature = "toml")]
        #[derive(Debug, Default, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(crate) struct $text {
            $(
                #[serde(deserialize_with = $toml)]
                $field: Option<$type>,
            )*
        }

        #[cfg(feature = "toml")]
        impl $text {
            /// These limits, with `default` for those that were left out.
            pub(crate) fn over(self, default: &$name) -> $name {
                $name { $($field: self.$field.unwrap_or(default.$field),)* }
            }
        }
    };
}

pub(super) use limits;
