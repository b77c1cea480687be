import { ShardpoolError } from "../../lib/errors.js";
import type { ModelManifest } from "../../lib/model/manifest.js";
import { Random } from "../../lib/random.js";
import { drawBagOffsets } from "./bag-offsets.js";
import type { BagColumn, ClickBatch } from "./click-batch.js";
import type { ClickProfile } from "./click-profile.js";
import { drawRows } from "./draw-rows.js";
import { drawQuerySizes } from "./query-sizes.js";
import { FIRST_QUERY_MS, QUERY_GAP_MEAN_MS } from "./query-times.js";
import type { ReuseCounts } from "./reuse-counts.js";
import type { TableReads } from "./reuse-fit.js";
import { chooseFeasibleCounts } from "./reuse-limits.js";

/** Row ids of a log are drawn in memory, 4 bytes each: at most 2 GB. */
const ROW_ID_COUNT_MAX = 500_000_000;
/** Ids a sample of a feature whose manifest does not say. */
const POOLING_FACTOR_DEFAULT = 1;

export interface DrawClicksOptions {
  readonly sampleCount: number;
  readonly profile: ClickProfile;
  readonly seed: number;
  /** See `TimeOrder`. */
  readonly locality: number;
  readonly windowSamples: number;
  /** Says how many of the log's row ids have been drawn. */
  readonly onProgress?: (drawnCount: number) => void;
}

export interface DrawnClicks {
  /** The whole log, its labels all 0 as yet. */
  readonly clicks: ClickBatch;
  readonly rowIdCount: number;
  /** What a profile with a reuse table came out as. */
  readonly reuse?: ReuseCounts;
}

/**
 * Draws the queries, dense features and row ids of a synthetic log for a model. The same seed gives
 * the same log on every machine.
 *
 * @throws ShardpoolError CLICKS_INVALID when the profile cannot be had with so many samples, or when
 * they do not fit memory.
 */
export function drawClicks(manifest: ModelManifest, options: DrawClicksOptions): DrawnClicks {
  const { sampleCount, profile, seed } = options;
  assertSize(manifest, sampleCount);
  const offsets = manifest.features.map(({ name, poolingFactor = POOLING_FACTOR_DEFAULT }) =>
    drawBagOffsets(sampleCount, poolingFactor, new Random(seed, `bags/${name}`)),
  );
  const reads = tableReads(manifest, (f) => offsets[f]!.at(-1)!);
  const reuse =
    profile.kind === "reuse"
      ? chooseFeasibleCounts(profile.name, sampleCount, (samples) =>
          samples === sampleCount ? reads : expectedReads(manifest, samples),
        )
      : undefined;
  const timeOrder = {
    locality: options.locality,
    windowShare: Math.min(options.windowSamples / sampleCount, 1),
  };
  const features: BagColumn[] = offsets.map((bags) => ({
    offsets: bags,
    rowIds: new Int32Array(0),
  }));
  let drawnCount = 0;
  for (const table of reads) {
    const rows = drawRows(table, { profile, timeOrder, seed, ...(reuse && { reuse }) });
    dealRows(manifest, table.table, rows, features);
    drawnCount += rows.length;
    options.onProgress?.(drawnCount);
  }
  const clicks = { ...drawSamples(manifest, sampleCount, seed), sampleCount, features };
  return { clicks, rowIdCount: drawnCount, ...(reuse && { reuse }) };
}

/** Row ids in a log of so many samples; broken pooling factors make it a mean. */
export function expectedRowIdCount(manifest: ModelManifest, sampleCount: number): number {
  return expectedReads(manifest, sampleCount).reduce((sum, { readCount }) => sum + readCount, 0);
}

function assertSize(manifest: ModelManifest, sampleCount: number): void {
  const rowIdCount = expectedRowIdCount(manifest, sampleCount);
  if (rowIdCount <= ROW_ID_COUNT_MAX) return;
  const perSample = rowIdCount / sampleCount;
  throw new ShardpoolError(
    "CLICKS_INVALID",
    `${sampleCount} samples have ${rowIdCount} row ids, at most ${ROW_ID_COUNT_MAX} are drawn at once: ` +
      `at most ${Math.floor(ROW_ID_COUNT_MAX / perSample)} samples for this model`,
  );
}

function expectedReads(manifest: ModelManifest, sampleCount: number): TableReads[] {
  return tableReads(manifest, (f) =>
    Math.round(sampleCount * (manifest.features[f]?.poolingFactor ?? POOLING_FACTOR_DEFAULT)),
  );
}

/** Reads of each table over all its features. */
function tableReads(manifest: ModelManifest, readsOf: (feature: number) => number): TableReads[] {
  return manifest.tables.map(({ name, rowCount }) => ({
    table: name,
    rowCount,
    readCount: manifest.features.reduce(
      (sum, feature, f) => sum + (feature.table === name ? readsOf(f) : 0),
      0,
    ),
  }));
}

/** Gives a table's rows to its features, sample by sample. */
function dealRows(
  manifest: ModelManifest,
  table: string,
  rows: Int32Array,
  features: BagColumn[],
): void {
  const own = manifest.features.flatMap((feature, f) => (feature.table === table ? [f] : []));
  if (own.length === 1) {
    features[own[0]!] = { ...features[own[0]!]!, rowIds: rows };
    return;
  }
  for (const f of own) {
    const { offsets } = features[f]!;
    features[f] = { offsets, rowIds: new Int32Array(offsets.at(-1)!) };
  }
  let position = 0;
  const sampleCount = (features[own[0] ?? 0]?.offsets.length ?? 1) - 1;
  for (let i = 0; i < sampleCount; i++) {
    for (const f of own) {
      const { offsets, rowIds } = features[f]!;
      for (let at = offsets[i]!; at < offsets[i + 1]!; at++) rowIds[at] = rows[position++]!;
    }
  }
}

function drawSamples(
  manifest: ModelManifest,
  sampleCount: number,
  seed: number,
): Pick<ClickBatch, "queries" | "timestampsMs" | "labels" | "dense"> {
  const random = new Random(seed, "queries");
  const queries = new Int32Array(sampleCount);
  const timestampsMs = new Float64Array(sampleCount);
  let start = 0;
  let timeMs = FIRST_QUERY_MS;
  drawQuerySizes(sampleCount, random).forEach((size, query) => {
    queries.fill(query, start, start + size);
    timestampsMs.fill(Math.floor(timeMs), start, start + size);
    start += size;
    timeMs += random.nextExponential(QUERY_GAP_MEAN_MS);
  });
  return {
    queries,
    timestampsMs,
    labels: new Uint8Array(sampleCount),
    dense: drawDense(sampleCount * manifest.denseFeatureCount, new Random(seed, "dense")),
  };
}

/** Standard normal, as dense features are after the usual log(1 + x) and scaling. */
function drawDense(count: number, random: Random): Float32Array {
  const dense = new Float32Array(count);
  for (let i = 0; i < count; i++) dense[i] = random.nextNormal();
  return dense;
}
