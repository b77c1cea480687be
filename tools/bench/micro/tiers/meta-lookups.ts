import type { ModelManifest } from "../../../../lib/model/manifest.js";
import type { LookupRequest } from "../../../../shards/index.js";
import type { ClickBatch } from "../../../clicks/click-batch.js";
import { parseClickProfile } from "../../../clicks/click-profile.js";
import { drawClicks } from "../../../clicks/draw-clicks.js";
import type { LookupWorkload } from "../lookup/lookup-workload.js";

/** 133 MB of rows: small enough for a study of hundreds of runs, far larger than its caches. */
export const META_WORKLOAD: LookupWorkload = {
  tableCount: 26,
  rowCount: 20_000,
  embeddingDim: 64,
  dtype: "float32",
  sampleCount: 128,
  bagLength: 20,
  featuresPerTable: 1,
  zipfExponent: 0,
};

/** With fewer or more, these tables cannot have the reuse of Meta's traces. */
const SAMPLES = 6400;

export interface MetaLookups {
  /** The first half of the log: what statistics for placement are taken from. */
  readonly past: readonly LookupRequest[];
  /** The second half, which is looked up: statistics have not seen it. */
  readonly present: readonly LookupRequest[];
}

/** A log with the reuse of one of Meta's traces, as batches of 128 samples; partition t is table t. */
export function drawMetaLookups(
  manifest: ModelManifest,
  profile: string,
  locality: number,
  { seed, scale }: { readonly seed: number; readonly scale: number },
): MetaLookups {
  const { clicks } = drawClicks(manifest, {
    ...{ sampleCount: Math.round(SAMPLES * scale), profile: parseClickProfile(profile), seed },
    ...{ locality, windowSamples: 1000 },
  });
  const batches: LookupRequest[] = [];
  const { sampleCount } = META_WORKLOAD;
  for (let start = 0; start + sampleCount <= clicks.sampleCount; start += sampleCount) {
    batches.push(lookupOf(clicks, start, start + sampleCount));
  }
  const half = batches.length >> 1;
  return { past: batches.slice(0, half), present: batches.slice(half) };
}

function lookupOf({ features }: ClickBatch, start: number, end: number): LookupRequest {
  return {
    sampleCount: end - start,
    segments: features.map(({ offsets, rowIds }, partition) => ({
      partition,
      lengths: Uint32Array.from(
        { length: end - start },
        (_, i) => offsets[start + i + 1]! - offsets[start + i]!,
      ),
      values: Uint32Array.from(rowIds.subarray(offsets[start], offsets[end])),
    })),
  };
}
