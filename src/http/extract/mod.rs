//! From a request to typed values. What cannot be read is answered here, before any handler runs.

pub(super) mod body;
pub(super) mod form;
pub(super) mod json;
pub(super) mod life;
pub(super) mod limit;
pub(super) mod params;
mod part;
pub(super) mod path;
pub(super) mod size;
pub(super) mod store;
