import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { fromFileError, ShardpoolError, systemCodeOf } from "../../../lib/errors.js";
import { FileRegion } from "../../../lib/npy/file-region.js";

/** Criteo's lines have about 250 bytes; a file without line ends must not be read into memory whole. */
const LINE_BYTES_MAX = 1024 * 1024;

const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);

/** Whether a file is gzip by its first bytes, whatever it is called. */
export function isGzip(path: string): boolean {
  const file = FileRegion.open(path);
  try {
    if (file.bytes < GZIP_MAGIC.length) return false;
    const start = Buffer.alloc(GZIP_MAGIC.length);
    file.read(0, start);
    return start.equals(GZIP_MAGIC);
  } finally {
    file.close();
  }
}

/**
 * The bytes of a file in pieces, unpacked where it is gzip.
 *
 * @param onBytes Told how many bytes of the file itself have been read.
 * @throws ShardpoolError FILE_NOT_FOUND, FILE_UNREADABLE; FILE_CORRUPT for gzip that is cut or damaged.
 */
export async function* readUnpacked(
  path: string,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  const unpacks = isGzip(path);
  const file = createReadStream(path, { highWaterMark: 256 * 1024 });
  const stream = unpacks ? file.pipe(createGunzip()) : file;
  // A pipe does not carry the source's errors on.
  if (stream !== file) file.on("error", (error) => stream.destroy(error));
  try {
    for await (const chunk of stream) {
      onBytes(file.bytesRead);
      yield chunk as Buffer;
    }
  } catch (error) {
    throw fromUnpackError(error, path);
  } finally {
    file.destroy();
  }
}

/**
 * The lines of a text file, without their ends; an empty last line is none.
 *
 * @throws ShardpoolError CLICKS_INVALID for a line over a megabyte, and what `readUnpacked` throws.
 */
export async function* readLines(
  path: string,
  onBytes: (bytes: number) => void,
): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of readUnpacked(path, onBytes)) {
    // Everything that is read as lines is ASCII; latin1 decodes without looking.
    const lines = (rest + chunk.toString("latin1")).split("\n");
    rest = lines.pop()!;
    for (const line of lines) yield line.endsWith("\r") ? line.slice(0, -1) : line;
    if (rest.length > LINE_BYTES_MAX) {
      throw new ShardpoolError(
        "CLICKS_INVALID",
        `${path} has a line of more than ${LINE_BYTES_MAX} bytes; it is no text log`,
      );
    }
  }
  if (rest !== "") yield rest;
}

function fromUnpackError(error: unknown, path: string): unknown {
  if (systemCodeOf(error)?.startsWith("Z_")) {
    return new ShardpoolError("FILE_CORRUPT", `${path} is damaged gzip`, { cause: error });
  }
  return fromFileError(error, path);
}
