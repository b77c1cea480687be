import { ShardpoolError } from "../errors.js";
import { writeWhole } from "../files.js";
import { bytesOf, type NpyArray } from "./npy-dtype.js";
import { NpyReader } from "./npy-file.js";
import { formatNpyHeader } from "./npy-header.js";
import {
  checkEntry,
  readZipEntries,
  writeZip,
  type ZipEntry,
  type ZipInput,
} from "./stored-zip.js";

const SUFFIX = ".npy";
const WRITE_CHUNK_BYTES = 1 << 20;

/** Bytes of arrays that `readNpz` takes into memory unless told otherwise. */
const BYTES_MAX = 1024 ** 3;

/** An .npz archive's list of arrays, each of which opens for reading by rows. Holds no open file. */
export class NpzArchive {
  readonly path: string;
  /** Bytes of all arrays, their headers included. */
  readonly bytes: number;
  readonly #entries: ReadonlyMap<string, ZipEntry>;

  private constructor(path: string, entries: ReadonlyMap<string, ZipEntry>) {
    this.path = path;
    this.#entries = entries;
    this.bytes = [...entries.values()].reduce((sum, entry) => sum + entry.region.bytes, 0);
  }

  /**
   * Opens an archive as numpy.savez writes it.
   *
   * @throws ShardpoolError as `readZipEntries` does; FORMAT_UNSUPPORTED for entries that are not .npy.
   */
  static async open(path: string): Promise<NpzArchive> {
    const entries = new Map<string, ZipEntry>();
    for (const entry of await readZipEntries(path)) {
      if (!entry.name.endsWith(SUFFIX)) {
        throw new ShardpoolError("FORMAT_UNSUPPORTED", `${path}: ${entry.name} is not a .npy file`);
      }
      entries.set(entry.name.slice(0, -SUFFIX.length), entry);
    }
    return new NpzArchive(path, entries);
  }

  /** The arrays' names, in the archive's order. */
  get names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /**
   * Opens an array for reading by rows; the caller closes it. The CRC-32 is not checked: `check` does.
   *
   * @throws ShardpoolError FILE_CORRUPT or FORMAT_UNSUPPORTED, naming the array.
   */
  openArray(name: string): NpyReader {
    return NpyReader.open(this.path, this.#entryOf(name).region, `${this.path}: ${name}`);
  }

  /**
   * Reads an array once, streaming, and checks its CRC-32.
   *
   * @throws ShardpoolError FILE_CORRUPT, naming the array.
   */
  async check(name: string): Promise<void> {
    await checkEntry(this.path, this.#entryOf(name));
  }

  #entryOf(name: string): ZipEntry {
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      throw new ShardpoolError("FILE_CORRUPT", `${this.path} has no array named ${name}`);
    }
    return entry;
  }
}

/**
 * Reads all arrays of an archive into memory, their CRC-32 checked.
 *
 * @param bytesMax Limit of the arrays' bytes in all.
 * @throws ShardpoolError FILE_NOT_FOUND, FILE_UNREADABLE, FILE_CORRUPT or FORMAT_UNSUPPORTED;
 *   LIMIT_EXCEEDED above `bytesMax`.
 */
export async function readNpz(path: string, bytesMax = BYTES_MAX): Promise<Map<string, NpyArray>> {
  const archive = await NpzArchive.open(path);
  if (archive.bytes > bytesMax) {
    throw new ShardpoolError(
      "LIMIT_EXCEEDED",
      `${path} has ${archive.bytes} bytes of arrays; at most ${bytesMax} are read into memory`,
    );
  }
  const arrays = new Map<string, NpyArray>();
  for (const name of archive.names) {
    await archive.check(name);
    const reader = archive.openArray(name);
    try {
      arrays.set(name, reader.readAll());
    } finally {
      reader.close();
    }
  }
  return arrays;
}

/**
 * Writes an archive that numpy.load reads, whole or not at all. The same arrays in the same order
 * give the same bytes.
 *
 * @throws ShardpoolError DISK_FULL or WRITE_FAILED.
 */
export async function writeNpz(path: string, arrays: ReadonlyMap<string, NpyArray>): Promise<void> {
  const inputs = [...arrays].map(([name, array]) => toZipInput(name, array));
  await writeWhole(path, (partialPath) => writeZip(partialPath, inputs));
}

function toZipInput(name: string, array: NpyArray): ZipInput {
  const header = formatNpyHeader(array.dtype, array.shape);
  const data = bytesOf(array.data);
  return {
    name: `${name}${SUFFIX}`,
    bytes: header.length + data.length,
    *chunks() {
      yield header;
      for (let start = 0; start < data.length; start += WRITE_CHUNK_BYTES) {
        yield data.subarray(start, start + WRITE_CHUNK_BYTES);
      }
    },
  };
}
