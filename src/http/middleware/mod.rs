//! What happens around every request, from the outside in: a name and a log line ([`observe`]), a
//! guard against panics, the remains of bodies that nobody read ([`linger`]), a limit on requests under way
//! ([`gate`]), one on their time ([`deadline`]), who asks ([`authenticate`]), and answers to requests that are sent again
//! ([`replay`]).

pub(super) mod authenticate;
pub(super) mod deadline;
pub(super) mod gate;
pub(super) mod linger;
pub(super) mod observe;
pub(super) mod panic;
pub(super) mod replay;
pub(super) mod request_id;
