import fc from "fast-check";
import { ShardpoolError } from "../../lib/errors.js";
import type { GoldenRequests } from "../../lib/model/golden.js";
import type { ModelManifest } from "../../lib/model/manifest.js";
import { readInferInputs } from "../../services/frontend/infer-inputs.js";
import { readInferOptions } from "../../services/frontend/infer-options.js";
import { decodeModelInferRequest } from "../../services/frontend/infer-request-codec.js";
import { type InputTensor, readInputTensors } from "../../services/frontend/input-tensor.js";
import { RangePolicy } from "../../services/frontend/range-policy.js";
import { readRestRequest } from "../../services/frontend/rest-request.js";
import { assertServed, type ServedModel } from "../../services/frontend/served-model.js";
import { encodeMessage, goldenMessage, type InferMessage } from "./infer-message.js";

/** One change of a byte string; positions are shares of its length. */
interface Mutation {
  readonly kind: "flip" | "set" | "insert" | "remove" | "repeat" | "cut";
  readonly at: number;
  readonly length: number;
  readonly byte: number;
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom("flip", "set", "insert", "remove", "repeat", "cut"),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.integer({ min: 1, max: 12 }),
  // Ends of ranges and continued varints break more than the bytes between.
  byte: fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 0x7f, 0x80, 0xff)),
});

function mutate(bytes: Buffer, { kind, at, length, byte }: Mutation): Buffer {
  const start = Math.min(bytes.length, Math.floor(at * (bytes.length + 1)));
  const before = bytes.subarray(0, start);
  const chunk = bytes.subarray(start, start + length);
  const after = bytes.subarray(start + length);
  switch (kind) {
    case "flip":
      return Buffer.concat([before, Buffer.from(chunk.map((value) => value ^ (byte | 1))), after]);
    case "set":
      return Buffer.concat([before, Buffer.alloc(chunk.length, byte), after]);
    case "insert":
      return Buffer.concat([before, Buffer.alloc(length, byte), chunk, after]);
    case "remove":
      return Buffer.concat([before, after]);
    case "repeat":
      return Buffer.concat([before, chunk, chunk, after]);
    case "cut":
      return Buffer.from(before);
  }
}

const mutations = fc.array(mutation, { minLength: 0, maxLength: 4 });

/** A golden request with numbers and words changed while it is still a message. */
function changedMessage(golden: GoldenRequests): fc.Arbitrary<InferMessage> {
  const size = fc.oneof(
    fc.integer({ min: -2, max: 40 }),
    fc.constantFrom(2 ** 31, 2 ** 53, -(2 ** 40)),
  );
  return fc
    .record({
      form: fc.constantFrom("raw" as const, "typed" as const),
      idType: fc.constantFrom("INT32" as const, "INT64" as const),
      name: fc.constantFrom("dense", "lengths", "values", "weights", "ids", "", "__proto__"),
      datatype: fc.constantFrom("FP32", "INT32", "INT64", "BYTES", ""),
      shape: fc.array(size, { maxLength: 4 }),
      target: fc.nat({ max: 2 }),
      what: fc.oneof(
        fc.constant("nothing" as const),
        fc.constantFrom("name", "datatype", "shape", "drop", "twice", "output"),
      ),
    })
    .map(({ form, idType, name, datatype, shape, target, what }) => {
      const message = goldenMessage(golden, form, idType);
      const input = message.inputs[target]!;
      if (what === "name") input.name = name;
      if (what === "datatype") input.datatype = datatype;
      if (what === "shape") input.shape = shape;
      if (what === "drop") message.inputs.splice(target, 1);
      if (what === "twice") message.inputs.push(input);
      if (what === "output") message.outputs = [{ name }];
      return message;
    });
}

/** Serialised `ModelInferRequest`s that went through a mutator. */
export function mutatedMessages(golden: GoldenRequests): fc.Arbitrary<Buffer> {
  return fc
    .tuple(changedMessage(golden), mutations)
    .map(([message, changes]) => changes.reduce(mutate, encodeMessage(message)));
}

export interface MutatedBody {
  readonly body: Buffer;
  readonly headerLength: string | undefined;
}

/** Bodies of the REST twin, JSON alone and with binary data, that went through a mutator. */
export function mutatedBodies(golden: GoldenRequests): fc.Arbitrary<MutatedBody> {
  return fc
    .tuple(changedMessage(golden), mutations, fc.integer({ min: -3, max: 3 }))
    .map(([message, changes, shift]) => {
      const { json, binary } = restBody(message);
      const body = changes.reduce(mutate, Buffer.concat([json, binary]));
      const headerLength = message.rawInputContents ? String(json.length + shift) : undefined;
      return { body, headerLength };
    });
}

function restBody({ inputs, rawInputContents, outputs }: InferMessage) {
  const json = JSON.stringify({
    id: "m",
    inputs: inputs.map(({ contents, ...input }, i) => ({
      ...input,
      ...(contents
        ? { data: Object.values(contents)[0] }
        : { parameters: { binary_data_size: rawInputContents?.[i]?.length ?? 0 } }),
    })),
    ...(outputs && { outputs }),
  });
  return { json: Buffer.from(json), binary: Buffer.concat(rawInputContents ?? []) };
}

/** Everything a query goes through before it is queued, without a server. */
export class DecodePath {
  readonly #model: ServedModel;
  readonly #policy: RangePolicy;

  constructor(manifest: ModelManifest) {
    this.#model = {
      manifest,
      pooledWidth: 12,
      hasLogit: true,
      sampleCountMax: 64,
      valueCountMax: 4096,
    };
    this.#policy = new RangePolicy(manifest);
  }

  /** @returns True when the query would be answered, false when it is refused by a code. */
  takeMessage(bytes: Uint8Array): boolean {
    return this.#take(() => {
      const request = decodeModelInferRequest(bytes);
      assertServed(this.#model, request.modelName, request.modelVersion);
      readInferOptions(this.#model, request.outputs, request.parameters);
      return readInputTensors(request);
    });
  }

  takeBody({ body, headerLength }: MutatedBody): boolean {
    return this.#take(() => {
      const request = readRestRequest(body, headerLength, 1 << 20);
      readInferOptions(this.#model, request.outputs, request.parameters);
      return request.tensors;
    });
  }

  #take(read: () => ReadonlyMap<string, InputTensor>): boolean {
    try {
      this.#policy.apply(readInferInputs(this.#model, read()).batch);
      return true;
    } catch (error) {
      if (error instanceof ShardpoolError && EXPECTED.includes(error.code)) return false;
      throw error;
    }
  }
}

const EXPECTED: readonly string[] = [
  ...["REQUEST_INVALID", "ROW_OUT_OF_RANGE", "MODEL_NOT_FOUND", "LIMIT_EXCEEDED"],
];
