import { ShardpoolError } from "../../../lib/errors.js";
import type { MicroResult } from "./micro-bench.js";

/** @throws ShardpoolError BENCHMARK_INCORRECT naming the benchmarks whose result was wrong. */
export function assertCorrect(results: readonly MicroResult[]): void {
  const wrong = results.filter(({ correct }) => !correct).map(({ name }) => name);
  if (wrong.length === 0) return;
  throw new ShardpoolError(
    "BENCHMARK_INCORRECT",
    `${[...new Set(wrong)].join(", ")}: the result is not what it has to be, so its time means nothing`,
  );
}
