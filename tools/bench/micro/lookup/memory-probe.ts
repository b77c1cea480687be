import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { type LookupEngine, type MemoryParts, openLookupEngine } from "../../../../shards/index.js";
import { drawBatches, type LookupWorkload } from "./lookup-workload.js";

/** What the probe is asked to do, as its only argument, in JSON. */
export interface MemoryProbeTask {
  readonly storePath: string;
  readonly cacheBytes: number;
  readonly readerCount: number;
  readonly workload: LookupWorkload;
  readonly seed: number;
}

/** What a process of its own saw of an engine's memory. Bytes are what it has more than before. */
export interface MemoryProbeResult {
  /** Anonymous memory at rest, after lookups: pages of the mapped store are the page cache's. */
  readonly residentBytes: number;
  /** The same at its highest, between lookups. */
  readonly peakBytes: number;
  /** The part of `residentBytes` that is V8's heap, garbage collected. */
  readonly heapBytes: number;
  readonly rowBytes: number;
  readonly rowsStored: number;
  readonly openReaderCount: number;
  readonly parts: MemoryParts;
  /** SHA-256 of the first batch's sums. */
  readonly sumsHash: string;
}

const BATCH_COUNT = 16;
const ROUNDS = 4;
/** Lookups at a time: half as many as wait for blocks at most. */
const IN_FLIGHT = 8;

/** Anonymous memory of this process that is resident. @throws Error where there is no /proc. */
function residentBytes(): number {
  const status = readFileSync("/proc/self/status", "utf8");
  const kibOf = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)![1]);
  return (kibOf("RssAnon") + kibOf("RssShmem")) * 1024;
}

async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc!();
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

async function probe(task: MemoryProbeTask): Promise<MemoryProbeResult> {
  const batches = drawBatches(task.workload, BATCH_COUNT, task.seed);
  await settle();
  const before = residentBytes();
  const heapBefore = process.memoryUsage().heapTotal;
  const { storePath, cacheBytes, readerCount } = task;
  const engine = openLookupEngine({ storePath, cacheBytes, readerCount });
  await engine.preload();
  const { pooled } = await engine.lookup(batches[0]!);
  const sumsHash = createHash("sha256").update(pooled).digest("hex");
  let peak = 0;
  for (let at = 0; at < ROUNDS * BATCH_COUNT; at += IN_FLIGHT) {
    const some = Array.from({ length: IN_FLIGHT }, (_, i) => batches[(at + i) % BATCH_COUNT]!);
    await Promise.all(some.map((batch) => engine.lookup(batch)));
    peak = Math.max(peak, residentBytes());
  }
  await settle();
  const after = residentBytes();
  const result = {
    residentBytes: after - before,
    peakBytes: Math.max(peak, after) - before,
    heapBytes: process.memoryUsage().heapTotal - heapBefore,
    ...rowsOf(engine),
    openReaderCount: engine.openReaderCount,
    parts: engine.memoryParts,
    sumsHash,
  };
  engine.close();
  return result;
}

function rowsOf({ partitions, counters }: LookupEngine): { rowBytes: number; rowsStored: number } {
  let rowBytes = 0;
  let rowsStored = 0;
  for (const [number, { stored }] of partitions.entries()) {
    rowBytes += counters(number).cacheBytesResident;
    rowsStored += stored.rowEnd - stored.rowStart;
  }
  return { rowBytes, rowsStored };
}

process.send!(await probe(JSON.parse(process.argv[2]!) as MemoryProbeTask));
process.disconnect();
