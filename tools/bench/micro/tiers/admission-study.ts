import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Model } from "../../../../lib/model/model-directory.js";
import {
  ADMISSIONS,
  type Admission,
  type LookupEngine,
  type LookupRequest,
  openLookupEngine,
  type PartitionCounters,
} from "../../../../shards/index.js";
import { hasSameBits } from "../lookup/lookup-contender.js";
import { lookupModel } from "../lookup/lookup-model.js";
import { countBatches } from "../lookup/lookup-stats.js";
import { loadDecodedTables, plainLookup } from "../lookup/plain-lookup.js";
import type { MicroBench, MicroContext } from "../micro-bench.js";
import { drawMetaLookups, META_WORKLOAD, type MetaLookups } from "./meta-lookups.js";
import { buildTierStore } from "./tier-store.js";

/** Rows in row-id order, which shows what the layout is worth, come once. */
const LOGS = [
  { profile: "meta-2021", locality: 0, order: "by statistics" },
  { profile: "meta-2021", locality: 0.3, order: "by statistics" },
  { profile: "meta-2022", locality: 0, order: "by statistics" },
  { profile: "meta-2022", locality: 0.3, order: "by statistics" },
  { profile: "meta-2021", locality: 0, order: "by row id" },
];
const CACHE_SHARES = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5];

/** Which blocks deserve a slot: every policy on every log, by hit ratio and by blocks read. */
export const admissionStudy: MicroBench = {
  name: "admission-study",
  summary:
    "hit ratio of each admission policy on Meta's reuse, against the best fixed choice of rows",
  run: runAdmissionStudy,
};

async function runAdmissionStudy(context: MicroContext): Promise<void> {
  const model = await lookupModel(META_WORKLOAD, context);
  const tables = loadDecodedTables(model);
  for (const { profile, locality, order } of LOGS) {
    const log = drawMetaLookups(model.manifest, profile, locality, {
      seed: context.seed,
      scale: 1,
    });
    const name = `${profile}-${locality}-${order.replaceAll(" ", "-")}`;
    const storePath = await storeOf(model, name, order, log, context);
    const replay = async (share: number, admission: Admission): Promise<Replay> => {
      const cacheBytes = Math.floor(share * rowBytesOf(model));
      const engine = openLookupEngine({ storePath, cacheBytes, admission, readerCount: 0 });
      try {
        await engine.preload();
        return await replayLog(engine, log.present, (lookup) =>
          plainLookup(tables, META_WORKLOAD.embeddingDim, lookup),
        );
      } finally {
        engine.close();
      }
    };
    for (const share of CACHE_SHARES) {
      const best = bestFixedHitRatio(log.present, model, share);
      for (const admission of ADMISSIONS) {
        const { hitRatio, blocksPer1000, correct } = await replay(share, admission);
        context.print({
          case: `${profile}, locality ${locality}, ${order}, cache ${share * 100} %, ${admission}`,
          ...{ unit: "hit ratio", better: "higher", value: hitRatio, correct },
          baseline: { name: "most read rows of the log itself, fixed", value: best },
          ratio: hitRatio / best,
          blockReadsPer1000Rows: blocksPer1000,
        });
      }
    }
  }
}

function rowBytesOf(model: Model): number {
  const { tableCount, rowCount, embeddingDim } = META_WORKLOAD;
  return model.manifest.tables.length === tableCount ? tableCount * rowCount * embeddingDim * 4 : 0;
}

async function storeOf(
  model: Model,
  name: string,
  order: string,
  { past }: MetaLookups,
  context: MicroContext,
): Promise<string> {
  if (order === "by row id") return buildTierStore(model, name, context);
  const dir = join(context.runDir, name);
  mkdirSync(dir);
  return buildTierStore(model, name, context, await countBatches(model, past, { runDir: dir }));
}

interface Replay {
  readonly hitRatio: number;
  readonly blocksPer1000: number;
  /** Whether the last answer had the bits of the plain loop. */
  readonly correct: boolean;
}

async function replayLog(
  engine: LookupEngine,
  lookups: readonly LookupRequest[],
  plain: (lookup: LookupRequest) => Float32Array,
): Promise<Replay> {
  let pooled: Float32Array = new Float32Array(0);
  for (const lookup of lookups) ({ pooled } = await engine.lookup(lookup));
  const counters = engine.partitions.map((_, partition) => engine.counters(partition));
  const total = (read: (counter: PartitionCounters) => number): number =>
    counters.reduce((sum, counter) => sum + read(counter), 0);
  const rows = total(({ rowsHit, rowsMissed }) => rowsHit + rowsMissed);
  return {
    hitRatio: total(({ rowsHit }) => rowsHit) / rows,
    blocksPer1000: (1000 * total(({ blocksRead }) => blocksRead)) / rows,
    correct: hasSameBits(pooled, plain(lookups.at(-1)!)),
  };
}

/**
 * Hit ratio of the rows that an oracle would keep: each table's most read rows of the very lookups
 * that are replayed, as many as the same bytes hold. No block and no past stands in its way.
 */
function bestFixedHitRatio(lookups: readonly LookupRequest[], model: Model, share: number): number {
  let hits = 0;
  let reads = 0;
  for (const [table, { rowCount }] of model.manifest.tables.entries()) {
    const counts = new Uint32Array(rowCount);
    for (const { segments } of lookups) {
      for (const row of segments[table]!.values) counts[row]!++;
    }
    counts.sort();
    const kept = Math.floor(share * rowCount);
    for (let i = 0; i < rowCount; i++) {
      reads += counts[i]!;
      if (i >= rowCount - kept) hits += counts[i]!;
    }
  }
  return hits / reads;
}
