import { type FileHandle, open } from "node:fs/promises";
import {
  Message,
  makeData,
  RecordBatch,
  RecordBatchFileWriter,
  type Schema,
  Struct,
} from "apache-arrow";
import { writeWhole } from "../files.js";

/** Columns of one record batch, in the schema's order and of one length. */
export type ColumnData = ReturnType<typeof makeData>;

/** Writes record batches to an Arrow IPC file; memory holds one batch. */
export class ArrowFileWriter {
  readonly #handle: FileHandle;
  readonly #schema: Schema;
  readonly #encoder = new ChunkEncoder();

  /** For {@link writeArrowFile}, which opens and closes the file. */
  constructor(handle: FileHandle, schema: Schema) {
    this.#handle = handle;
    this.#schema = schema;
    this.#encoder.reset(undefined, schema);
  }

  /** Appends a record batch; the columns may be used again once this resolves. */
  async write(rowCount: number, columns: readonly ColumnData[]): Promise<void> {
    const data = makeData({
      type: new Struct(this.#schema.fields),
      length: rowCount,
      nullCount: 0,
      children: [...columns],
    });
    this.#encoder.write(new RecordBatch(this.#schema, data));
    await this.#flush();
  }

  /** Writes the footer; nothing may follow. */
  async finish(): Promise<void> {
    this.#encoder.finish();
    await this.#flush();
  }

  async #flush(): Promise<void> {
    const chunks = this.#encoder.takeChunks();
    let byteCount = 0;
    for (const chunk of chunks) byteCount += chunk.byteLength;
    const { bytesWritten } = await this.#handle.writev(chunks);
    // writev() may stop early, for instance when the disk fills up; what is left goes one by one.
    if (bytesWritten < byteCount) await this.#writeRest(chunks, bytesWritten);
  }

  async #writeRest(chunks: readonly Uint8Array[], bytesWritten: number): Promise<void> {
    let skip = bytesWritten;
    for (const chunk of chunks) {
      const rest = chunk.subarray(Math.min(skip, chunk.byteLength));
      skip -= chunk.byteLength - rest.byteLength;
      if (rest.byteLength > 0) await this.#handle.writeFile(rest);
    }
  }
}

/**
 * Writes an Arrow IPC file whole or not at all: `fill` gets the writer, the footer follows.
 *
 * @throws ShardpoolError DISK_FULL, WRITE_FAILED, OUTPUT_EXISTS, and what `fill` throws.
 */
export async function writeArrowFile<T>(
  path: string,
  schema: Schema,
  fill: (writer: ArrowFileWriter) => Promise<T>,
  options: { readonly replace?: boolean } = {},
): Promise<T> {
  return await writeWhole(
    path,
    async (partialPath) => {
      const handle = await open(partialPath, "w");
      try {
        const writer = new ArrowFileWriter(handle, schema);
        const result = await fill(writer);
        await writer.finish();
        return result;
      } finally {
        await handle.close();
      }
    },
    options,
  );
}

/**
 * Apache Arrow's file writer with its output handed over chunk by chunk. As it stands it queues
 * everything in memory, however slow the reader of the queue is.
 */
class ChunkEncoder extends RecordBatchFileWriter {
  #chunks: Uint8Array[] = [];

  takeChunks(): Uint8Array[] {
    const chunks = this.#chunks;
    this.#chunks = [];
    return chunks;
  }

  protected override _write(chunk: ArrayBufferView): this {
    if (this._started && chunk.byteLength > 0) {
      this.#chunks.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      this._position += chunk.byteLength;
    }
    return this;
  }

  /**
   * The format wants the schema in front too, which the library leaves out: readers that treat a
   * file as a stream behind eight bytes of magic look for it there.
   */
  protected override _writeSchema(schema: Schema): this {
    return super._writeSchema(schema)._writeMessage(Message.from(schema));
  }
}
