import { type Clock, systemClock } from "../../lib/clock.js";
import type { LookupEngine, PreloadProgress } from "../engine/lookup-engine.js";
import { rowCountOf } from "../store/stored-partition.js";

/** A line of log for every so long that it takes. */
const PROGRESS_EVERY_MS = 2000;

/**
 * Fills a shard's memory tier before it serves, and logs how far it is and what it took.
 *
 * @throws ShardpoolError FILE_CORRUPT.
 */
export async function preloadShard(
  engine: Pick<LookupEngine, "preload" | "partitions" | "counters">,
  log: { info(fields: object, message: string): void },
  clock: Clock = systemClock,
): Promise<void> {
  const startMs = clock.nowMs();
  let saidAtMs = startMs;
  const blocks = await engine.preload(({ blocksRead, blockCount }: PreloadProgress) => {
    const nowMs = clock.nowMs();
    if (nowMs - saidAtMs < PROGRESS_EVERY_MS) return;
    saidAtMs = nowMs;
    log.info({ blocks: blocksRead, of: blockCount, ms: Math.round(nowMs - startMs) }, "preloading");
  });
  const ms = Math.round(clock.nowMs() - startMs);
  log.info({ blocks, ...residentRows(engine), ms }, "preloaded");
}

/** Rows in memory, their bytes, and the rows there are. */
function residentRows({
  partitions,
  counters,
}: Pick<LookupEngine, "partitions" | "counters">): Readonly<Record<string, number>> {
  let rows = 0;
  let rowBytes = 0;
  let rowsStored = 0;
  for (const [number, { stored }] of partitions.entries()) {
    const rowCount = rowCountOf(stored);
    // The last block may be part of one, and its slot is a whole one.
    const { cacheBytesResident } = counters(number);
    const resident = Math.min(rowCount, Math.floor(cacheBytesResident / stored.rowBytes));
    rows += resident;
    rowBytes += resident * stored.rowBytes;
    rowsStored += rowCount;
  }
  return { rows, rowBytes, rowsStored };
}
