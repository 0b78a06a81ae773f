//! The Lua scripts: each is atomic, and each touches the keys of one hash slot only.

use std::sync::LazyLock;

use deadpool_redis::redis::{self, Cmd};

/// A script and the hash by which the server knows it.
pub(super) struct Script {
    source: &'static str,
    hash: String,
}

pub(super) static CHANGE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/change.lua")));
pub(super) static SET_DEFAULT_SESSION: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/set_default_session.lua")));

impl Script {
    fn new(source: &'static str) -> Self {
        Self { source, hash: redis::Script::new(source).get_hash().to_owned() }
    }

    /// Runs the script if the server has it.
    pub(super) fn by_hash(&self, keys: &[&str], args: &[&[u8]]) -> Cmd {
        command("EVALSHA", &self.hash, keys, args)
    }

    /// Runs the script, and makes the server remember it.
    pub(super) fn by_source(&self, keys: &[&str], args: &[&[u8]]) -> Cmd {
        command("EVAL", self.source, keys, args)
    }
}

fn command(name: &str, script: &str, keys: &[&str], args: &[&[u8]]) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(script).arg(keys.len()).arg(keys).arg(args);
    command
}
