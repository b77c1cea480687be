/**
 * Click logs: Apache Arrow IPC files with a row a sample. They open in pandas, polars and DuckDB as
 * they are, and feature columns read back as the jagged layout itself, without a copy.
 */
export {
  type BagColumn,
  type ClickBatch,
  sliceClickBatch,
} from "./click-batch.js";
export {
  type ClickLog,
  type OpenClickLogOptions,
  openClickLog,
  readClickLog,
} from "./click-log-reader.js";
export {
  type ClickLogHeader,
  type ClickLogShape,
  clickLogShapeOf,
} from "./click-log-schema.js";
export { ClickLogWriter, writeClickLog } from "./click-log-writer.js";
export { buildJaggedBatch, type ClickQuery, readClickQueries } from "./click-queries.js";
