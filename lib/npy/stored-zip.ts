import { createReadStream, createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32 } from "node:zlib";
import {
  fromRandomAccessReaderPromise,
  RandomAccessReader,
  type ZipFile as ZipReader,
} from "yauzl";
import { ZipFile as ZipWriter } from "yazl";
import { fromFileError, ShardpoolError, systemCodeOf } from "../errors.js";
import { FileRegion, type Region } from "./file-region.js";

/** A file in an uncompressed zip archive: a plain run of bytes of the archive. */
export interface ZipEntry {
  readonly name: string;
  /** Where its bytes lie in the archive. */
  readonly region: Region;
  readonly crc32: number;
}

/** More than any checkpoint has; keeps the list of a hostile archive small. */
export const ENTRY_COUNT_MAX = 100_000;
const STORED = 0;

/**
 * Lists the files of an archive whose entries are stored, not compressed (numpy.savez, torch.save),
 * zip64 included. Names, sizes and places are checked: every region lies inside the archive, and no
 * two share a byte. The bytes are not read; `checkEntry` does that.
 *
 * @throws ShardpoolError FILE_NOT_FOUND, FILE_UNREADABLE; FILE_CORRUPT when the archive contradicts
 *   itself or has a name that leads out of a folder; FORMAT_UNSUPPORTED for compressed or encrypted
 *   entries; LIMIT_EXCEEDED for more than `ENTRY_COUNT_MAX` entries.
 */
export async function readZipEntries(path: string): Promise<ZipEntry[]> {
  const file = FileRegion.open(path);
  try {
    const reader = new RegionReader(file);
    const zip = await fromRandomAccessReaderPromise(reader, file.bytes, { strictFileNames: true });
    if (zip.entryCount > ENTRY_COUNT_MAX) {
      throw new ShardpoolError(
        "LIMIT_EXCEEDED",
        `${path} declares ${zip.entryCount} entries; at most ${ENTRY_COUNT_MAX} are read`,
      );
    }
    return await listEntries(zip, path);
  } catch (error) {
    throw fromZipError(error, path);
  } finally {
    file.close();
  }
}

/**
 * yauzl's own reader hands positions from the archive to Node unchecked, and an absurd one is thrown
 * where nobody can catch it. Here it is an error like others.
 */
class RegionReader extends RandomAccessReader {
  readonly #file: FileRegion;

  constructor(file: FileRegion) {
    super();
    this.#file = file;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    let failure: Error | null = null;
    try {
      this.#file.read(position, buffer.subarray(offset, offset + length));
    } catch (error) {
      failure = error instanceof Error ? error : new Error("read failed", { cause: error });
    }
    callback(failure);
  }

  /** Whoever opened the file closes it. */
  override close(callback: (error: Error | null) => void): void {
    callback(null);
  }
}

async function listEntries(zip: ZipReader, path: string): Promise<ZipEntry[]> {
  const entries: ZipEntry[] = [];
  const spans: Span[] = [];
  for await (const entry of zip.eachEntry()) {
    const name = entry.fileName;
    // A folder's own entry ends with a slash and has no bytes.
    if (name.endsWith("/") && entry.uncompressedSize === 0) continue;
    if (entry.isEncrypted() || entry.compressionMethod !== STORED) {
      throw new ShardpoolError(
        "FORMAT_UNSUPPORTED",
        `${path}: ${name} is ${entry.isEncrypted() ? "encrypted" : "compressed"}; only stored entries are read (numpy.savez, not savez_compressed)`,
      );
    }
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
    const region = { offset: fileDataStart, bytes: entry.compressedSize };
    entries.push({ name, region, crc32: entry.crc32 });
    const end = region.offset + region.bytes;
    spans.push({ name, start: entry.relativeOffsetOfLocalHeader, end });
  }
  assertApart(spans, path);
  return entries;
}

/** All bytes of an entry, its header included. */
interface Span {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Overlapping entries make a small archive unpack to a huge one, or one file read as two. */
function assertApart(spans: readonly Span[], path: string): void {
  const names = new Set<string>();
  let lastEnd = 0;
  for (const { name, start, end } of spans.toSorted((a, b) => a.start - b.start)) {
    if (names.has(name)) {
      throw new ShardpoolError("FILE_CORRUPT", `${path} has two entries named ${name}`);
    }
    names.add(name);
    if (start < lastEnd) {
      throw new ShardpoolError(
        "FILE_CORRUPT",
        `${path}: ${name} starts at byte ${start}, inside the entry that ends at ${lastEnd}`,
      );
    }
    lastEnd = end;
  }
}

/** yauzl throws plain errors for all that is wrong with an archive, system errors for the rest. */
function fromZipError(error: unknown, path: string): unknown {
  if (error instanceof ShardpoolError) return error;
  if (systemCodeOf(error) !== undefined || !(error instanceof Error)) {
    return fromFileError(error, path);
  }
  return new ShardpoolError(
    "FILE_CORRUPT",
    `${path} is not a zip archive that can be read: ${error.message}`,
    { cause: error },
  );
}

/**
 * Reads an entry once, in small pieces, and checks its CRC-32.
 *
 * @throws ShardpoolError FILE_CORRUPT naming the entry.
 */
export async function checkEntry(path: string, entry: ZipEntry): Promise<void> {
  const { offset, bytes } = entry.region;
  let found = 0;
  if (bytes > 0) {
    const stream = createReadStream(path, { start: offset, end: offset + bytes - 1 });
    try {
      for await (const chunk of stream) found = crc32(chunk as Buffer, found);
    } catch (error) {
      throw fromFileError(error, path);
    }
  }
  assertCrc(path, entry, found);
}

/** @throws ShardpoolError FILE_CORRUPT when the CRC-32 found is not the one the archive states. */
export function assertCrc(path: string, entry: ZipEntry, found: number): void {
  if (found === entry.crc32) return;
  throw new ShardpoolError(
    "FILE_CORRUPT",
    `${path}: ${entry.name} has CRC-32 ${hex(found)}, the archive says ${hex(entry.crc32)}`,
  );
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}

/** What goes into an archive: a name, its size and its bytes in pieces. */
export interface ZipInput {
  readonly name: string;
  readonly bytes: number;
  readonly chunks: () => Iterable<Uint8Array>;
}

/** The earliest date a zip can state: the same input gives the same archive, byte for byte. */
const ENTRY_DATE = new Date(1980, 0, 1);

/**
 * Writes an archive of stored entries to the path it is given, streaming; zip64 where sizes want it.
 * `writeWhole` around it makes the file appear whole or not at all.
 */
export async function writeZip(path: string, inputs: Iterable<ZipInput>): Promise<void> {
  const zip = new ZipWriter();
  for (const { name, bytes, chunks } of inputs) {
    const options = {
      compress: false,
      mtime: ENTRY_DATE,
      forceDosTimestamp: true,
      size: bytes,
    };
    zip.addReadStreamLazy(name, options, (give) => give(null, Readable.from(chunks())));
  }
  zip.end();
  try {
    await pipeline(zip.outputStream, createWriteStream(path));
  } catch (error) {
    throw fromFileError(error, path);
  }
}
