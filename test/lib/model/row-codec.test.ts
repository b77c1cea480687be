import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { DTYPES, type Dtype, rowBytesOf } from "../../../lib/model/dtype.js";
import { float16ToFloat32 } from "../../../lib/model/float16.js";
import { decodeRows, encodeRows } from "../../../lib/model/row-codec.js";

const anyRow = fc.float32Array({ minLength: 1, maxLength: 40, min: -100, max: 100, noNaN: true });

describe("encodeRows() and decodeRows()", () => {
  it("keeps float32 rows bit by bit", () => {
    fc.assert(
      fc.property(anyRow, (row) => {
        assert.deepEqual(roundTrip("float32", row), row);
      }),
    );
  });

  it("keeps float16 rows that are float16 already", () => {
    fc.assert(
      fc.property(fc.uint16Array({ minLength: 1, maxLength: 40, max: 0x7bff }), (bits) => {
        const row = Float32Array.from(bits, float16ToFloat32);

        assert.deepEqual(roundTrip("float16", row), row);
      }),
    );
  });

  it("keeps int8 values within half a step, and the minimum exactly", () => {
    fc.assert(
      fc.property(anyRow, (row) => {
        const back = roundTrip("int8", row);
        const min = Math.min(...row);
        const step = (Math.max(...row) - min) / 255;

        for (const [i, value] of row.entries()) {
          assert.ok(Math.abs(back[i]! - value) <= step * 0.501 + 1e-5, `${value} → ${back[i]}`);
        }
        assert.ok(step < 1e-6 || back[row.indexOf(min)] === min);
      }),
    );
  });

  it("keeps int4 values within half a step and the rounding of bias and scale to float16", () => {
    fc.assert(
      fc.property(anyRow, (row) => {
        const back = roundTrip("int4", row);
        const min = Math.min(...row);
        const range = Math.max(...row) - min;
        const errorMax = range / 30 + (range + Math.abs(min)) * 2 ** -10 + 2e-5;

        for (const [i, value] of row.entries()) {
          assert.ok(Math.abs(back[i]! - value) <= errorMax, `${value} → ${back[i]}`);
        }
      }),
    );
  });

  it("encodes each row for itself, at any alignment of the bytes", () => {
    for (const dtype of DTYPES) {
      const rows = Float32Array.of(1, 2, 4, -8, 0.5, 0.25);
      const rowBytes = rowBytesOf(dtype, 3);
      const apart = [rows.subarray(0, 3), rows.subarray(3)].map((row) => encoded(dtype, row));
      const together = new Uint8Array(2 * rowBytes + 1).subarray(1);
      const back = new Float32Array(6);

      encodeRows(dtype, 3, rows, together);
      decodeRows(dtype, 3, together, back);

      assert.deepEqual(together, Uint8Array.from([...apart[0]!, ...apart[1]!]));
      assert.deepEqual(
        [...back],
        apart.flatMap((row) => [...decoded(dtype, 3, row)]),
      );
    }
  });
});

describe("encodeRows()", () => {
  it("lays an int8 row out as values, float32 scale, float32 bias", () => {
    const bytes = encoded("int8", Float32Array.of(-64, -3, 62, 191));
    const view = new DataView(bytes.buffer);

    assert.deepEqual([...bytes.subarray(0, 4)], [0, 61, 126, 255]);
    assert.equal(view.getFloat32(4, true), 1);
    assert.equal(view.getFloat32(8, true), -64);
  });

  it("lays an int4 row out as nibbles, low first, float16 scale, float16 bias", () => {
    const bytes = encoded("int4", Float32Array.of(-4, -3, 6, 11, 2));

    assert.deepEqual([...bytes], [0x10, 0xfa, 0x06, 0x00, 0x3c, 0x00, 0xc4]);
  });

  it("rounds halves to the even value, as lrintf does", () => {
    const row = Float32Array.of(0, 0.5, 1.5, 2.5, 255);

    assert.deepEqual([...encoded("int8", row).subarray(0, 5)], [0, 0, 2, 2, 255]);
  });

  it("gives a constant row back exactly", () => {
    for (const dtype of DTYPES) {
      const row = new Float32Array(7).fill(-2.5);

      assert.deepEqual(roundTrip(dtype, row), row, dtype);
    }
  });

  it("takes scale 1 for an int4 row whose scale would round to zero", () => {
    const bytes = encoded("int4", Float32Array.of(0, 1e-7));

    assert.deepEqual([...bytes], [0x00, 0x00, 0x3c, 0x00, 0x00]);
  });

  it("refuses what a dtype cannot hold, naming the row", () => {
    const refused: [Dtype, number][] = [
      ["float32", Number.NaN],
      ["float32", Number.NEGATIVE_INFINITY],
      ["float16", 65520],
      ["float16", Number.NaN],
      ["int8", Number.NaN],
      ["int8", Number.POSITIVE_INFINITY],
      ["int4", 2e6],
      ["int4", -65520],
      ["int4", Number.NaN],
    ];

    for (const [dtype, value] of refused) {
      const rows = Float32Array.of(1, 2, 3, value);
      const out = new Uint8Array(2 * rowBytesOf(dtype, 2));

      assert.throws(
        () => encodeRows(dtype, 2, rows, out, 100),
        { code: "MODEL_INVALID", message: /row 101/ },
        `${dtype} ${value}`,
      );
    }
  });

  it("refuses an int8 row whose range overflows float32", () => {
    const row = Float32Array.of(-3e38, 3e38);

    assert.throws(() => encoded("int8", row), { code: "MODEL_INVALID" });
  });
});

describe("decodeRows()", () => {
  it("rounds the product before it adds the bias", () => {
    // 3 * 0.1f is exact in 26 bits: without the rounding between, the sum is another float32.
    const scale = Math.fround(0.1);
    const bias = Math.fround(-0.3);
    const bytes = new Uint8Array(9);
    bytes[0] = 3;
    new DataView(bytes.buffer).setFloat32(1, scale, true);
    new DataView(bytes.buffer).setFloat32(5, bias, true);

    const [value] = decoded("int8", 1, bytes);

    assert.equal(value, Math.fround(Math.fround(3 * scale) + bias));
    assert.notEqual(value, Math.fround(3 * scale + bias));
  });

  it("refuses bytes that are not whole rows", () => {
    assert.throws(() => decodeRows("int8", 4, new Uint8Array(13), new Float32Array(4)));
    assert.throws(() => decodeRows("float32", 4, new Uint8Array(20), new Float32Array(5)));
  });
});

function encoded(dtype: Dtype, row: Float32Array): Uint8Array {
  const bytes = new Uint8Array(rowBytesOf(dtype, row.length));
  encodeRows(dtype, row.length, row, bytes);
  return bytes;
}

function decoded(dtype: Dtype, embeddingDim: number, bytes: Uint8Array): Float32Array {
  const row = new Float32Array(embeddingDim);
  decodeRows(dtype, embeddingDim, bytes, row);
  return row;
}

function roundTrip(dtype: Dtype, row: Float32Array): Float32Array {
  return decoded(dtype, row.length, encoded(dtype, row));
}
