import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Model } from "../../../../lib/model/model-directory.js";
import {
  type LookupEngine,
  type LookupRequest,
  openLookupEngine,
  type PartitionCounters,
} from "../../../../shards/index.js";
import { hasSameBits } from "../lookup/lookup-contender.js";
import { lookupModel } from "../lookup/lookup-model.js";
import { countBatches } from "../lookup/lookup-stats.js";
import { loadDecodedTables, plainLookup } from "../lookup/plain-lookup.js";
import { summarise } from "../measure-in-turns.js";
import type { MicroBench, MicroContext } from "../micro-bench.js";
import { BareReader } from "./bare-reader.js";
import { drawMetaLookups, META_WORKLOAD } from "./meta-lookups.js";
import { buildTierStore } from "./tier-store.js";

const CACHE_SHARES = [0.1, 0.2, 0.5, 0.7];

/** Replays of the log whose median counts. */
const REPLAY_COUNT = 5;

/** Lookups of the log's first half before the clock: readers start, code is compiled, the cache settles. */
const WARM_LOOKUPS = 5;

const BARE_READS = 20_000;
/** A prime: reads jump over the store. */
const BARE_STRIDE = 7919;

/** A real mix of hits and misses against what its parts would cost. */
export const lookupMixed: MicroBench = {
  name: "lookup-mixed",
  summary: "meta-2021 at 10 to 70 % cache: rows/s against those its hits and misses should cost",
  run: runLookupMixed,
};

interface Replay {
  readonly rows: number;
  readonly rowsHit: number;
  readonly blocksRead: number;
  /** Blocks of the store. */
  readonly blockCount: number;
  readonly cost: Cost;
}

/** What some work took, microseconds. */
interface Cost {
  readonly wallUs: number;
  readonly cpuUs: number;
}

async function runLookupMixed(context: MicroContext): Promise<void> {
  const model = await lookupModel(META_WORKLOAD, context);
  const { seed } = context;
  const { past, present } = drawMetaLookups(model.manifest, "meta-2021", 0, { seed, scale: 1 });
  const dir = join(context.runDir, "stats");
  mkdirSync(dir);
  const stats = await countBatches(model, past, { runDir: dir });
  const storePath = await buildTierStore(model, "mixed", context, stats);
  const correct = await isRight(model, storePath, present);
  const warmUp = past.slice(-WARM_LOOKUPS);
  const bare = new BareReader(storePath);
  try {
    for (const share of CACHE_SHARES) {
      await compare(share, { context, storePath, warmUp, present, bare, correct });
    }
  } finally {
    bare.close();
  }
}

interface MixedRun {
  readonly context: MicroContext;
  readonly storePath: string;
  readonly warmUp: readonly LookupRequest[];
  readonly present: readonly LookupRequest[];
  readonly bare: BareReader;
  readonly correct: boolean;
}

async function compare(share: number, run: MixedRun): Promise<void> {
  const { context, storePath, present, bare, correct } = run;
  const fixed = await bestFixedCache(storePath, present, share);
  const replays: Replay[] = [];
  const bareReads: Cost[] = [];
  const predictions: Cost[] = [];
  const ownPredictions: Cost[] = [];
  // Prediction and replay in turns: both meet the same weather.
  for (let i = 0; i < REPLAY_COUNT; i++) {
    const inMemory = await replay(run, 1);
    const read = await timeBareRead(bare, inMemory.blockCount);
    bareReads.push(read);
    predictions.push(costOf(inMemory.cost, fixed.blockReads, read));
    const own = await replay(run, share);
    ownPredictions.push(costOf(inMemory.cost, own.blocksRead, read));
    replays.push(own);
  }
  const { rows, rowsHit, blocksRead } = replays[0]!;
  const { wallUs, cpuUs } = medianOf(replays.map(({ cost }) => cost));
  const predicted = medianOf(predictions);
  const own = medianOf(ownPredictions);
  context.print({
    case: `cache ${share * 100} %`,
    ...{ unit: "rows/s", better: "higher", value: (rows * 1e6) / wallUs, correct },
    baseline: { name: "predicted", value: (rows * 1e6) / predicted.wallUs },
    ratio: predicted.wallUs / wallUs,
    cpuRatio: predicted.cpuUs / cpuUs,
    // The same with the blocks it read itself: what is lost in reading, not in choosing rows.
    ownReadsRatio: own.wallUs / wallUs,
    ownReadsCpuRatio: own.cpuUs / cpuUs,
    bareUsPerBlock: medianOf(bareReads).wallUs,
    hitRatio: rowsHit / rows,
    fixedHitRatio: fixed.hitRatio,
    blockReadsPer1000Rows: (1000 * blocksRead) / rows,
    fixedBlockReadsPer1000Rows: (1000 * fixed.blockReads) / rows,
  });
}

/** A log in memory, and so many bare reads. */
function costOf(inMemory: Cost, blockReads: number, read: Cost): Cost {
  return {
    wallUs: inMemory.wallUs + blockReads * read.wallUs,
    cpuUs: inMemory.cpuUs + blockReads * read.cpuUs,
  };
}

function medianOf(costs: readonly Cost[]): Cost {
  return {
    wallUs: summarise(costs.map(({ wallUs }) => wallUs)).median,
    cpuUs: summarise(costs.map(({ cpuUs }) => cpuUs)).median,
  };
}

