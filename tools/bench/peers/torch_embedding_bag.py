#!/usr/bin/env python3
"""PyTorch's EmbeddingBag on the workload of `shardpool bench micro lookup-hot`, as its peer:

    shardpool bench micro lookup-hot --peer-command 'python3 tools/bench/peers/torch_embedding_bag.py'

26 tables of 100k x 64 float32, batches of 128 bags of 20 ids, zipf 1.05, one thread, sums. Prints one
line of JSON, {"value": rows a second, "unit": "rows/s", ...}. Debian: python3-torch.
"""
import argparse
import json
import os
import time

import numpy
import torch


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tables", type=int, default=26)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--ids", type=int, default=20, help="row ids a bag")
    parser.add_argument("--zipf", type=float, default=1.05, help="0 is uniform")
    parser.add_argument("--order", choices=["scattered", "hot-first"], default="scattered")
    parser.add_argument("--batches", type=int, default=64, help="different batches, used in turn")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("SHARDPOOL_BENCH_SECONDS", 2)))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SHARDPOOL_BENCH_SEED", 1)))
    return parser.parse_args()


def draw_ids(arguments, random):
    """[batches][tables] tensors of ids; a table's hot rows are its own."""
    shares = numpy.arange(1, arguments.rows + 1, dtype=numpy.float64) ** -arguments.zipf
    bounds = numpy.cumsum(shares / shares.sum())
    scattered = arguments.order == "scattered"
    orders = [random.permutation(arguments.rows) if scattered else None for _ in range(arguments.tables)]
    count = arguments.batch * arguments.ids

    def draw(order):
        ranks = numpy.minimum(numpy.searchsorted(bounds, random.random(count)), arguments.rows - 1)
        return torch.from_numpy((ranks if order is None else order[ranks]).astype(numpy.int64))

    return [[draw(order) for order in orders] for _ in range(arguments.batches)]


def main():
    arguments = read_arguments()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    bags = [
        torch.nn.EmbeddingBag(arguments.rows, arguments.dim, mode="sum") for _ in range(arguments.tables)
    ]
    batches = draw_ids(arguments, numpy.random.default_rng(arguments.seed))
    offsets = torch.arange(0, arguments.batch * arguments.ids, arguments.ids)

    def run(batch):
        for bag, ids in zip(bags, batch):
            bag(ids, offsets)

    with torch.no_grad():
        for batch in batches:
            run(batch)
        done = 0
        started = time.perf_counter()
        while time.perf_counter() - started < arguments.seconds:
            run(batches[done % len(batches)])
            done += 1
        elapsed = time.perf_counter() - started
    rows = done * arguments.tables * arguments.batch * arguments.ids
    print(json.dumps({
        "name": f"PyTorch {torch.__version__} EmbeddingBag, {arguments.threads} thread(s), {arguments.order}",
        "value": rows / elapsed,
        "unit": "rows/s",
        "nsPerRow": 1e9 * elapsed / rows,
    }))


if __name__ == "__main__":
    main()
