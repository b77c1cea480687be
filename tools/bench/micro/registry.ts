import { planProduction } from "../planner/plan-production.js";
import { build } from "./build.js";
import { clicksCount } from "./clicks/clicks-count.js";
import { accessCounts } from "./lookup/access-counts.js";
import { lookupF16, lookupInt4, lookupInt8 } from "./lookup/lookup-dtypes.js";
import { lookupHot } from "./lookup/lookup-hot.js";
import { lookupMemory } from "./lookup/lookup-memory.js";
import { lookupRandom } from "./lookup/lookup-random.js";
import type { MicroBench } from "./micro-bench.js";
import { SERVING_BENCHES } from "./serving-benches.js";
import { admissionStudy } from "./tiers/admission-study.js";
import { coldDisk } from "./tiers/cold-disk.js";
import { hitUnderMiss } from "./tiers/hit-under-miss.js";
import { lookupCold } from "./tiers/lookup-cold.js";
import { lookupMixed } from "./tiers/lookup-mixed.js";

/** Every benchmark of `bench micro`, one a line. */
export const MICRO_BENCHES: readonly MicroBench[] = [
  lookupHot, //
  lookupRandom,
  lookupF16,
  lookupInt8,
  lookupInt4,
  lookupMemory,
  accessCounts,
  build,
  lookupCold,
  coldDisk,
  lookupMixed,
  hitUnderMiss,
  admissionStudy,
  planProduction,
  clicksCount,
  ...SERVING_BENCHES,
];