async function isRight(
  model: Model,
  storePath: string,
  lookups: readonly LookupRequest[],
): Promise<boolean> {
  const tables = loadDecodedTables(model);
  const engine = openLookupEngine({ storePath, cacheBytes: cacheBytesOf(0.1) });
  try {
    for (const lookup of lookups.slice(0, 3)) {
      const { pooled } = await engine.lookup(lookup);
      if (!hasSameBits(pooled, plainLookup(tables, META_WORKLOAD.embeddingDim, lookup))) {
        return false;
      }
    }
    return true;
  } finally {
    engine.close();
  }
}

function cacheBytesOf(share: number): number {
  const { tableCount, rowCount, embeddingDim } = META_WORKLOAD;
  // A full cache has room to spare for the last block of each table, which is not full.
  return Math.floor((share === 1 ? 1.1 : share) * tableCount * rowCount * embeddingDim * 4);
}

/** Looks the log up, one lookup at a time, after preloading and a warm-up. */
async function replay({ storePath, warmUp, present }: MixedRun, share: number): Promise<Replay> {
  const engine = openLookupEngine({ storePath, cacheBytes: cacheBytesOf(share) });
  try {
    await engine.preload();
    for (const lookup of warmUp) await engine.lookup(lookup);
    const before = countsOf(engine);
    const cost = await timed(async () => {
      for (const lookup of present) await engine.lookup(lookup);
    });
    const after = countsOf(engine);
    const rowsHit = after.rowsHit - before.rowsHit;
    const rows = rowsHit + after.rowsMissed - before.rowsMissed;
    const blocksRead = after.blocksRead - before.blocksRead;
    const blockCount = engine.partitions.reduce((sum, { stored }) => sum + stored.blockCount, 0);
    return { rows, rowsHit, blocksRead, blockCount, cost };
  } finally {
    engine.close();
  }
}

function countsOf(
  engine: LookupEngine,
): Pick<PartitionCounters, "rowsHit" | "rowsMissed" | "blocksRead"> {
  return {
    rowsHit: sumOf(engine, ({ rowsHit }) => rowsHit),
    rowsMissed: sumOf(engine, ({ rowsMissed }) => rowsMissed),
    blocksRead: sumOf(engine, ({ blocksRead }) => blocksRead),
  };
}

function sumOf(engine: LookupEngine, read: (counters: PartitionCounters) => number): number {
  return engine.partitions.reduce((sum, _, index) => sum + read(engine.counters(index)), 0);
}

interface FixedCache {
  /** Each missing block once a lookup. */
  readonly blockReads: number;
  readonly hitRatio: number;
}

/**
 * The static-optimal cache of equal bytes: for good, each table's most read rows of the very lookups that are
 * replayed. Rows it lacks are looked up without a cache, which counts the blocks they lie in.
 */
async function bestFixedCache(
  storePath: string,
  lookups: readonly LookupRequest[],
  share: number,
): Promise<FixedCache> {
  const { tableCount, rowCount } = META_WORKLOAD;
  const kept = Array.from({ length: tableCount }, (_, table) =>
    mostReadRows(lookups, table, Math.floor(share * rowCount)),
  );
  const engine = openLookupEngine({ storePath, cacheBytes: 0, readerCount: 0 });
  try {
    let rows = 0;
    let rowsMissed = 0;
    for (const { segments } of lookups) {
      const missing = segments.map(({ partition, values }) => {
        const missed = values.filter((row) => kept[partition]![row] === 0);
        rows += values.length;
        rowsMissed += missed.length;
        return { partition, lengths: Uint32Array.of(missed.length), values: missed };
      });
      await engine.lookup({ sampleCount: 1, segments: missing });
    }
    const blockReads = sumOf(engine, ({ blocksRead }) => blocksRead);
    return { blockReads, hitRatio: 1 - rowsMissed / rows };
  } finally {
    engine.close();
  }
}

/** `[rowCount]`: 1 for the `count` rows read most often. */
function mostReadRows(lookups: readonly LookupRequest[], table: number, count: number): Uint8Array {
  const reads = new Uint32Array(META_WORKLOAD.rowCount);
  for (const { segments } of lookups) for (const row of segments[table]!.values) reads[row]!++;
  const heaviest = [...reads.keys()].sort((a, b) => reads[b]! - reads[a]!).slice(0, count);
  const isKept = new Uint8Array(META_WORKLOAD.rowCount);
  for (const row of heaviest) isKept[row] = 1;
  return isKept;
}

/** What a bare read and check of a block costs, blocks drawn uniformly, page cache warm. */
async function timeBareRead(bare: BareReader, blockCount: number): Promise<Cost> {
  const { wallUs, cpuUs } = await timed(() => {
    for (let i = 0; i < BARE_READS; i++) bare.read((i * BARE_STRIDE) % blockCount);
  });
  return { wallUs: wallUs / BARE_READS, cpuUs: cpuUs / BARE_READS };
}

async function timed(run: () => void | Promise<void>): Promise<Cost> {
  const cpuBefore = process.cpuUsage();
  const startMs = performance.now();
  await run();
  const wallUs = (performance.now() - startMs) * 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { wallUs, cpuUs: user + system };
}
