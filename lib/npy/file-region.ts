import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { fromFileError, ShardpoolError } from "../errors.js";

/** Node refuses reads of 2 GiB and more in one call. */
const READ_BYTES_MAX = 2 ** 30;

/** Part of a file: a member of an archive, or all of it. */
export interface Region {
  readonly offset: number;
  readonly bytes: number;
}

/**
 * A run of bytes of a file, open for reading at any place. Reads are synchronous: their callers are
 * tools that stream, and the slow oracle. Whoever opens it closes it.
 */
export class FileRegion {
  readonly path: string;
  /** Size of the region. */
  readonly bytes: number;
  readonly #fd: number;
  readonly #offset: number;
  #isOpen = true;

  private constructor(path: string, fd: number, region: Region) {
    this.path = path;
    this.bytes = region.bytes;
    this.#fd = fd;
    this.#offset = region.offset;
  }

  /**
   * Opens a file, or the part of it that `region` names.
   *
   * @throws ShardpoolError FILE_NOT_FOUND or FILE_UNREADABLE; FILE_CORRUPT when the region does not
   *   lie inside the file.
   */
  static open(path: string, region?: Region): FileRegion {
    const fd = openFile(path);
    const fileBytes = fstatSync(fd).size;
    const { offset, bytes } = region ?? { offset: 0, bytes: fileBytes };
    if (offset + bytes > fileBytes) {
      closeSync(fd);
      throw new ShardpoolError(
        "FILE_CORRUPT",
        `${path} has ${fileBytes} bytes, bytes ${offset} to ${offset + bytes} are wanted`,
      );
    }
    return new FileRegion(path, fd, { offset, bytes });
  }

  /**
   * Fills `out` with the bytes from `position` of the region on.
   *
   * @throws ShardpoolError FILE_CORRUPT when the file has become shorter than it was.
   * @throws RangeError when that is not inside the region.
   */
  read(position: number, out: Uint8Array): void {
    if (!this.#isOpen) throw new TypeError(`${this.path} is closed`);
    if (position < 0 || position + out.length > this.bytes) {
      throw new RangeError(
        `bytes ${position} to ${position + out.length} of ${this.bytes} in ${this.path}`,
      );
    }
    let done = 0;
    while (done < out.length) {
      const length = Math.min(out.length - done, READ_BYTES_MAX);
      const got = readSync(this.#fd, out, done, length, this.#offset + position + done);
      if (got === 0) {
        throw new ShardpoolError(
          "FILE_CORRUPT",
          `${this.path} ends ${out.length - done} bytes early: it was cut while it was read`,
        );
      }
      done += got;
    }
  }

  /** Closes the file; harmless when it is closed. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.#fd);
  }
}

function openFile(path: string): number {
  try {
    const fd = openSync(path, "r");
    if (!fstatSync(fd).isDirectory()) return fd;
    closeSync(fd);
  } catch (error) {
    throw fromFileError(error, path);
  }
  throw new ShardpoolError("FILE_UNREADABLE", `${path} is a folder`);
}
