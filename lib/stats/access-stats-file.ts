import { basename, dirname, join } from "node:path";
import { hashJson } from "../canonical-json.js";
import { ShardpoolError } from "../errors.js";
import { hashFile, readJsonFile, writeJsonFile } from "../files.js";
import {
  type AccessStats,
  type AccessStatsDraft,
  parseAccessStats,
  STATS_FORMAT_VERSION,
} from "./access-stats.js";
import { type RowCounts, readCountsFile, writeCountsFile } from "./counts-file.js";

/** Access statistics in memory: the header, and counts row by row. */
export interface AccessStatsFile {
  readonly header: AccessStats;
  /** SHA-256 of the header and so, through it, of the counts: what a plan and a store name. */
  readonly hash: string;
  /**
   * The listed rows of a table, heaviest first.
   *
   * @throws ShardpoolError STATS_INVALID for a table that the statistics do not have.
   */
  countsOf(table: string): RowCounts;
}

/**
 * Writes `NAME.json` and the counts beside it, `NAME.arrow`; the header comes last, so that a pair
 * that does not belong together is seen by its hash.
 *
 * @param path Ends in `.json`.
 * @throws ShardpoolError STATS_INVALID when the two parts do not agree; DISK_FULL, WRITE_FAILED.
 */
export async function writeAccessStats(
  path: string,
  header: AccessStatsDraft,
  countsByTable: ReadonlyMap<string, RowCounts>,
): Promise<AccessStats> {
  const countsPath = countsPathOf(path);
  await writeCountsFile(countsPath, countsByTable);
  const { sha256 } = await hashFile(countsPath);
  const rowCount = [...countsByTable.values()].reduce((sum, { rowIds }) => sum + rowIds.length, 0);
  const complete = parseAccessStats(
    {
      formatVersion: STATS_FORMAT_VERSION,
      ...header,
      counts: { file: basename(countsPath), sha256, rowCount },
    },
    path,
  );
  checkAgreement(complete, countsByTable, path);
  await writeJsonFile(path, complete);
  return complete;
}

/**
 * Reads access statistics whole, 8 bytes a listed row.
 *
 * @throws ShardpoolError FILE_NOT_FOUND, FILE_CORRUPT, STATS_INVALID, or HASH_MISMATCH when the
 * counts file is not the one the header was written with.
 */
export async function readAccessStats(path: string): Promise<AccessStatsFile> {
  const header = parseAccessStats(await readJsonFile(path), path);
  const countsPath = join(dirname(path), header.counts.file);
  const { sha256 } = await hashFile(countsPath);
  if (sha256 !== header.counts.sha256) {
    throw new ShardpoolError(
      "HASH_MISMATCH",
      `${countsPath} has SHA-256 ${sha256.slice(0, 12)}, ${path} was written with ${header.counts.sha256.slice(0, 12)}`,
    );
  }
  const countsByTable = await readCountsFile(countsPath);
  checkAgreement(header, countsByTable, path);
  const empty: RowCounts = { rowIds: new Int32Array(0), counts: new Uint32Array(0) };
  return {
    header,
    hash: hashJson(header),
    countsOf(table) {
      if (!header.tables.some((entry) => entry.table === table)) {
        throw new ShardpoolError("STATS_INVALID", `${path} has no table ${table}`);
      }
      return countsByTable.get(table) ?? empty;
    },
  };
}

/**
 * The counts file's path for a header's.
 *
 * @throws ShardpoolError CONFIG_INVALID for a path that does not end in `.json`.
 */
export function countsPathOf(path: string): string {
  if (!path.endsWith(".json")) {
    throw new ShardpoolError(
      "CONFIG_INVALID",
      `statistics are written to a .json file, got ${path}`,
    );
  }
  return `${path.slice(0, -".json".length)}.arrow`;
}

function checkAgreement(
  header: AccessStats,
  countsByTable: ReadonlyMap<string, RowCounts>,
  path: string,
): void {
  for (const name of countsByTable.keys()) {
    if (header.tables.some((entry) => entry.table === name)) continue;
    throw new ShardpoolError("STATS_INVALID", `${path}: counts of table ${name}, which it lacks`);
  }
  for (const { table, readCount, listedRowCount, tailReadCount } of header.tables) {
    const counts = countsByTable.get(table)?.counts ?? new Uint32Array(0);
    let listedReads = 0;
    for (let i = 0; i < counts.length; i++) listedReads += counts[i]!;
    if (counts.length === listedRowCount && listedReads + tailReadCount === readCount) continue;
    throw new ShardpoolError(
      "STATS_INVALID",
      `${path}: table ${table} says ${listedRowCount} listed rows and ${readCount} reads, ` +
        `its counts are ${counts.length} rows, ${listedReads} reads and ${tailReadCount} in the tail`,
    );
  }
}
