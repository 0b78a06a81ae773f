//! The `artifactd` program.

/// Many threads allocate and free small buffers; this allocator does so with little contention.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    artifactd::cli::run()
}
