import type { JaggedBatch } from "../../../lib/jagged-batch.js";
import { Random } from "../../../lib/random.js";

/** One query of a click log: the samples that one `ModelInfer` call carries. */
export interface LoadQuery {
  readonly sampleCount: number;
  /** `[B, D]`, row-major. */
  readonly dense: Float32Array;
  readonly bags: JaggedBatch;
  /** `[B]`, 1 for a click. */
  readonly labels: Uint8Array;
}

/**
 * The same queries with each feature's row ids shuffled over all samples: bags keep their lengths,
 * but hold other samples' ids. A model that looks up what it is asked for loses AUC on them.
 */
export function shuffleIds(queries: readonly LoadQuery[], seed: number): LoadQuery[] {
  const shuffled = queries.map((query) => ({
    ...query,
    bags: { ...query.bags, values: query.bags.values.slice() },
  }));
  const featureCount = shuffled[0]?.bags.featureCount ?? 0;
  const starts = shuffled.map(() => 0);
  for (let feature = 0; feature < featureCount; feature++) {
    const runs = shuffled.map(({ bags }, index) => {
      const end = starts[index]! + idCountOf(bags, feature);
      const run = bags.values.subarray(starts[index]!, end);
      starts[index] = end;
      return run;
    });
    permuteAcross(runs, new Random(seed, `shuffle-ids ${feature}`));
  }
  return shuffled;
}

function idCountOf({ lengths, sampleCount }: JaggedBatch, feature: number): number {
  let count = 0;
  const end = (feature + 1) * sampleCount;
  for (let i = feature * sampleCount; i < end; i++) count += lengths[i]!;
  return count;
}

/** Shuffles the values of several arrays in place as if they were one. */
function permuteAcross(runs: readonly Int32Array[], random: Random): void {
  const all = new Int32Array(runs.reduce((sum, run) => sum + run.length, 0));
  let position = 0;
  for (const run of runs) {
    all.set(run, position);
    position += run.length;
  }
  random.shuffle(all);
  position = 0;
  for (const run of runs) {
    run.set(all.subarray(position, position + run.length));
    position += run.length;
  }
}
