import { type FileHandle, open } from "node:fs/promises";
import {
  CompressionType,
  compressionRegistry,
  type RecordBatch,
  RecordBatchReader,
  type Schema,
} from "apache-arrow";
import { fromFileError, ShardpoolError } from "../errors.js";

const MAGIC = "ARROW1";
/** Magic and padding in front; footer length and magic behind. */
const HEAD_BYTES = 8;
const TAIL_BYTES = 4 + MAGIC.length;

/** Stands in for the decompressors that Node 20 does not have. */
class CompressedBatch extends Error {}

for (const codec of [CompressionType.LZ4_FRAME, CompressionType.ZSTD]) {
  compressionRegistry.set(codec, {
    decode: () => {
      throw new CompressedBatch();
    },
  });
}

/** An open Arrow IPC file; the caller closes it. */
export interface ArrowFile {
  readonly schema: Schema;
  readonly batchCount: number;
  /**
   * Reads one record batch, whose columns are views of the bytes read.
   *
   * @throws ShardpoolError FILE_CORRUPT, or FORMAT_UNSUPPORTED when it is compressed.
   */
  readBatch(index: number): Promise<RecordBatch>;
  close(): Promise<void>;
}

/**
 * Opens an Arrow IPC file for reading batch by batch.
 *
 * @throws ShardpoolError FILE_NOT_FOUND, FILE_UNREADABLE, or FILE_CORRUPT when the file is
 * truncated or is something else.
 */
export async function openArrowFile(path: string): Promise<ArrowFile> {
  const handle = await open(path, "r").catch((error: unknown) => {
    throw fromFileError(error, path);
  });
  try {
    await checkFrame(handle, path);
    return await openReader(handle, path);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function openReader(handle: FileHandle, path: string): Promise<ArrowFile> {
  const reader = await decode(path, "its footer", async () => {
    const unopened = await RecordBatchReader.from(handle);
    return await unopened.open();
  });
  return {
    schema: reader.schema,
    batchCount: reader.footer?.numRecordBatches ?? 0,
    readBatch: (index) =>
      decode(path, `record batch ${index}`, async () => {
        const batch = await reader.readRecordBatch(index);
        if (batch === null) throw corrupt(path, `record batch ${index} cannot be read`);
        return batch;
      }),
    close: () => handle.close(),
  };
}

/** The library decodes whatever it is given: a file cut short would be read as a garbled footer. */
async function checkFrame(handle: FileHandle, path: string): Promise<void> {
  const { size } = await handle.stat();
  const head = Buffer.alloc(MAGIC.length);
  const tail = Buffer.alloc(TAIL_BYTES);
  if (size < HEAD_BYTES + TAIL_BYTES) throw corrupt(path, `${size} bytes are too few`);
  await handle.read(head, 0, head.length, 0).catch((error: unknown) => {
    throw fromFileError(error, path);
  });
  await handle.read(tail, 0, tail.length, size - TAIL_BYTES);
  if (head.toString("latin1") !== MAGIC) throw corrupt(path, "it does not begin as one");
  if (tail.toString("latin1", 4) !== MAGIC) throw corrupt(path, "its end is missing");
  const footerBytes = tail.readInt32LE(0);
  if (footerBytes <= 0 || footerBytes > size - HEAD_BYTES - TAIL_BYTES) {
    throw corrupt(path, `its footer says it has ${footerBytes} bytes`);
  }
}

/** Runs the library on untrusted bytes: what it throws means that they are wrong. */
async function decode<T>(path: string, part: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof ShardpoolError) throw error;
    if (error instanceof CompressedBatch) {
      throw new ShardpoolError(
        "FORMAT_UNSUPPORTED",
        `${path} is compressed: write it without compression (in pandas: compression="uncompressed")`,
        { cause: error },
      );
    }
    throw corrupt(path, `${part} cannot be read`, error);
  }
}

function corrupt(path: string, why: string, cause?: unknown): ShardpoolError {
  return new ShardpoolError("FILE_CORRUPT", `${path} is not a whole Arrow file: ${why}`, { cause });
}
