import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { DTYPES, type Dtype, rowBytesOf } from "../../../lib/model/dtype.js";
import { decodeRows, encodeRows } from "../../../lib/model/row-codec.js";
import { Random } from "../../../lib/random.js";
import {
  createKernels,
  KERNEL_RESERVED_BYTES,
  poolKernelsFor,
} from "../../../shards/kernels/kernels.js";

const SEED_MAX = 2 ** 31;
const WIDE_DIMS = [64, 80, 96, 128, 130, 200, 256, 300, 515];

// Made once: every test lays it out anew.
const memory = new WebAssembly.Memory({ initial: 256, maximum: 256 });
const kernels = createKernels(memory);

describe("pooling kernels", () => {
  for (const dtype of DTYPES) {
    it(`sum ${dtype} rows of any dim as a plain loop does, bit for bit`, () => {
      fc.assert(
        fc.property(
          fc.oneof(fc.integer({ min: 1, max: 70 }), fc.constantFrom(...WIDE_DIMS)),
          fc.nat(SEED_MAX),
          fc.boolean(),
          (dim, seed, isWeighted) => {
            const random = new Random(seed, "case");
            assertPooled({ dtype, dim, ...randomBags(dim, isWeighted, random), random });
          },
        ),
        { numRuns: 300 },
      );
    });

    it(`sum ${dtype} rows of every dim from 1 to 70, and the usual wide ones`, () => {
      for (const dim of [...Array.from({ length: 70 }, (_, i) => i + 1), 128, 256]) {
        for (const isWeighted of [false, true]) {
          const random = new Random(dim, "dims");
          assertPooled({ dtype, dim, ...randomBags(dim, isWeighted, random), random });
        }
      }
    });

    it(`go on from sums in ${dtype} that earlier passes left`, () => {
      for (const isWeighted of [false, true]) {
        for (const start of [1e-30, 1.1e-6, 0.1, -12345.678, 3e38, Number.POSITIVE_INFINITY, -0]) {
          const random = new Random(7, "passes");
          const bags = randomBags(37, isWeighted, random);
          assertPooled({ dtype, dim: 37, ...bags, random, start });
        }
      }
    });

    it(`sum ${dtype} bags longer than a group of rows`, () => {
      const random = new Random(3, "long");
      const lengths = [3, 9000, 0, 2500];
      const weights = Float32Array.from({ length: 11_503 }, () => random.nextNormal());
      for (const dim of [1, 16]) {
        assertPooled({ dtype, dim, lengths, random });
        assertPooled({ dtype, dim, lengths, weights, random });
      }
    });
  }

  it("give every float16 as the float32 it is", () => {
    // One row a word, the word in all columns: wide, narrow and single walks meet every value.
    const dim = 23;
    for (let first = 0; first < 65536; first += 4096) {
      const rows = new Uint16Array(4096 * dim);
      for (let i = 0; i < 4096; i++) rows.fill(first + i, i * dim, (i + 1) * dim);
      const lengths = new Array<number>(4096).fill(1);
      const rowIds = Uint32Array.from(lengths, (_, i) => i);
      const bytes = new Uint8Array(rows.buffer);

      for (const weights of [undefined, new Float32Array(4096).fill(1)]) {
        const pooled = runKernel({ dtype: "float16", dim, bytes, lengths, rowIds, weights });

        const expected = new Float32Array(rows.length);
        decodeRows("float16", dim, bytes, expected);
        // -0 added to the 0 of an empty sum is 0.
        assertSameBits(
          pooled,
          expected.map((value) => value + 0),
        );
      }
    }
  });

  it("sum infinite and NaN float16 values with finite ones", () => {
    const words = [0x7c00, 0xfc00, 0x7e01, 0x3c00, 0x0001, 0x8001, 0x7bff];
    const random = new Random(5, "words");
    const dim = 33;
    const rows = Uint16Array.from(
      { length: 40 * dim },
      () => words[random.nextFloat() < 0.02 ? random.nextBelow(3) : 3 + random.nextBelow(4)]!,
    );
    const bytes = new Uint8Array(rows.buffer);
    const lengths = [5, 0, 20, 15];
    const rowIds = Uint32Array.from({ length: 40 }, (_, i) => i);
    const weights = Float32Array.from(rowIds, (i) => i - 20);
    for (const given of [undefined, weights]) {
      const input = { dtype: "float16" as const, dim, bytes, lengths, rowIds, weights: given };

      assertSameBits(runKernel(input), plainSums(input));
    }
  });

  it("sum int8 and int4 rows of one constant value, and of extreme scales", () => {
    for (const dtype of ["int8", "int4"] as const) {
      for (const value of [0, -3.5, 1e-38, 6e4]) {
        const dim = 21;
        const bytes = new Uint8Array(2 * rowBytesOf(dtype, dim));
        encodeRows(dtype, dim, new Float32Array(2 * dim).fill(value), bytes);
        const input = { dtype, dim, bytes, lengths: [2], rowIds: Uint32Array.of(0, 1) };

        assert.deepEqual(
          runKernel({ ...input, weights: undefined }),
          plainSums({ ...input, weights: undefined }),
        );
      }
    }
  });
});

