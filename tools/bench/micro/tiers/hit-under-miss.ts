import { setImmediate as nextTurn } from "node:timers/promises";
import {
  type LookupEngine,
  type LookupRequest,
  openLookupEngine,
} from "../../../../shards/index.js";
import { hasSameBits } from "../lookup/lookup-contender.js";
import { lookupModel } from "../lookup/lookup-model.js";
import { scaleWorkload } from "../lookup/lookup-workload.js";
import { loadDecodedTables, plainLookup } from "../lookup/plain-lookup.js";
import type { Contender, MicroBench, MicroContext } from "../micro-bench.js";
import { META_WORKLOAD } from "./meta-lookups.js";
import { buildTierStore } from "./tier-store.js";

/** Whether lookups that only hit wait for those that miss. */
export const hitUnderMiss: MicroBench = {
  name: "hit-under-miss",
  summary: "p99 of lookups that only hit while a scan of cold rows goes on, against p99 alone",
  run: runHitUnderMiss,
};

/** Rows that are hit: the first ones of partition 0, which preloading brings in and pinning keeps. */
const HIT_ROWS = 512;
const SCAN_ROWS = 2000;

async function runHitUnderMiss(context: MicroContext): Promise<void> {
  const workload = scaleWorkload(META_WORKLOAD, context.scale);
  const model = await lookupModel(workload, context);
  const storePath = await buildTierStore(model, "hits", context);
  const tables = loadDecodedTables(model);
  for (const readerCount of [0, 2, 4]) {
    const cacheBytes = 8 << 20;
    const engine = openLookupEngine({ storePath, cacheBytes, readerCount });
    try {
      await engine.preload();
      const hit = strided(0, 0, HIT_ROWS, 1);
      const { pooled, rowsMissed } = await engine.lookup(hit);
      const isRight = hasSameBits(pooled, plainLookup(tables, workload.embeddingDim, hit));
      const scanned = { blocks: 0, seconds: 0 };
      await context.measure({
        case: `${readerCount} readers`,
        ...{ unit: "us, p99", better: "lower", correct: isRight && rowsMissed === 0 },
        subject: hitContender("while another client scans", engine, hit, scanned),
        baseline: hitContender("alone", engine, hit),
        // How much there was to wait for: on a busy machine a scan that stands still delays nobody.
        details: () => ({ scanBlocksPerSecond: scanned.blocks / scanned.seconds }),
      });
    } finally {
      engine.close();
    }
  }
}

/** p99 of the time from when a lookup could have started to its answer, event loop included. */
function hitContender(
  name: string,
  engine: LookupEngine,
  hit: LookupRequest,
  scanned?: { blocks: number; seconds: number },
): Contender {
  return {
    name,
    turn: async (seconds) => {
      let isOver = false;
      const blocksBefore = blocksReadBy(engine);
      const scan = scanned ? scanUntil(engine, () => isOver) : undefined;
      const beginMs = performance.now();
      const endMs = beginMs + seconds * 1000;
      const waitsMs: number[] = [];
      while (performance.now() < endMs) {
        const startMs = performance.now();
        await nextTurn();
        await engine.lookup(hit);
        waitsMs.push(performance.now() - startMs);
      }
      isOver = true;
      await scan;
      if (scanned) {
        scanned.blocks += blocksReadBy(engine) - blocksBefore;
        scanned.seconds += (performance.now() - beginMs) / 1000;
      }
      waitsMs.sort((a, b) => a - b);
      return { value: waitsMs[Math.floor(waitsMs.length * 0.99)]! * 1000 };
    },
  };
}

function blocksReadBy(engine: LookupEngine): number {
  return engine.partitions.reduce((sum, _, i) => sum + engine.counters(i).blocksRead, 0);
}

/** Two lookups at a time of rows of partitions 1 and up, which the cache is far too small for. */
async function scanUntil(engine: LookupEngine, isOver: () => boolean): Promise<void> {
  let next = 0;
  const client = async (): Promise<void> => {
    while (!isOver()) {
      const partition = 1 + (next % (engine.partitions.length - 1));
      const { rowEnd } = engine.partitions[partition]!.stored;
      const step = Math.max(1, Math.floor(rowEnd / SCAN_ROWS));
      const count = Math.min(SCAN_ROWS, Math.floor(rowEnd / step));
      await engine.lookup(strided(partition, next++ % step, count, step));
    }
  };
  await Promise.all([client(), client()]);
}

function strided(partition: number, first: number, count: number, step: number): LookupRequest {
  const values = Uint32Array.from({ length: count }, (_, i) => first + i * step);
  return { sampleCount: 1, segments: [{ partition, lengths: Uint32Array.of(count), values }] };
}
