#!/usr/bin/env bash
# Shows that the service's resident memory does not grow with the file:
#
#   benchmarks/memory.sh [LIMIT_MIB] [FILE_MIB]                            filesystem and SQLite
#   scripts/with-services benchmarks/memory.sh [LIMIT_MIB] [FILE_MIB]      S3 and Redis
#
# Uploads FILE_MIB (2048) once with a known length and once in chunks of unknown total length, downloads it after each
# upload, compares the digests and prints by how much the peak of each step exceeds the resident memory before it.
# Ends with 1 when a step grew by more than LIMIT_MIB (64). Builds the release binary unless BINARY names one.
# Linux only, as it reads /proc; needs curl and, below TMPDIR, twice the file's size on a real disk.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."

limit_mib=${1:-64}
file_mib=${2:-2048}

die() { echo "memory: $*" >&2; exit 1; }

[[ $limit_mib =~ ^[0-9]+$ && $file_mib =~ ^[1-9][0-9]*$ ]] || die "usage: benchmarks/memory.sh [LIMIT_MIB] [FILE_MIB]"
[ -e /proc/self/clear_refs ] || die "needs Linux's /proc"

binary=${BINARY:-}
if [ -z "$binary" ]; then
    cargo build --release --locked
    binary=${CARGO_TARGET_DIR:-target}/release/artifactd
fi
binary=$(realpath "$binary")

folder=$(mktemp -d)
server=
stop() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT TERM

free_port() {
    while :; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
    done
}

# The file's content: ascending numbers, so that no two blocks are alike and a misplaced one changes the digest.
content() { { seq 1 1000000000000 2>/dev/null || true; } | head -c "$1"; }

# A figure of the server in KiB, such as VmRSS.
memory() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$server/status"; }

mib() { awk -v kib="$1" 'BEGIN { printf "%.1f", kib / 1024 }'; }

call() { curl --silent --show-error --fail-with-body --header "@$folder/authorization" "$@"; }

# Uploads what curl's --upload-file argument names and sets `id`. Standard input goes out in chunks.
upload() {
    call --request POST --upload-file "$1" --header 'Content-Type: application/octet-stream' \
        --output "$folder/answer.json" "$url/v1/artifacts?filename=big.bin&scope=user" \
        || die "the upload failed: $(cat "$folder/answer.json" 2>/dev/null)"
    id=$(sed -n 's/.*"artifact_id" *: *"\([^"]*\)".*/\1/p' "$folder/answer.json" | head -n 1)
    [ -n "$id" ] || die "the answer to the upload has no artifact_id"
}
upload_known() { upload "$folder/big.bin"; }
upload_chunked() { upload - < <(content "$bytes"); }

download() {
    local digest
    digest=$(call "$url/v1/artifacts/$id/content" | sha256sum)
    [ "$digest" = "$expected" ] || die "the download differs from the upload"
}

discard() { call --request DELETE "$url/v1/artifacts/$id"; }

# Runs one step and prints its row.
failed=0
measure() {
    local name=$1 before peak growth start
    shift
    before=$(memory VmRSS)
    echo 5 >"/proc/$server/clear_refs" # sets the peak, VmHWM, to what is resident now
    start=$SECONDS
    "$@"
    peak=$(memory VmHWM)
    growth=$((peak > before ? peak - before : 0))
    echo "| $name | $(mib "$before") | $(mib "$peak") | $(mib "$growth") | $((SECONDS - start)) |"
    if [ "$growth" -gt $((limit_mib * 1024)) ]; then
        failed=1
    fi
}

free_port
url=http://127.0.0.1:$port
settings=("ARTIFACTD_BIND=127.0.0.1:$port" "ARTIFACTD_DATA_DIR=$folder/data")
if [ -n "${ARTIFACTD_TEST_S3_ENDPOINT:-}" ]; then
    providers="S3 and Redis"
    settings+=(
        ARTIFACT_PROVIDER=s3 "ARTIFACT_BUCKET=$ARTIFACTD_TEST_S3_BUCKET"
        "S3_ENDPOINT_URL=$ARTIFACTD_TEST_S3_ENDPOINT" "AWS_REGION=$ARTIFACTD_TEST_S3_REGION"
        "AWS_ACCESS_KEY_ID=$ARTIFACTD_TEST_S3_ACCESS_KEY" "AWS_SECRET_ACCESS_KEY=$ARTIFACTD_TEST_S3_SECRET_KEY"
        SESSION_PROVIDER=redis "SESSION_REDIS_URL=$ARTIFACTD_TEST_REDIS_URL"
    )
else
    providers="filesystem and SQLite"
fi

# The program with these settings and no others: none of the environment, and no .env of the work tree.
artifactd() { cd "$folder" && exec env --ignore-environment "${settings[@]}" "$binary" "$@"; }

(artifactd serve) >"$folder/server.log" 2>&1 &
server=$!
ready=0
for _ in $(seq 300); do
    if curl --silent --fail --output /dev/null "$url/readyz"; then
        ready=1
        break
    fi
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
if [ "$ready" -eq 0 ]; then
    cat "$folder/server.log" >&2
    die "the server did not start"
fi

token=$(artifactd token --user bench)
echo "Authorization: Bearer $token" >"$folder/authorization"

# A first small round, so that what is set up once (connections, threads, pools) is not counted.
bytes=$((1024 * 1024))
expected=$(content "$bytes" | sha256sum)
upload_chunked
download
discard

bytes=$((file_mib * 1024 * 1024))
content "$bytes" >"$folder/big.bin"
expected=$(sha256sum <"$folder/big.bin")

echo "Providers: $providers. File: $file_mib MiB. Limit: $limit_mib MiB."
echo
echo "| step | resident before, MiB | peak, MiB | growth, MiB | seconds |"
echo "|---|---:|---:|---:|---:|"
measure "upload, known length" upload_known
measure "download" download
discard
rm "$folder/big.bin"
measure "upload, chunked" upload_chunked
measure "download" download
discard

if [ "$failed" -ne 0 ]; then
    echo
    die "resident memory grew by more than $limit_mib MiB"
fi
