// The plain C gather: rows of 64 float32 drawn evenly from one array and summed into bags of 20, one
// thread. The peer of `shardpool bench micro lookup-random`; gather.sh builds and runs it.
// usage: gather ROWS PREFETCH_DISTANCE SECONDS
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define DIM 64
#define BAG 20
#define IDS (1 << 22)

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static uint64_t next(uint64_t *state) {
  uint64_t x = *state;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return *state = x;
}

static void sum_bag(const float *rows, const uint32_t *ids, int prefetch, float *out) {
  float sums[DIM] = {0};
  for (int i = 0; i < BAG; i++) {
    if (prefetch) {
      const char *ahead = (const char *)(rows + (size_t)ids[i + prefetch] * DIM);
      for (int line = 0; line < DIM * 4; line += 64) __builtin_prefetch(ahead + line);
    }
    const float *row = rows + (size_t)ids[i] * DIM;
    for (int c = 0; c < DIM; c++) sums[c] += row[c];
  }
  memcpy(out, sums, sizeof sums);
}

int main(int count, char **arguments) {
  size_t row_count = count > 1 ? strtoull(arguments[1], 0, 10) : 4u << 20;
  int prefetch = count > 2 ? atoi(arguments[2]) : 0;
  double seconds = count > 3 ? atof(arguments[3]) : 1;
  size_t bytes = row_count * DIM * sizeof(float);
  float *rows = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uint32_t *ids = malloc((IDS + 64) * sizeof *ids);
  if (rows == MAP_FAILED || !ids || prefetch < 0 || prefetch > 63) return 1;
  // As WebAssembly memory has them.
  madvise(rows, bytes, MADV_NOHUGEPAGE);
  for (size_t i = 0; i < row_count * DIM; i++) rows[i] = (float)(i & 1023) * 1e-3f;
  uint64_t state = 88172645463325252ull;
  for (size_t i = 0; i < IDS + 64; i++) {
    ids[i] = (uint32_t)(((__uint128_t)next(&state) * row_count) >> 64);
  }
  float out[DIM], kept = 0;
  size_t at = 0;
  uint64_t done = 0;
  double start = now(), end = start;
  while (end - start < seconds) {
    for (int bag = 0; bag < 1024; bag++) {
      if (at + BAG > IDS) at = 0;
      sum_bag(rows, ids + at, prefetch, out);
      kept += out[bag & (DIM - 1)];
      at += BAG;
    }
    done += 1024 * BAG;
    end = now();
  }
  fprintf(stderr, "# %zu rows, checksum %g\n", row_count, kept);
  printf("{\"name\": \"C gather, prefetch %d\", \"value\": %.0f, \"unit\": \"rows/s\", \"nsPerRow\": %.2f}\n",
         prefetch, done / (end - start), 1e9 * (end - start) / done);
  return 0;
}
