//! JSON (RFC 8259) without a tree: one pass validates a text and finds the fields of a schema in it. What a field holds
//! stays where it is, byte for byte; only a schema's own strings are ever unescaped.

mod call;
mod items;
mod list;
mod members;
mod object;
mod plain;
mod scan;
mod text;
mod write;

pub(crate) use call::{Call, read_call};
pub(crate) use items::{Items, items};
pub(crate) use list::{Listed, read_list};
pub(crate) use members::{Member, each_member, read_members};
pub(crate) use object::{Field, Kind, place_in, read_object};
pub(crate) use text::unescape;
pub(crate) use write::{push_string, push_u64};

/// Why a text is not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum JsonFault {
    /// It is no JSON.
    Syntax,
    /// It nests deeper than it may.
    TooDeep,
    /// A key of the schema came twice; its place in the schema.
    Duplicate(usize),
}
