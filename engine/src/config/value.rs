//! The types that a setting may have, each read from text and written back as TOML.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::setting::Kind;
use super::text::Secrets;

/// A type of the table. One text form serves the file, the environment and the flags.
pub(super) trait Value: Sized {
    /// What to check and print, where the row gives no range.
    const KIND: Kind;

    /// Reads it; the error says what would have been right.
    fn parse(text: &str) -> Result<Self, String>;

    /// Writes it as TOML.
    fn to_toml(&self, secrets: Secrets) -> String;
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Value for $type {
            const KIND: Kind = Kind::Number { min: 0, max: u64::MAX, unit: "" };

            fn parse(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| "must be a whole number".to_owned())
            }

            fn to_toml(&self, _secrets: Secrets) -> String {
                self.to_string()
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64, usize);

impl Value for bool {
    const KIND: Kind = Kind::Switch;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "must be true or false".to_owned())
    }

    fn to_toml(&self, _secrets: Secrets) -> String {
        self.to_string()
    }
}

impl Value for SocketAddr {
    const KIND: Kind = Kind::Text("address:port");

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| {
            "must be an address and a port, as 127.0.0.1:8080 or [::1]:8080".to_owned()
        })
    }

    fn to_toml(&self, _secrets: Secrets) -> String {
        quoted(&self.to_string())
    }
}

impl Value for PathBuf {
    const KIND: Kind = Kind::Text("path");

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("must be a path".to_owned()) } else { Ok(Self::from(text)) }
    }

    fn to_toml(&self, _secrets: Secrets) -> String {
        quoted(&self.display().to_string())
    }
}

/// A TOML basic string.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            char if char.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(char))),
            char => out.push(char),
        }
    }
    out.push('"');
    out
}

macro_rules! choices {
    ($($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal),* $(,)? })*) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum $name { $($(#[$doc])* $variant),* }

        impl $name {
            /// Its name in a configuration.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl Value for $name {
            const KIND: Kind = Kind::Choice(&[$($text),*]);

            fn parse(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(format!("must be one of {}", [$($text),*].join(", "))),
                }
            }

            fn to_toml(&self, _secrets: Secrets) -> String {
                quoted(self.name())
            }
        }
    )*};
}

choices! {
    /// What hosts the loop of a core.
    ReactorKind {
        /// One pinned glommio executor a core, with our ring inside.
        Glommio = "glommio",
        /// Our ring alone.
        Standalone = "standalone",
    }

    /// Where persisted messages go.
    JournalKind {
        /// Our own log of segments.
        Segment = "segment",
        /// A sled database in blocks.
        Sled = "sled",
        /// Memory: gone when the node stops.
        Memory = "memory",
    }

    /// What the body of a webhook holds.
    WebhookFormat {
        /// The message with all that is known of it.
        Envelope = "envelope",
        /// What was published.
        Payload = "payload",
    }

    /// The least important line that is still logged.
    LogLevel {
        /// Something failed.
        Error = "error",
        /// Something is about to.
        Warn = "warn",
        /// Each event of the node's life.
        Info = "info",
        /// Each refusal too.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }

    /// The form of a log line.
    LogFormat {
        /// Text on a terminal, else JSON.
        Auto = "auto",
        /// For people.
        Text = "text",
        /// For machines: one object a line.
        Json = "json",
    }
}
