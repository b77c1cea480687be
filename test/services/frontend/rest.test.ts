import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { ErrorCode } from "../../../lib/errors.js";
import type { GoldenRequests } from "../../../lib/model/golden.js";
import { rawBytes } from "../../support/infer-message.js";
import { policyPlan, writePolicyModel } from "../../support/policy-model.js";
import { type ServedPlan, servePlan } from "../../support/served-plan.js";
import { tempFolder } from "../../support/temp-folder.js";

const BODY_BYTES_MAX = 16 * 1024;
const INFER = "/v2/models/test/infer";

interface RestTensor {
  name: string;
  datatype: string;
  shape: number[];
  data?: unknown;
  parameters?: Record<string, unknown>;
}

interface RestMessage {
  id?: unknown;
  parameters?: unknown;
  inputs: RestTensor[];
  outputs?: { name: string; parameters?: Record<string, unknown> }[];
}

interface RestAnswer {
  readonly status: number;
  readonly json: Readonly<Record<string, unknown>>;
  /** What follows the JSON. */
  readonly binary: Buffer;
}

describe("the REST twin", () => {
  const folder = tempFolder();
  let served: ServedPlan;
  let golden: GoldenRequests;

  before(async () => {
    const model = await writePolicyModel(folder);
    golden = await model.readGolden();
    served = await servePlan(folder, `${folder}/policy-model`, policyPlan(model), {
      httpAddress: "127.0.0.1:0",
      messageBytesMax: BODY_BYTES_MAX,
      jsonBytesMax: BODY_BYTES_MAX / 2,
    });
  });

  after(() => served?.close());

  it("answers the golden requests in JSON", async () => {
    const message = {
      ...goldenJson(),
      id: "my-id",
      outputs: [{ name: "pooled" }, { name: "logit" }],
    };

    const { status, json } = await post(message);

    assert.equal(status, 200);
    assert.equal(json["id"], "my-id");
    assert.equal(json["model_name"], "test");
    assert.equal(json["model_version"], "1");
    assert.deepEqual(json["parameters"], { plan_epoch: 1, degraded: false, default_rows: 0 });
    const [pooled, logit] = json["outputs"] as RestTensor[];
    assert.deepEqual([pooled?.name, pooled?.datatype, pooled?.shape], ["pooled", "FP32", [3, 12]]);
    assertNear(pooled?.data as number[], golden.pooled);
    assertNear(logit?.data as number[], golden.logit!);
  });

  it("takes data nested as the shape is, and flat", async () => {
    const nested = goldenJson();
    const flat = nested.inputs[0]!.data as number[];
    nested.inputs[0]!.data = [flat.slice(0, 2), flat.slice(2, 4), flat.slice(4, 6)];

    const { json } = await post(nested);

    assertNear((json["outputs"] as RestTensor[])[0]!.data as number[], golden.probability);
  });

  it("takes and gives binary tensors, in JSON's company or alone", async () => {
    const { message, binary } = goldenBinary();
    message.outputs = [
      { name: "probability", parameters: { binary_data: true } },
      { name: "logit" },
      { name: "pooled", parameters: { binary_data: true } },
    ];

    const answer = await post(message, binary);

    assert.equal(answer.status, 200);
    const [probability, logit, pooled] = answer.json["outputs"] as RestTensor[];
    assert.deepEqual(probability?.parameters, { binary_data_size: 12 });
    assert.deepEqual(pooled?.parameters, { binary_data_size: 3 * 12 * 4 });
    assertNear(logit?.data as number[], golden.logit!);
    const floats = new Float32Array(Uint8Array.from(answer.binary).buffer);
    assertNear(floats.subarray(0, 3), golden.probability);
    assertNear(floats.subarray(3), golden.pooled);
  });

  it("gives every output as bytes when binary_data_output asks for it", async () => {
    const message = { ...goldenJson(), parameters: { binary_data_output: true } };

    const answer = await post(message);

    const floats = new Float32Array(Uint8Array.from(answer.binary).buffer);
    assertNear(floats, golden.probability);
  });

  it("serves metadata, health and statistics", async () => {
    assert.equal((await get("/v2")).json["name"], "shardpool");
    assert.deepEqual((await get("/v2/health/live")).json, { live: true });
    assert.deepEqual((await get("/v2/health/ready")).json, { ready: true });
    for (const path of ["/v2/models/test", "/v2/models/test/versions/1"]) {
      const { json } = await get(path);
      assert.deepEqual((json["inputs"] as RestTensor[])[2], {
        name: "values",
        datatype: "INT64",
        shape: [-1],
      });
      assert.deepEqual((await get(`${path}/ready`)).json, { name: "test", ready: true });
      const stats = (await get(`${path}/stats`)).json["model_stats"] as Record<string, unknown>[];
      assert.ok(Number(stats[0]!["inference_count"]) >= 0);
    }
    assert.ok(Array.isArray((await get("/v2/models/stats")).json["model_stats"]));
  });

  const refused: readonly {
    readonly what: string;
    readonly code: ErrorCode;
    readonly status?: number;
    readonly names: RegExp;
    readonly change: (message: RestMessage) => unknown;
  }[] = [
    {
      what: "neither data nor binary data",
      code: "REQUEST_INVALID",
      names: /dense: must have either/,
      change: ({ inputs }) => delete inputs[0]!.data,
    },
    {
      what: "both data and binary data",
      code: "REQUEST_INVALID",
      names: /dense: must have either/,
      change: ({ inputs }) => {
        inputs[0]!.parameters = { binary_data_size: 24 };
      },
    },
    {
      what: "more binary data than came",
      code: "REQUEST_INVALID",
      names: /dense: binary_data_size 24, 0 bytes are left/,
      change: ({ inputs }) => {
        delete inputs[0]!.data;
        inputs[0]!.parameters = { binary_data_size: 24 };
      },
    },
    {
      what: "too few numbers",
      code: "REQUEST_INVALID",
      names: /dense: 1 values/,
      change: ({ inputs }) => {
        inputs[0]!.data = [1];
      },
    },
    {
      what: "too many numbers",
      code: "REQUEST_INVALID",
      names: /dense: data has more than the shape's 6 values/,
      change: ({ inputs }) => {
        inputs[0]!.data = [1, 2, 3, 4, 5, 6, 7];
      },
    },
    {
      what: "a number that is text",
      code: "REQUEST_INVALID",
      names: /values: data must be numbers/,
      change: ({ inputs }) => {
        inputs[2]!.data = ["1"];
      },
    },
    {
      what: "an id with a fraction",
      code: "REQUEST_INVALID",
      names: /values: data has 1.5, must be whole numbers/,
      change: ({ inputs }) => {
        inputs[2]!.data = [1.5, 5, 5, 0, 1, 2, 19, 29, 7, 11];
      },
    },
    {
      what: "an id out of range",
      code: "ROW_OUT_OF_RANGE",
      names: /feature strict, sample 0/,
      change: ({ inputs }) => {
        inputs[2]!.data = [20, 5, 5, 0, 1, 2, 19, 29, 7, 11];
      },
    },
    {
      what: "a shape that is no list",
      code: "REQUEST_INVALID",
      names: /dense: shape must be an array/,
      change: ({ inputs }) => {
        inputs[0]!.shape = "3x2" as unknown as number[];
      },
    },
    {
      what: "inputs that are no list",
      code: "REQUEST_INVALID",
      names: /inputs: must be an array/,
      change: (message) => {
        message.inputs = {} as unknown as RestTensor[];
      },
    },
    {
      what: "an id that is no text",
      code: "REQUEST_INVALID",
      names: /id: must be a string/,
      change: (message) => {
        message.id = 7;
      },
    },
    {
      what: "data nested without end",
      code: "REQUEST_INVALID",
      names: /dense: data is nested too deep/,
      change: ({ inputs }) => {
        let data: unknown[] = [1];
        for (let depth = 0; depth < 20; depth++) data = [data];
        inputs[0]!.data = data;
      },
    },
    {
      what: "JSON over its limit",
      code: "LIMIT_EXCEEDED",
      status: 413,
      names: /bytes of JSON, at most 8192/,
      change: (message) => {
        message.parameters = { padding: "x".repeat(BODY_BYTES_MAX / 2) };
      },
    },
    {
      what: "a body over its limit",
      code: "LIMIT_EXCEEDED",
      status: 413,
      names: /larger than messageBytesMax, 16384 bytes/,
      change: (message) => {
        message.parameters = { padding: "x".repeat(BODY_BYTES_MAX) };
      },
    },
  ];

  for (const { what, code, status = 400, names, change } of refused) {
    it(`refuses ${what} by ${code}`, async () => {
      const message = goldenJson();
      change(message);

      const answer = await post(message);

      assert.equal(answer.json["code"], code);
      assert.match(String(answer.json["error"]), names);
      assert.equal(answer.status, status);
    });
  }

  it("refuses what is no JSON, unknown models, encodings and paths", async () => {
    const url = `http://${served.frontend.httpAddress}`;
    const ask = async (path: string, init: RequestInit) => {
      const response = await fetch(url + path, init);
      const json = (await response.json()) as Record<string, unknown>;
      return [response.status, json["code"]];
    };
    const method = "POST";
    const body = JSON.stringify(goldenJson());

    assert.deepEqual(await ask(INFER, { method, body: "no json" }), [400, "REQUEST_INVALID"]);
    assert.deepEqual(await ask(INFER, { method }), [400, "REQUEST_INVALID"]);
    assert.deepEqual(await ask("/v2/models/other/infer", { method, body }), [
      404,
      "MODEL_NOT_FOUND",
    ]);
    assert.deepEqual(await ask("/v2/models/test/versions/7", {}), [404, "MODEL_NOT_FOUND"]);
    assert.deepEqual(await ask("/v3", {}), [404, "REQUEST_INVALID"]);
    for (const headers of [
      { "content-encoding": "gzip" },
      { "inference-header-content-length": "999999" },
      { "inference-header-content-length": "all" },
    ]) {
      assert.deepEqual(await ask(INFER, { method, body, headers }), [400, "REQUEST_INVALID"]);
    }
  });

  it("refuses bytes that belong to no input", async () => {
    const answer = await post(goldenJson(), Buffer.from([1, 2, 3]));

    assert.equal(answer.json["code"], "REQUEST_INVALID");
    assert.match(String(answer.json["error"]), /3 bytes belong to no input/);
  });

  function goldenJson(): RestMessage {
    const { denseFeatures, batch, sampleCount } = golden;
    return {
      inputs: [
        { name: "dense", datatype: "FP32", shape: [sampleCount, 2], data: [...denseFeatures] },
        {
          ...{ name: "lengths", datatype: "INT32", shape: [batch.featureCount, sampleCount] },
          data: [...batch.lengths],
        },
        { name: "values", datatype: "INT64", shape: [10], data: [...batch.values] },
      ],
    };
  }

  function goldenBinary(): { message: RestMessage; binary: Buffer } {
    const { inputs } = goldenJson();
    const parts = inputs.map(({ datatype, data }) =>
      rawBytes(datatype as "FP32", data as number[]),
    );
    const message = {
      inputs: inputs.map(({ data, ...input }, i) => ({
        ...input,
        parameters: { binary_data_size: parts[i]!.length },
      })),
    };
    return { message, binary: Buffer.concat(parts) };
  }

  async function post(message: RestMessage, binary?: Buffer): Promise<RestAnswer> {
    const json = Buffer.from(JSON.stringify(message));
    const response = await fetch(`http://${served.frontend.httpAddress}${INFER}`, {
      method: "POST",
      body: binary ? Buffer.concat([json, binary]) : json,
      headers: binary ? { "inference-header-content-length": String(json.length) } : {},
    });
    return await readAnswer(response);
  }

  async function get(path: string): Promise<RestAnswer> {
    return await readAnswer(await fetch(`http://${served.frontend.httpAddress}${path}`));
  }
});

async function readAnswer(response: Response): Promise<RestAnswer> {
  const body = Buffer.from(await response.arrayBuffer());
  const jsonLength = Number(response.headers.get("inference-header-content-length") ?? body.length);
  return {
    status: response.status,
    json: JSON.parse(body.subarray(0, jsonLength).toString("utf8")) as Record<string, unknown>,
    binary: body.subarray(jsonLength),
  };
}

function assertNear(actual: ArrayLike<number>, expected: Float32Array): void {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < actual.length; i++) {
    assert.ok(Math.abs(actual[i]! - expected[i]!) <= 1e-5, `${i}: ${actual[i]}, ${expected[i]}`);
  }
}
