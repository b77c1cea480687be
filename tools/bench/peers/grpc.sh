#!/usr/bin/env bash
# Peer of rpc-stream and rpc-unary: unary calls of C++ gRPC at the sizes and depth of
# SHARDPOOL_BENCH_CASE ("64 B / 64 B, 1 in flight"), as one line of JSON.
# Debian: apt-get install libgrpc++-dev protobuf-compiler-grpc g++ pkg-config
# PEER_SERVER and PEER_CLIENT go before the programs, for instance "taskset -c 1".
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${PEERS_DIR:-${TMPDIR:-/tmp}/shardpool-peers}
mkdir -p "$work"
if [ ! -x "$work/gclient" ]; then
  cp "$here"/grpc/* "$work"
  cd "$work"
  protoc --cpp_out=. --grpc_out=. --plugin=protoc-gen-grpc="$(command -v grpc_cpp_plugin)" shard.proto
  for program in server client; do
    # shellcheck disable=SC2046
    g++ -O3 -march=native -std=c++17 $(pkg-config --cflags grpc++ protobuf) $program.cc shard.pb.cc \
      shard.grpc.pb.cc -o "g$program" $(pkg-config --libs grpc++ protobuf) -lpthread
  done
fi
case ${SHARDPOOL_BENCH_CASE:-64 B / 64 B, 1 in flight} in
"64 B / 64 B, "*) sizes="64 64" ;;
"4 KB / 32 KB, "*) sizes="4096 32768" ;;
*) echo "no such case: $SHARDPOOL_BENCH_CASE" >&2; exit 2 ;;
esac
depth=$(sed -E 's/.*, ([0-9]+) in flight/\1/' <<<"${SHARDPOOL_BENCH_CASE:-, 1 in flight}")
address=unix:$work/peer-$$.sock
[ "${PEER_TRANSPORT:-tcp}" = unix ] || address=127.0.0.1:$((20000 + $$ % 20000))
# shellcheck disable=SC2086
${PEER_SERVER:-} "$work/gserver" "$address" cq echo 2>"$work/gserver-$$.log" &
server=$!
trap 'kill $server 2>/dev/null; rm -f "$work/gserver-$$.log"' EXIT
until grep -q ready "$work/gserver-$$.log"; do sleep 0.05; done
# shellcheck disable=SC2086
${PEER_CLIENT:-} "$work/gclient" "$address" $sizes "${SHARDPOOL_BENCH_SECONDS:-1.5}" 0 "$depth" |
  awk -v unit="${SHARDPOOL_BENCH_UNIT:-rpc/s}" '
    { for (i = 1; i <= NF; i++) { if ($(i + 1) == "rpc/s") rate = $i; if ($i == "p50") p50 = $(i + 1) }
      value = unit == "rpc/s" ? rate : p50
      # Of the two clients at one in flight, the blocking and the queue, the better counts.
      if (best == "" || (unit == "rpc/s" ? value > best : value < best)) best = value + 0 }
    END { printf "{\"name\":\"C++ gRPC unary\",\"unit\":\"%s\",\"value\":%s}\n", unit, best }'
