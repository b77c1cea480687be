/** Buffers smaller than this come cheaper from Node's own pool. */
const BYTES_MIN = 16 * 1024;
/** Larger ones are too rare to keep. */
const BYTES_MAX = 8 * 1024 * 1024;
/** Of all that is kept. */
const KEPT_BYTES_MAX = 32 * 1024 * 1024;

/**
 * Memory for messages that goes round. V8 counts the bytes of buffers that wait to be collected, and
 * marks its whole heap for every 64 MiB of them: some 40 ms, and code that was compiled for shapes no
 * live object has is thrown away with them. A frontend makes that much in 30 queries.
 */
export class BytePool {
  /** By the logarithm of their size. */
  readonly #free: ArrayBuffer[][] = [];
  #keptBytes = 0;

  /** A buffer with at least so many bytes, at a multiple of 8 in its memory; contents are left over. */
  take(bytes: number): Buffer {
    if (bytes < BYTES_MIN) return takeSmall(bytes);
    if (bytes > BYTES_MAX) return Buffer.allocUnsafeSlow(bytes);
    const size = 2 ** Math.ceil(Math.log2(bytes));
    const kept = this.#free[Math.log2(size)]?.pop();
    if (kept === undefined) return Buffer.allocUnsafeSlow(size);
    this.#keptBytes -= size;
    return Buffer.from(kept);
  }

  /** Gives the memory of a buffer back; nobody may hold a view of it. Any other memory is left alone. */
  give({ buffer }: Uint8Array): void {
    const size = buffer.byteLength;
    const level = Math.log2(size);
    const isOurs = Number.isInteger(level) && size >= BYTES_MIN && size <= BYTES_MAX;
    if (!isOurs || this.#keptBytes + size > KEPT_BYTES_MAX) return;
    this.#free[level] ??= [];
    this.#free[level].push(buffer as ArrayBuffer);
    this.#keptBytes += size;
  }
}

/** Node's own slices start at multiples of 8 only by its habit. */
function takeSmall(bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytes);
  return buffer.byteOffset % 8 === 0 ? buffer : Buffer.allocUnsafeSlow(bytes);
}

/** What gives a frame's memory back when it has been sent; undefined for one too small to go round. */
export function giveBack(frame: Uint8Array): (() => void) | undefined {
  return frame.buffer.byteLength < BYTES_MIN ? undefined : () => messagePool.give(frame);
}

/** The one of this thread, for what crosses the wire. */
export const messagePool = new BytePool();
