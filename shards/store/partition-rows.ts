import type { Dtype } from "../../lib/model/dtype.js";
import { rowBytesOf, SCALE_BIAS_BYTES } from "../../lib/model/dtype.js";

/** Stored rows of a table, by range. `TableReader` is one. */
export interface RowSource {
  readonly rowBytes: number;
  /** Fills `out` with the bytes of rows `rowStart` to `rowStart + rowCount`. */
  readRowBytes(rowStart: number, rowCount: number, out: Uint8Array): void;
}

/** Which part of a table's row a partition keeps, in bytes. */
export interface ColumnSlice {
  readonly tableRowBytes: number;
  /** The values' bytes, `[valuesStart, valuesEnd)` of the table's row. */
  readonly valuesStart: number;
  readonly valuesEnd: number;
  /** Scale and bias, which every part carries: `[tailStart, tableRowBytes)`. */
  readonly tailStart: number;
  /** Bytes of a row of the partition. */
  readonly rowBytes: number;
}

/** The bytes of columns `[columnStart, columnEnd)`; splits lie on whole bytes. */
export function columnSliceOf(
  dtype: Dtype,
  embeddingDim: number,
  columnStart: number,
  columnEnd: number,
): ColumnSlice {
  const tableRowBytes = rowBytesOf(dtype, embeddingDim);
  const tailBytes = SCALE_BIAS_BYTES[dtype];
  const valueBytes = (columns: number): number => rowBytesOf(dtype, columns) - tailBytes;
  const valuesStart = valueBytes(columnStart);
  const valuesEnd = valueBytes(columnEnd);
  return {
    tableRowBytes,
    valuesStart,
    valuesEnd,
    tailStart: tableRowBytes - tailBytes,
    rowBytes: valuesEnd - valuesStart + tailBytes,
  };
}

/** Copies the slice of `rowCount` rows; a slice of the whole row is one copy. */
export function copySlices(
  slice: ColumnSlice,
  tableRows: Uint8Array,
  rowCount: number,
  out: Uint8Array,
): void {
  const { tableRowBytes, valuesStart, valuesEnd, tailStart, rowBytes } = slice;
  if (rowBytes === tableRowBytes) {
    out.set(tableRows.subarray(0, rowCount * rowBytes));
    return;
  }
  for (let row = 0; row < rowCount; row++) {
    const from = row * tableRowBytes;
    const to = row * rowBytes;
    out.set(tableRows.subarray(from + valuesStart, from + valuesEnd), to);
    out.set(
      tableRows.subarray(from + tailStart, from + tableRowBytes),
      to + valuesEnd - valuesStart,
    );
  }
}
