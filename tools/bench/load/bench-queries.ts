import { join } from "node:path";
import { readJsonFile } from "../../../lib/files.js";
import {
  hashManifest,
  MANIFEST_FILE,
  type ModelManifest,
  parseManifest,
} from "../../../lib/model/manifest.js";
import { openClickLog, readClickQueries } from "../../clicks/click-log.js";
import type { LoadQuery } from "./load-query.js";
import { readQueries } from "./prepared-queries.js";

/** The model and the part of its click log that a run sends. */
export interface BenchQueries {
  readonly manifest: ModelManifest;
  readonly modelHash: string;
  readonly clicksFile: string;
  readonly queries: readonly LoadQuery[];
  /** False when the log holds more than the limits let in. */
  readonly isWhole: boolean;
  readonly aucCeiling: number | null;
}

/**
 * Reads a model's manifest and its click log's queries, up to the limits.
 *
 * @throws ShardpoolError for a log that cannot be read or was made for another model.
 */
export async function readBenchQueries(options: {
  readonly modelDir: string;
  readonly clicksFile: string;
  readonly queryBytesMax: number;
  readonly queryCountMax: number;
}): Promise<BenchQueries> {
  const manifestFile = join(options.modelDir, MANIFEST_FILE);
  const manifest = parseManifest(await readJsonFile(manifestFile), manifestFile);
  const log = await openClickLog(options.clicksFile, { manifest });
  try {
    const { queries, isWhole } = await readQueries(readClickQueries(log.batches()), options);
    return {
      manifest,
      modelHash: hashManifest(manifest),
      clicksFile: options.clicksFile,
      queries,
      isWhole,
      aucCeiling: log.header.aucCeiling ?? null,
    };
  } finally {
    await log.close();
  }
}
