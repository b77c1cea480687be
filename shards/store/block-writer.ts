import type { Statement } from "better-sqlite3";
import { BLOCK_CRC_BYTES, sealBlock } from "./block-layout.js";
import { type ColumnSlice, copySlices } from "./partition-rows.js";
import { classStartsOf, type RowClasses } from "./row-classes.js";
import type { StoredPartition } from "./store-catalog.js";
import { blockRowBytesOf, rowCountOf } from "./stored-partition.js";

/** A block that some of its rows have come for. */
interface OpenBlock {
  readonly block: number;
  readonly sealed: Buffer;
  rowsMissing: number;
}

/**
 * Takes a partition's rows in row-id order and writes them as blocks in placement order. Rows of a
 * class come in the order they are placed in, so each class fills one block at a time, and one more
 * where the next class starts in the middle of it: however many rows, 16 blocks are open at most.
 */
export class BlockWriter {
  readonly #insert: Statement;
  readonly #partition: StoredPartition;
  readonly #slice: ColumnSlice;
  readonly #classes: RowClasses | undefined;
  /** The position of each class's next row. */
  readonly #nextPositions: number[];
  readonly #openByBlock = new Map<number, OpenBlock>();
  readonly #spareBuffers: Buffer[] = [];

  constructor(
    insert: Statement,
    partition: StoredPartition,
    slice: ColumnSlice,
    classes: RowClasses | undefined,
  ) {
    this.#insert = insert;
    this.#partition = partition;
    this.#slice = slice;
    this.#classes = classes;
    this.#nextPositions = classes ? classStartsOf(classes.rowCounts) : [0];
  }

  /** Adds the next `rowCount` rows, the first being `row` of the partition. */
  add(row: number, rowCount: number, tableRows: Uint8Array): void {
    const { tableRowBytes } = this.#slice;
    for (let at = 0; at < rowCount; ) {
      const rowClass = this.#classes?.classOf(row + at) ?? 0;
      const taken = this.#addRun(row + at, rowClass, rowCount - at, tableRows, at * tableRowBytes);
      at += taken;
    }
  }

  /** Adds rows of one class, as many as follow each other and fit the class's block. */
  #addRun(
    row: number,
    rowClass: number,
    rowsMax: number,
    tableRows: Uint8Array,
    from: number,
  ): number {
    const { rowsPerBlock } = this.#partition;
    const position = this.#nextPositions[rowClass]!;
    const block = Math.floor(position / rowsPerBlock);
    const open = this.#openByBlock.get(block) ?? this.#openBlock(block);
    const rowInBlock = position - block * rowsPerBlock;
    const limit = Math.min(rowsMax, rowsPerBlock - rowInBlock, rowCountOf(this.#partition) - row);
    let rows = 1;
    while (rows < limit && this.#isOfClass(row + rows, rowClass)) rows++;
    copySlices(
      this.#slice,
      tableRows.subarray(from),
      rows,
      open.sealed.subarray(rowInBlock * this.#slice.rowBytes),
    );
    this.#nextPositions[rowClass] = position + rows;
    open.rowsMissing -= rows;
    if (open.rowsMissing === 0) this.#write(open);
    return rows;
  }

  #isOfClass(row: number, rowClass: number): boolean {
    return this.#classes === undefined || this.#classes.classOf(row) === rowClass;
  }

  #openBlock(block: number): OpenBlock {
    const rowBytes = blockRowBytesOf(this.#partition, block);
    const buffer = this.#spareBuffers.pop() ?? Buffer.alloc(this.#sealedBytesMax);
    const open: OpenBlock = {
      block,
      sealed: buffer.subarray(0, rowBytes + BLOCK_CRC_BYTES),
      rowsMissing: rowBytes / this.#slice.rowBytes,
    };
    this.#openByBlock.set(block, open);
    return open;
  }

  #write({ block, sealed }: OpenBlock): void {
    const id = this.#partition.firstBlock + block;
    sealBlock(sealed, id);
    this.#insert.run(id, sealed);
    this.#openByBlock.delete(block);
    if (sealed.length === this.#sealedBytesMax) this.#spareBuffers.push(sealed);
  }

  get #sealedBytesMax(): number {
    return this.#partition.rowsPerBlock * this.#partition.rowBytes + BLOCK_CRC_BYTES;
  }
}
