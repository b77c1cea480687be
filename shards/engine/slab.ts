import { createKernels, KERNEL_RESERVED_BYTES, type Kernels } from "../kernels/kernels.js";

const PAGE_BYTES = 64 * 1024;

/** One page short of 4 GiB, so that every offset and every view's length fits in 32 bits. */
export const SLAB_BYTES_MAX = 65535 * PAGE_BYTES;

/** Every area starts on a cache line. */
const ALIGNMENT_BYTES = 64;

/** Sizes of the areas in which one lookup at a time is worked on. */
export interface ScratchSizes {
  /** Values resolved at a time. */
  readonly valueCount: number;
  /** Bytes of sums worked on at a time; at least one bag of the widest partition. */
  readonly outBytes: number;
  /** Bytes of missed rows at hand at a time; at least one row of the widest partition. */
  readonly rowBytes: number;
}

/** Where the scratch areas of a slab start. */
export interface Scratch extends ScratchSizes {
  readonly positionsPtr: number;
  readonly addressesPtr: number;
  readonly missesPtr: number;
  readonly lengthsPtr: number;
  readonly lengthCount: number;
  readonly weightsPtr: number;
  readonly outPtr: number;
  readonly rowsPtr: number;
}

/** Hands out areas of a memory that is yet to be made. */
export class SlabLayout {
  #end = KERNEL_RESERVED_BYTES;

  /** The start of an area of `bytes`; areas never overlap. */
  reserve(bytes: number): number {
    const start = this.#end;
    this.#end = Math.ceil((start + bytes) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
    return start;
  }

  /** Bytes reserved so far. */
  get bytes(): number {
    return this.#end;
  }

  reserveScratch(sizes: ScratchSizes): Scratch {
    const { valueCount } = sizes;
    return {
      ...sizes,
      positionsPtr: this.reserve(valueCount * 4),
      addressesPtr: this.reserve(valueCount * 4),
      missesPtr: this.reserve(valueCount * 4),
      lengthsPtr: this.reserve(valueCount * 4),
      lengthCount: valueCount,
      weightsPtr: this.reserve(valueCount * 4),
      outPtr: this.reserve(sizes.outBytes),
      rowsPtr: this.reserve(sizes.rowBytes),
    };
  }
}

/** One WebAssembly memory with its kernels. Pages nobody has touched take no memory. */
export class KernelMemory {
  readonly bytes: Uint8Array;
  readonly uint32: Uint32Array;
  readonly kernels: Kernels;

  constructor(layout: SlabLayout) {
    if (layout.bytes > SLAB_BYTES_MAX) {
      throw new RangeError(`a slab of ${layout.bytes} bytes is over ${SLAB_BYTES_MAX}`);
    }
    const pages = Math.ceil(layout.bytes / PAGE_BYTES);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.bytes = new Uint8Array(memory.buffer);
    this.uint32 = new Uint32Array(memory.buffer);
    this.kernels = createKernels(memory);
  }
}

/** The memory that lookups are worked on in: scratch areas, and caches with their index. */
export class Slab extends KernelMemory {
  readonly float32: Float32Array;
  readonly scratch: Scratch;

  constructor(layout: SlabLayout, scratch: Scratch) {
    super(layout);
    this.float32 = new Float32Array(this.bytes.buffer);
    this.scratch = scratch;
  }
}
