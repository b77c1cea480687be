import {
  type Data,
  Dictionary,
  Field,
  Int32,
  makeData,
  type RecordBatch,
  Schema,
  Uint32,
  Utf8,
  type Vector,
  vectorFromArray,
} from "apache-arrow";
import { openArrowFile } from "../arrow/arrow-file-reader.js";
import { type ColumnData, writeArrowFile } from "../arrow/arrow-file-writer.js";
import { ShardpoolError } from "../errors.js";
import { NO_COUNTS, type RowCounts } from "./row-counts.js";

export type { RowCounts } from "./row-counts.js";

/** Rows a record batch. */
const BATCH_ROWS = 65_536;

/**
 * Writes the counts file, an Arrow IPC file whole or not at all: columns `table` (dictionary of
 * names), `rowId` int32, `count` uint32; tables in the order given.
 *
 * @throws ShardpoolError DISK_FULL, WRITE_FAILED.
 */
export async function writeCountsFile(
  path: string,
  countsByTable: ReadonlyMap<string, RowCounts>,
): Promise<void> {
  const tableNames: Vector<Utf8> = vectorFromArray([...countsByTable.keys()], new Utf8());
  const tableType = new Dictionary(new Utf8(), new Int32(), 0);
  const schema = new Schema([
    new Field("table", tableType, false),
    new Field("rowId", new Int32(), false),
    new Field("count", new Uint32(), false),
  ]);
  await writeArrowFile(path, schema, async (writer) => {
    let tableIndex = 0;
    for (const counts of countsByTable.values()) {
      for (let start = 0; start < counts.rowIds.length; start += BATCH_ROWS) {
        const rowIds = counts.rowIds.subarray(start, start + BATCH_ROWS);
        const data = new Int32Array(rowIds.length).fill(tableIndex);
        await writer.write(rowIds.length, [
          makeData({ type: tableType, length: data.length, data, dictionary: tableNames }),
          plainColumn(new Int32(), rowIds),
          plainColumn(new Uint32(), counts.counts.subarray(start, start + BATCH_ROWS)),
        ]);
      }
      tableIndex++;
    }
  });
}

/**
 * Reads a whole counts file, 8 bytes a row of it.
 *
 * @throws ShardpoolError FILE_CORRUPT, FILE_NOT_FOUND, STATS_INVALID when its columns are others.
 */
export async function readCountsFile(path: string): Promise<ReadonlyMap<string, RowCounts>> {
  const file = await openArrowFile(path);
  try {
    const parts = new Map<string, RowCounts[]>();
    for (let index = 0; index < file.batchCount; index++) {
      collectRuns(await file.readBatch(index), parts, path);
    }
    return new Map([...parts].map(([table, runs]) => [table, joinRuns(runs)]));
  } finally {
    await file.close();
  }
}

function plainColumn(type: Int32 | Uint32, data: Int32Array | Uint32Array): ColumnData {
  return makeData({ type, length: data.length, nullCount: 0, data } as never);
}

/** Cuts a batch where its table changes. */
function collectRuns(batch: RecordBatch, parts: Map<string, RowCounts[]>, path: string): void {
  const tables = childNamed(batch, "table", path);
  const indexes: unknown = tables.values;
  const rowIds: unknown = childNamed(batch, "rowId", path).values;
  const counts: unknown = childNamed(batch, "count", path).values;
  const isOurs =
    indexes instanceof Int32Array && rowIds instanceof Int32Array && counts instanceof Uint32Array;
  if (!isOurs || tables.dictionary === undefined) throw otherColumns(path);
  for (let start = 0; start < batch.numRows; ) {
    let end = start + 1;
    while (end < batch.numRows && indexes[end] === indexes[start]) end++;
    const name: unknown = tables.dictionary.get(indexes[start]!);
    if (typeof name !== "string") throw otherColumns(path);
    const runs = parts.get(name) ?? [];
    parts.set(name, runs);
    runs.push({ rowIds: rowIds.subarray(start, end), counts: counts.subarray(start, end) });
    start = end;
  }
}

function childNamed(batch: RecordBatch, name: string, path: string): Data {
  const index = batch.schema.fields.findIndex((field) => field.name === name);
  const data = batch.data.children[index];
  if (data === undefined) throw otherColumns(path);
  return data;
}

function otherColumns(path: string): ShardpoolError {
  return new ShardpoolError(
    "STATS_INVALID",
    `${path} is no counts file: it needs columns table (dictionary), rowId int32, count uint32`,
  );
}

function joinRuns(runs: readonly RowCounts[]): RowCounts {
  if (runs.length === 1) return runs[0] ?? NO_COUNTS;
  const length = runs.reduce((sum, run) => sum + run.rowIds.length, 0);
  const joined = { rowIds: new Int32Array(length), counts: new Uint32Array(length) };
  let position = 0;
  for (const run of runs) {
    joined.rowIds.set(run.rowIds, position);
    joined.counts.set(run.counts, position);
    position += run.rowIds.length;
  }
  return joined;
}