describe("copyRows()", () => {
  it("copies rows of any size, repeats too, and nothing beside them", () => {
    const bytes = new Uint8Array(memory.buffer);
    const uint32 = new Uint32Array(memory.buffer);
    for (const rowBytes of [1, 5, 16, 36, 64, 72, 100, 256, 512, 1040]) {
      const addressesPtr = KERNEL_RESERVED_BYTES;
      const rowsPtr = addressesPtr + 4096;
      const outPtr = rowsPtr + 300 * rowBytes + 64;
      bytes.fill(0xee, outPtr - 16, outPtr + 301 * rowBytes + 16);
      for (let i = 0; i < 300 * rowBytes; i++) bytes[rowsPtr + i] = (i * 7 + (i >> 8)) & 0xff;
      const rowIds = Array.from({ length: 300 }, (_, i) => (i * i) % 300);
      for (const [i, id] of rowIds.entries()) {
        uint32[(addressesPtr >> 2) + i] = rowsPtr + id * rowBytes;
      }

      kernels.copyRows(addressesPtr, rowIds.length, outPtr, rowBytes);

      for (const [i, id] of rowIds.entries()) {
        assert.deepEqual(
          bytes.subarray(outPtr + i * rowBytes, outPtr + (i + 1) * rowBytes),
          bytes.subarray(rowsPtr + id * rowBytes, rowsPtr + (id + 1) * rowBytes),
        );
      }
      assert.equal(bytes[outPtr - 1], 0xee);
      assert.equal(bytes[outPtr + 300 * rowBytes], 0xee);
    }
  });
});

/** Strict equality compares bytes; which bits a NaN has is nobody's promise. */
function assertSameBits(actual: Float32Array, expected: Float32Array): void {
  const withOneNan = (values: Float32Array): Float32Array =>
    values.map((value) => (Number.isNaN(value) ? Number.NaN : value));
  assert.deepEqual(withOneNan(actual), withOneNan(expected));
}

interface Bags {
  readonly lengths: readonly number[];
  readonly weights?: Float32Array | undefined;
}

/** A few bags, some of them empty; weights are negative, 0 and -0 too. */
function randomBags(dim: number, isWeighted: boolean, random: Random): Bags {
  const lengthMax = dim > 100 ? 8 : 30;
  const lengths = Array.from({ length: 1 + random.nextBelow(5) }, () =>
    random.nextFloat() < 0.3 ? 0 : random.nextBelow(lengthMax),
  );
  if (!isWeighted) return { lengths };
  const valueCount = lengths.reduce((sum, length) => sum + length, 0);
  const weights = Float32Array.from({ length: valueCount }, () => {
    const draw = random.nextFloat();
    return draw < 0.1 ? 0 : draw < 0.2 ? -0 : random.nextNormal() * 10 ** random.nextBelow(5);
  });
  return { lengths, weights };
}

interface PoolCase extends Bags {
  readonly dtype: Dtype;
  readonly dim: number;
  readonly random: Random;
  readonly start?: number;
}

function assertPooled({ dtype, dim, lengths, weights, random, start = 0 }: PoolCase): void {
  const rowCount = 1 + random.nextBelow(12);
  const values = Float32Array.from({ length: rowCount * dim }, () => random.nextNormal());
  const bytes = new Uint8Array(rowCount * rowBytesOf(dtype, dim));
  encodeRows(dtype, dim, values, bytes);
  const valueCount = lengths.reduce((sum, length) => sum + length, 0);
  const rowIds = Uint32Array.from({ length: valueCount }, () => random.nextBelow(rowCount));
  const input = { dtype, dim, bytes, lengths, rowIds, weights, start };

  assert.deepEqual(runKernel(input), plainSums(input), `${dtype}, dim ${dim}`);
}

interface KernelInput {
  readonly dtype: Dtype;
  readonly dim: number;
  readonly bytes: Uint8Array;
  readonly lengths: readonly number[];
  readonly rowIds: Uint32Array;
  readonly weights: Float32Array | undefined;
  /** What is in `out` before. */
  readonly start?: number;
}

function runKernel(input: KernelInput): Float32Array {
  const { dtype, dim, bytes, lengths, rowIds, weights, start = 0 } = input;
  const rowBytes = rowBytesOf(dtype, dim);
  const addressesPtr = KERNEL_RESERVED_BYTES;
  const weightsPtr = addressesPtr + rowIds.length * 4;
  const lengthsPtr = weightsPtr + rowIds.length * 4;
  const outPtr = lengthsPtr + lengths.length * 4;
  const outCount = lengths.length * dim;
  // One past a multiple of 4: rows may start anywhere.
  const rowsPtr = outPtr + outCount * 4 + 1;
  new Uint8Array(memory.buffer).set(bytes, rowsPtr);
  const addresses = new Uint32Array(memory.buffer, addressesPtr, rowIds.length);
  rowIds.forEach((id, i) => {
    addresses[i] = rowsPtr + id * rowBytes;
  });
  new Uint32Array(memory.buffer, lengthsPtr, lengths.length).set(lengths);
  if (weights) new Float32Array(memory.buffer, weightsPtr, weights.length).set(weights);
  const out = new Float32Array(memory.buffer, outPtr, outCount).fill(start);

  const { sum, weightedSum } = poolKernelsFor(kernels, dtype);
  const kernel = weights ? weightedSum : sum;
  kernel(addressesPtr, lengthsPtr, lengths.length, outPtr, dim, weights ? weightsPtr : 0);
  return out.slice();
}

/** The definition: bag order, float32, one accumulator a column, the product rounded first. */
function plainSums(input: KernelInput): Float32Array {
  const { dtype, dim, bytes, lengths, rowIds, weights, start = 0 } = input;
  const decoded = new Float32Array((bytes.length / rowBytesOf(dtype, dim)) * dim);
  decodeRows(dtype, dim, bytes, decoded);
  const out = new Float32Array(lengths.length * dim).fill(start);
  let at = 0;
  lengths.forEach((length, bag) => {
    for (let i = 0; i < length; i++, at++) {
      for (let column = 0; column < dim; column++) {
        const value = decoded[rowIds[at]! * dim + column]!;
        const term = weights ? Math.fround(weights[at]! * value) : value;
        out[bag * dim + column] = Math.fround(out[bag * dim + column]! + term);
      }
    }
  });
  return out;
}
