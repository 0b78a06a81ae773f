//! `/v1/artifacts`.

pub(super) mod batch;
pub(super) mod content;
pub(super) mod copy;
pub(super) mod file;
pub(super) mod presign;
pub(super) mod record;
pub(super) mod replace;
pub(super) mod search;
pub(super) mod store;
