import type { LookupEngine, LookupRequest } from "../../../../shards/index.js";
import type { Contender } from "../micro-bench.js";
import { rateContender } from "../rate-contender.js";

/** Rows a second through an engine, batch after batch, one at a time. */
export function engineContender(
  name: string,
  engine: LookupEngine,
  batches: readonly LookupRequest[],
  batchRows: number,
): Contender {
  let next = 0;
  return rateContender(name, async () => {
    await engine.lookup(batches[next++ % batches.length]!);
    return batchRows;
  });
}

/** Rows a second through a loop that is given the same batches in the same order. */
export function loopContender(
  name: string,
  lookup: (batch: LookupRequest) => unknown,
  batches: readonly LookupRequest[],
  batchRows: number,
): Contender {
  let next = 0;
  return rateContender(name, () => {
    lookup(batches[next++ % batches.length]!);
    return batchRows;
  });
}

/** What a rate in rows/s comes to for rows of a size. */
export function rowDetails(
  rowBytes: number,
): (value: number, baseline: number) => Readonly<Record<string, unknown>> {
  return (value, baseline) => ({
    nsPerRow: 1e9 / value,
    baselineNsPerRow: 1e9 / baseline,
    bytesPerSecond: value * rowBytes,
    rowBytes,
  });
}

/** Bit for bit: the same numbers, zeros of the same sign. */
export function hasSameBits(a: Float32Array, b: Float32Array): boolean {
  if (a.length !== b.length) return false;
  const left = new Uint32Array(a.buffer, a.byteOffset, a.length);
  const right = new Uint32Array(b.buffer, b.byteOffset, b.length);
  return left.every((bits, i) => bits === right[i]);
}
