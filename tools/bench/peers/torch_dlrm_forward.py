#!/usr/bin/python3
"""Peer: a DLRM forward pass in PyTorch, one process, on the CPU: what a user would run instead of a cluster.

usage: torch_dlrm_forward.py THREADS [--seconds S] [--ids uniform|zipf] [--batches 16,128] [--bags 20] [--json]

26 tables x 100,000 rows x 64 float32, 13 dense features, bottom MLP 512-256-64, dot interaction, top MLP 512-256-1: the
layers and operators of the reference DLRM (nn.EmbeddingBag sum, bmm, lower triangle). Prints samples/s and p50/p99.
Debian: apt-get install python3-torch libopenblas0-openmp; run with
LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu/openblas-openmp (the default BLAS collapses at two threads, an unfairly weak peer).
"""
import argparse, json, os, sys, time
ap = argparse.ArgumentParser()
ap.add_argument('threads', type=int); ap.add_argument('--seconds', type=float, default=2)
ap.add_argument('--ids', choices=['uniform', 'zipf'], default='uniform')
ap.add_argument('--batches', default='16,128'); ap.add_argument('--bags', type=int, default=20)
ap.add_argument('--tables', type=int, default=26); ap.add_argument('--rows', type=int, default=100000)
ap.add_argument('--dim', type=int, default=64); ap.add_argument('--json', action='store_true')
a = ap.parse_args()
# Under `bench micro --peer-command` the bench says how long to measure and wants one line {"value", "unit"}.
bench_seconds = os.environ.get('SHARDPOOL_BENCH_SECONDS')
if bench_seconds: a.seconds, a.json = float(bench_seconds), True
for v in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS'): os.environ[v] = str(a.threads)
import numpy as np, torch
from torch import nn
torch.set_num_threads(a.threads); torch.set_grad_enabled(False); torch.manual_seed(1)

def mlp(sizes, last):
    layers = []
    for i, (m, n) in enumerate(zip(sizes, sizes[1:])):
        layers += [nn.Linear(m, n), last if i == len(sizes) - 2 else nn.ReLU()]
    return nn.Sequential(*layers)

class Dlrm(nn.Module):
    def __init__(self):
        super().__init__()
        f = a.tables + 1
        self.bottom = mlp([13, 512, 256, a.dim], nn.ReLU())
        self.top = mlp([f * (f - 1) // 2 + a.dim, 512, 256, 1], nn.Sigmoid())
        self.bags = nn.ModuleList()
        for _ in range(a.tables):
            e = nn.EmbeddingBag(1, a.dim, mode='sum')
            e.num_embeddings = a.rows; e.weight = nn.Parameter(torch.empty(a.rows, a.dim).uniform_(-.01, .01)); self.bags.append(e)
        self.li = torch.tensor([i for i in range(f) for _ in range(i)]); self.lj = torch.tensor([j for i in range(f) for j in range(i)])
    def forward(self, x, offsets, ids):
        x = self.bottom(x)
        t = torch.cat([x] + [e(i, o) for e, i, o in zip(self.bags, ids, offsets)], dim=1).view(x.shape[0], -1, a.dim)
        z = torch.bmm(t, t.transpose(1, 2))[:, self.li, self.lj]
        return self.top(torch.cat([x, z], dim=1))

net = Dlrm().eval(); rs = np.random.RandomState(2)
if a.ids == 'zipf':
    p = 1 / np.arange(1, a.rows + 1) ** 1.05; cdf = np.cumsum(p / p.sum()); perm = rs.permutation(a.rows)
    draw = lambda n: perm[np.minimum(np.searchsorted(cdf, rs.rand(n)), a.rows - 1)].astype(np.int64)
else:
    draw = lambda n: rs.randint(0, a.rows, n)
for B in map(int, a.batches.split(',')):
    def batch():
        return (torch.tensor(rs.rand(B, 13).astype(np.float32)), torch.arange(0, B * a.bags, a.bags).repeat(a.tables, 1),
                [torch.from_numpy(draw(B * a.bags)) for _ in range(a.tables)])
    pool = [batch() for _ in range(max(6, min(400, 120000 // (B * a.bags))))]
    for q in pool[:max(4, len(pool) // 4)]: net(*q)
    lat, end, k = [], time.perf_counter() + a.seconds, 0
    while time.perf_counter() < end or len(lat) < 12:
        t = time.perf_counter(); net(*pool[k % len(pool)]); lat.append(time.perf_counter() - t); k += 1
    lat = np.array(lat); r = dict(name='pytorch-dlrm', threads=a.threads, ids=a.ids, batch=B, idsPerBag=a.bags, samplesPerSecond=round(B * len(lat) / lat.sum()),
                                  p50Ms=round(float(np.percentile(lat, 50)) * 1e3, 3), p99Ms=round(float(np.percentile(lat, 99)) * 1e3, 3))
    r.update(value=r['samplesPerSecond'], unit='samples/s')
    print(json.dumps(r) if a.json else r, flush=True)
