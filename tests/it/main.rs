//! All integration tests, in one program.
//!
//! `api` talks to the service in this process, on every pair of providers, with a clock that the test
//! moves. `process` starts the real program and talks to it over sockets.
//!
//! Redis and the S3 server come from `scripts/with-services`.

mod api;
mod process;
