import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ShardpoolError } from "../../../../lib/errors.js";
import {
  OpaqueValue,
  type PickleDict,
  TensorReference,
} from "../../../../tools/model/import/pickle-values.js";
import { unpickle } from "../../../../tools/model/import/unpickle.js";
import { tempFolder } from "../../../support/temp-folder.js";

const PROTO = "\x80\x02";

/** A pickle from its opcodes, one character a byte. */
function pickle(...parts: readonly string[]): Uint8Array {
  return Buffer.from(parts.join(""), "latin1");
}

function text(value: string): string {
  return `X${String.fromCharCode(value.length)}\0\0\0${value}`;
}

/** `torch._utils._rebuild_tensor_v2(storage, offset, (rows, columns), (columns, 1), False, …)`. */
function tensor(elementCount: number, offset: number, rows: number, columns: number): string {
  const byte = (value: number): string => `K${String.fromCharCode(value)}`;
  const storage = `(${text("storage")}ctorch\nFloatStorage\n${text("0")}${text("cpu")}${byte(elementCount)}tQ`;
  const shape = `${byte(rows)}${byte(columns)}\x86`;
  const strides = `${byte(columns)}${byte(1)}\x86`;
  return `ctorch._utils\n_rebuild_tensor_v2\n(${storage}${byte(offset)}${shape}${strides}\x89ccollections\nOrderedDict\n)RtR`;
}

describe("unpickle()", () => {
  it("reads plain values and containers", () => {
    const value = unpickle(
      pickle(
        PROTO,
        "}(",
        text("a"),
        "K\x05",
        text("b"),
        "](K\x01M\x02\x01J\xff\xff\xff\xffe",
        "u.",
      ),
      "test",
    );

    assert.deepEqual(
      value,
      new Map<string, unknown>([
        ["a", 5],
        ["b", [1, 258, -1]],
      ]),
    );
  });

  it("reads a tensor as a view of its storage", () => {
    const dict = unpickle(pickle(PROTO, "}", text("w"), tensor(12, 4, 2, 4), "s."), "test");
    const found = (dict as PickleDict).get("w");

    assert.ok(found instanceof TensorReference);
    assert.deepEqual(
      [found.storage.key, found.storage.dtype, found.offset, found.shape, found.isContiguous],
      ["0", "float32", 4, [2, 4], true],
    );
  });

  it("refuses a tensor that reaches past its storage", () => {
    assert.throws(() => unpickle(pickle(PROTO, tensor(11, 4, 2, 4), "."), "test"), {
      code: "FILE_CORRUPT",
    });
  });

  it("takes a numpy scalar for what it is: of no use", () => {
    const value = unpickle(
      pickle(
        PROTO,
        "cnumpy.core.multiarray\nscalar\n",
        "cnumpy\ndtype\n",
        text("f8"),
        "\x85R",
        "\x85R.",
      ),
      "test",
    );

    assert.ok(value instanceof OpaqueValue);
  });

  it("remembers and repeats values", () => {
    assert.deepEqual(unpickle(pickle(PROTO, "](", text("x"), "q\x03h\x03e."), "test"), ["x", "x"]);
  });
});

describe("a hostile pickle", () => {
  const folder = tempFolder();
  const proof = join(folder, "proof");

  const hostile: Readonly<Record<string, Uint8Array>> = {
    "os.system": pickle(PROTO, "cos\nsystem\n", text(`touch ${proof}`), "\x85R."),
    "posix.system by name from the stack": pickle(
      "\x80\x04\x8c\x05posix\x8c\x06system\x93",
      text(`touch ${proof}`),
      "\x85R.",
    ),
    "builtins.eval": pickle(PROTO, "cbuiltins\neval\n", text("1+1"), "\x85R."),
    "a class of a subprocess": pickle(PROTO, "csubprocess\nPopen\n)\x81."),
    "torch.load again": pickle(PROTO, "ctorch\nload\n", text("x"), "\x85R."),
    "getattr on a listed name": pickle(PROTO, "c__builtin__\ngetattr\n."),
    "a name with dots in it": pickle(PROTO, "ctorch\nFloatStorage.from_file\n."),
    "INST of a class": pickle("(ios\nsystem\n."),
    "OBJ of a class": pickle("(cos\nsystem\no."),
    "an extension registry code": pickle(PROTO, "\x82\x01."),
  };

  for (const [name, bytes] of Object.entries(hostile)) {
    it(`is refused and runs nothing: ${name}`, () => {
      assert.throws(() => unpickle(bytes, "test"), { code: "FORMAT_UNSUPPORTED" });
      assert.equal(existsSync(proof), false);
    });
  }

  it("is told by the name it wanted", () => {
    assert.throws(() => unpickle(hostile["os.system"]!, "model.pt"), {
      message: /model\.pt: the pickle names os\.system/,
    });
  });

  it("cannot call a storage class or a value", () => {
    for (const bytes of [
      pickle(PROTO, "ctorch\nFloatStorage\n)R."),
      pickle(PROTO, "K\x01)R."),
      pickle(PROTO, "K\x01}b."),
    ]) {
      assert.throws(() => unpickle(bytes, "test"), { code: "FILE_CORRUPT" });
    }
  });
});

describe("a damaged pickle", () => {
  const whole = pickle(PROTO, "}(", text("w"), tensor(12, 4, 2, 4), text("n"), "K\x05", "u.");

  it("is a coded error wherever it is cut", () => {
    for (let length = 0; length < whole.length; length++) {
      assert.throws(() => unpickle(whole.subarray(0, length), "test"), ShardpoolError);
    }
  });

  it("is a value or a coded error whatever byte is changed", () => {
    const byte = fc.integer({ min: 0, max: 255 });
    const place = fc.nat(whole.length - 1);
    fc.assert(
      fc.property(place, byte, (position, value) => {
        const changed = Uint8Array.from(whole);
        changed[position] = value;
        try {
          unpickle(changed, "test");
        } catch (error) {
          assert.ok(error instanceof ShardpoolError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
