#!/usr/bin/env bash
# Builds and runs gather.c, the peer of lookup-random. Arguments: rows (4194304), prefetch distance (0);
# C compiler flags in CFLAGS (-O3 -msse4.2, what WebAssembly SIMD can do; -O3 -march=native for all).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
flags=${CFLAGS:--O3 -msse4.2}
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
# shellcheck disable=SC2086
gcc $flags "$here/gather.c" -o "$build/gather"
"$build/gather" "${1:-4194304}" "${2:-0}" "${SHARDPOOL_BENCH_SECONDS:-2}"
