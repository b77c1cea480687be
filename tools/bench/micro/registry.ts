import { planProduction } from "../planner/plan-production.js";
import { lookupHot } from "./lookup/lookup-hot.js";
import type { MicroBench } from "./micro-bench.js";

/** Every benchmark of `bench micro`, one a line. */
export const MICRO_BENCHES: readonly MicroBench[] = [
  lookupHot, //
  planProduction,
];
