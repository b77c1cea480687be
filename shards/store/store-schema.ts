import type { Database } from "better-sqlite3";
import type { StoreCatalog } from "./store-catalog.js";

/**
 * A shard store: one SQLite file, written once and read-only from then on.
 *
 * `metadata` holds the catalog's scalars and `catalogHash`, which guards both small tables;
 * `partitions` has a row for each; `blocks.bytes` is a run of rows in placement order, end to end,
 * then a CRC-32 (4 bytes, little-endian) over them that starts from the block's id. `rowClasses.bytes`
 * is a run of lines of a partition that is laid out by statistics (see `RowClasses`), sealed alike.
 */
const SCHEMA = `
  CREATE TABLE metadata (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
  CREATE TABLE partitions (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    "table" TEXT NOT NULL,
    rowStart INTEGER NOT NULL,
    rowEnd INTEGER NOT NULL,
    columnStart INTEGER NOT NULL,
    columnEnd INTEGER NOT NULL,
    dtype TEXT NOT NULL,
    rowBytes INTEGER NOT NULL,
    rowsPerBlock INTEGER NOT NULL,
    firstBlock INTEGER NOT NULL,
    blockCount INTEGER NOT NULL,
    classRowCounts TEXT
  );
  CREATE TABLE blocks (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
  CREATE TABLE rowClasses (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
`;

export function createStoreTables(db: Database): void {
  db.exec(SCHEMA);
}

/** Writes the catalog and its hash. */
export function insertCatalog(db: Database, catalog: StoreCatalog, catalogHash: string): void {
  const { partitions, ...scalars } = catalog;
  const insertValue = db.prepare("INSERT INTO metadata (key, value) VALUES (?, ?)");
  for (const [key, value] of Object.entries({ ...scalars, catalogHash })) {
    insertValue.run(key, value === null ? null : String(value));
  }
  const insertPartition = db.prepare(`
    INSERT INTO partitions VALUES (
      :number, :id, :table, :rowStart, :rowEnd, :columnStart, :columnEnd, :dtype,
      :rowBytes, :rowsPerBlock, :firstBlock, :blockCount, :classRowCounts
    )`);
  for (const partition of partitions) {
    const { classRowCounts } = partition;
    insertPartition.run({
      ...partition,
      classRowCounts: classRowCounts === null ? null : JSON.stringify(classRowCounts),
    });
  }
}

/** The catalog as it stands in the file, unchecked but for its form, and the hash beside it. */
export function selectCatalog(db: Database): { raw: unknown; catalogHash: unknown } {
  const rows = db.prepare("SELECT key, value FROM metadata").raw().all() as [string, unknown][];
  const { catalogHash, formatVersion, ...rest } = Object.fromEntries(rows);
  const partitions = db
    .prepare("SELECT * FROM partitions ORDER BY number")
    .all()
    .map((row) => withParsedCounts(row as { classRowCounts: unknown }));
  return { raw: { ...rest, formatVersion: Number(formatVersion), partitions }, catalogHash };
}

/** What is no JSON stays as it is, for the catalog's check to refuse. */
function withParsedCounts(row: { readonly classRowCounts: unknown }): unknown {
  if (typeof row.classRowCounts !== "string") return row;
  try {
    return { ...row, classRowCounts: JSON.parse(row.classRowCounts) as unknown };
  } catch {
    return row;
  }
}
