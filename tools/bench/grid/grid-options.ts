import { z } from "zod";
import { parseConfig } from "../../../lib/config.js";
import { STRATEGIES, type Strategy } from "../../../services/planner/strategy.js";

const strategyNames = Object.keys(STRATEGIES) as [Strategy, ...Strategy[]];

/** `a,b,c` on a command line. */
const list = z.string().transform((text) => text.split(",").map((part) => part.trim()));

const optionsSchema = z.strictObject({
  model: z.string().min(1),
  clicks: z.string().min(1),
  stats: z.string().min(1),
  out: z.string().min(1),
  strategies: list.pipe(z.array(z.enum(strategyNames)).min(1)),
  shardCounts: list.pipe(z.array(z.coerce.number<string>().int().min(1).max(64)).min(1)),
  cacheFraction: z.coerce.number().min(0).max(1),
  /** Of one run; a cell takes `rounds` runs of the cluster and as many of the single process. */
  seconds: z.coerce.number().positive().max(3600),
  warmupSeconds: z.coerce.number().min(0).max(3600),
  rounds: z.coerce.number().int().min(1).max(100),
  seed: z.coerce.number().int().min(0),
  fresh: z.boolean().default(false),
  keepStores: z.boolean().default(false),
  json: z.boolean().default(false),
});

export type GridOptions = Readonly<z.output<typeof optionsSchema>>;

/** @throws ShardpoolError CONFIG_INVALID, with every problem found. */
export function parseGridOptions(raw: unknown): GridOptions {
  return parseConfig(optionsSchema, raw, "bench grid");
}
