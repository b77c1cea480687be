import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseConfig } from "../../../lib/config.js";
import { hashFile, readJsonFile, writeJsonFile } from "../../../lib/files.js";
import { readBenchQueries } from "../load/bench-queries.js";
import { describeEnvironment, type Environment } from "../load/environment.js";
import { type CellName, cellKey, cellSchema, type GridCell } from "./grid-cell.js";
import type { GridOptions } from "./grid-options.js";
import { type GridBench, measureCell } from "./measure-cell.js";

const QUERY_BYTES_MAX = 256 * 1024 ** 2;
const QUERY_COUNT_MAX = 100_000;

/** What `bench grid` writes as `grid.json`. */
export interface GridResult {
  readonly formatVersion: 1;
  readonly kind: "grid";
  readonly finishedAt: string;
  readonly environment: Environment;
  readonly model: { readonly name: string; readonly version: string; readonly hash: string };
  readonly clicks: {
    readonly file: string;
    readonly queryCount: number;
    readonly sampleCount: number;
  };
  readonly options: {
    readonly seconds: number;
    readonly rounds: number;
    readonly cacheFraction: number;
    readonly seed: number;
  };
  readonly cells: readonly GridCell[];
}

export interface GridHooks {
  readonly signal: AbortSignal;
  /** Before a cell, with its place; `isKept` when an earlier run's result stands for it. */
  readonly onCell: (name: CellName, index: number, count: number, isKept: boolean) => void;
  readonly onMeasured: (cell: GridCell) => void;
}

/** Every strategy with every shard count; `one-shard` with one alone. */
export function cellNames({ strategies, shardCounts }: GridOptions): CellName[] {
  return strategies.flatMap((strategy): CellName[] =>
    strategy === "one-shard"
      ? [{ strategy, shardCount: 1 }]
      : [...new Set(shardCounts)].map((shardCount) => ({ strategy, shardCount })),
  );
}

/**
 * Measures the cells that no earlier run has left in the output folder; each is kept there as soon as
 * it is measured, so that a grid that was stopped goes on from there.
 *
 * @throws ShardpoolError CALL_CANCELLED after `signal`, and what reading the inputs throws.
 */
export async function runGrid(options: GridOptions, hooks: GridHooks): Promise<GridResult> {
  const { model: modelDir, clicks: clicksFile, stats, out } = options;
  const source = await readBenchQueries({
    ...{ modelDir, clicksFile, queryBytesMax: QUERY_BYTES_MAX, queryCountMax: QUERY_COUNT_MAX },
  });
  const fileHashes = [source.modelHash, await hashOf(clicksFile), await hashOf(stats)];
  const cellsDir = join(out, "cells");
  if (options.fresh) rmSync(cellsDir, { recursive: true, force: true });
  mkdirSync(cellsDir, { recursive: true });
  const bench: GridBench = { options, source, fileHashes, signal: hooks.signal };
  const names = cellNames(options);
  const cells: GridCell[] = [];
  for (const [index, name] of names.entries()) {
    const file = join(cellsDir, `${name.strategy}-${name.shardCount}.json`);
    const kept = await readKept(file, cellKey(name, options, fileHashes));
    hooks.onCell(name, index, names.length, kept !== undefined);
    const cell = kept ?? (await measureCell(name, bench));
    if (kept === undefined) await writeJsonFile(file, cell);
    hooks.onMeasured(cell);
    cells.push(cell);
  }
  return {
    formatVersion: 1,
    kind: "grid",
    finishedAt: new Date().toISOString(),
    environment: describeEnvironment(),
    model: { name: source.manifest.name, version: source.manifest.version, hash: source.modelHash },
    clicks: {
      file: clicksFile,
      queryCount: source.queries.length,
      sampleCount: source.queries.reduce((sum, query) => sum + query.sampleCount, 0),
    },
    options: {
      seconds: options.seconds,
      rounds: options.rounds,
      cacheFraction: options.cacheFraction,
      seed: options.seed,
    },
    cells,
  };
}

/** A cell that an earlier run measured with the same inputs; one that failed is tried again. */
async function readKept(file: string, key: string): Promise<GridCell | undefined> {
  try {
    const cell = parseConfig(cellSchema, await readJsonFile(file), file, "FORMAT_UNSUPPORTED");
    return cell.key === key && cell.status !== "failed" ? cell : undefined;
  } catch {
    // Not there, cut short, or an older form: measured anew.
    return undefined;
  }
}

async function hashOf(file: string): Promise<string> {
  return (await hashFile(file)).sha256;
}
