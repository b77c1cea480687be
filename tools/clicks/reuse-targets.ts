import type { ReuseHistogram } from "../../lib/stats/reuse-histogram.js";

export const REUSE_PROFILES = ["meta-2021", "meta-2022"] as const;
export type ReuseProfile = (typeof REUSE_PROFILES)[number];

/** Shares by falling threshold: above 64, 32, 16, 8, 4, 2, 1 reads. */
interface PublishedTrace {
  readonly readCount: number;
  readonly touchedRowCount: number;
  readonly rowPercents: readonly number[];
  readonly readPercents: readonly number[];
}

/** Reuse of rows in Meta's production-like traces (github.com/facebookresearch/dlrm_datasets, MIT). */
const PUBLISHED: Readonly<Record<ReuseProfile, PublishedTrace>> = {
  "meta-2021": {
    readCount: 887_017_990,
    touchedRowCount: 128_435_723,
    rowPercents: [0.8, 1.9, 5.1, 12.3, 23.5, 37.4, 52.6],
    readPercents: [42.1, 49.4, 59.8, 71.9, 82.0, 88.8, 93.2],
  },
  "meta-2022": {
    readCount: 1_405_163_864,
    touchedRowCount: 110_259_238,
    rowPercents: [1.8, 4.7, 11.5, 22.7, 36.5, 51.4, 65.8],
    readPercents: [52.0, 61.9, 73.9, 84.4, 91.2, 95.2, 97.5],
  },
};

const THRESHOLDS = [64, 32, 16, 8, 4, 2, 1];

/** The histogram a profile's logs are made after. */
export function reuseTargetOf(profile: ReuseProfile): ReuseHistogram {
  const { readCount, touchedRowCount, rowPercents, readPercents } = PUBLISHED[profile];
  return {
    touchedRowCount,
    readCount,
    meanReuse: readCount / touchedRowCount,
    bins: THRESHOLDS.map((above, b) => ({
      above,
      rowShare: rowPercents[b]! / 100,
      readShare: readPercents[b]! / 100,
    })),
  };
}

/** Largest difference of a share from the target's, as a share: 0.02 is two points. */
export function reuseDeviation(achieved: ReuseHistogram, target: ReuseHistogram): number {
  return Math.max(
    ...target.bins.map((bin, b) => {
      const found = achieved.bins[b]!;
      return Math.max(
        Math.abs(found.rowShare - bin.rowShare),
        Math.abs(found.readShare - bin.readShare),
      );
    }),
  );
}
