import { messagePool } from "../../lib/rpc/byte-pool.js";
import { REPLY_ROOM_BYTES } from "../../lib/rpc/lookup-codec.js";
import type { LookupReply, LookupRequest } from "./lookup-request.js";
import type { LookupTally } from "./lookup-tally.js";
import type { MissingValues, WantedBlocks } from "./missed-rows.js";
import type { PartitionCache } from "./partition-cache.js";
import { SegmentJob } from "./segment-job.js";

/**
 * One lookup on its way. `advance` sums what is at hand, each segment up to its first missing row,
 * and says which blocks are missing; it is called again when they have come. Missed rows are copied
 * to the lookup, at most as many at a time as its tally allows: what misses more goes in passes.
 */
export class LookupJob {
  readonly request: LookupRequest;
  readonly tally: LookupTally;
  readonly #pooled: Float32Array;
  #unfinished: readonly SegmentJob[];

  /** @param request Validated. @param pooledCount Float32 values of the answer. */
  constructor(
    request: LookupRequest,
    caches: readonly PartitionCache[],
    pooledCount: number,
    tally: LookupTally,
    missing: MissingValues,
  ) {
    this.request = request;
    this.tally = tally;
    this.#pooled = roomyFloats(pooledCount);
    let start = 0;
    this.#unfinished = request.segments.map((segment) => {
      const cache = caches[segment.partition]!;
      const end = start + segment.lengths.length * cache.columnCount;
      const sums = this.#pooled.subarray(start, end);
      start = end;
      return new SegmentJob(segment, cache, sums, tally, missing);
    });
  }

  /**
   * Goes as far as it can.
   *
   * @param mayWant With false, it only sums: nothing is copied for it, and it names no blocks.
   * @returns What it waits for; nothing when it is done.
   */
  advance(mayWant: boolean): readonly WantedBlocks[] | undefined {
    const unfinished: SegmentJob[] = [];
    const wants: WantedBlocks[] = [];
    for (const segmentJob of this.#unfinished) {
      // Rows that pass the bound are left for the next pass; the first segment always gets further.
      const isBoundReached = wants.length > 0 && this.tally.missedBytesLeft <= 0;
      const wanted = segmentJob.advance(mayWant && !isBoundReached);
      if (wanted === undefined) continue;
      unfinished.push(segmentJob);
      if (wanted !== "none") wants.push(wanted);
    }
    this.#unfinished = unfinished;
    return unfinished.length === 0 ? undefined : wants;
  }

  /** The answer, once `advance` has nothing to wait for. */
  reply(): LookupReply {
    const { rowsHit, rowsMissed, blocksRead, queueMs, memoryMs, ssdMs, poolMs, totalMs } =
      this.tally;
    return {
      pooled: this.#pooled,
      rowsHit,
      rowsMissed,
      blocksRead,
      timings: {
        queueUs: Math.round(queueMs * 1000),
        memoryUs: Math.round(memoryMs * 1000),
        ssdUs: Math.round(ssdMs * 1000),
        poolUs: Math.round(poolMs * 1000),
        totalUs: Math.round(totalMs * 1000),
      },
    };
  }
}

/**
 * Float32 values with `REPLY_ROOM_BYTES` around them; not zeroed: every segment writes its part. Whoever
 * sends them may give their memory back to `messagePool`.
 */
function roomyFloats(count: number): Float32Array {
  const { buffer, byteOffset } = messagePool.take(2 * REPLY_ROOM_BYTES + count * 4);
  return new Float32Array(buffer, byteOffset + REPLY_ROOM_BYTES, count);
}
