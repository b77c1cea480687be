import { z } from "zod";
import { parseConfig } from "../../lib/config.js";
import { readJsonFile, writeJsonFile } from "../../lib/files.js";

const processSchema = z
  .strictObject({
    name: z.string(),
    pid: z.int(),
    address: z.string(),
    httpAddress: z.string().exactOptional(),
    metricsAddress: z.string().exactOptional(),
  })
  .readonly();

const topologySchema = z.strictObject({
  formatVersion: z.literal(1),
  modelName: z.string(),
  modelDir: z.string(),
  planFile: z.string(),
  planHash: z.string(),
  frontend: processSchema,
  /** In the plan's order; `name` is the shard's id. */
  shards: z.array(processSchema).readonly(),
});

/** Where the processes of a running cluster listen: what a plan leaves open. */
export type Topology = Readonly<z.output<typeof topologySchema>>;

/** Writes the topology file of a cluster that has just come up. */
export async function writeTopology(path: string, topology: Topology): Promise<void> {
  await writeJsonFile(path, topology);
}

/** @throws ShardpoolError FILE_NOT_FOUND, FILE_CORRUPT or CONFIG_INVALID. */
export async function readTopology(path: string): Promise<Topology> {
  return parseConfig(topologySchema, await readJsonFile(path), path);
}
