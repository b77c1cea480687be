import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type ServiceError, status } from "@grpc/grpc-js";
import type { ErrorCode } from "../../../lib/errors.js";
import type { GoldenRequests } from "../../../lib/model/golden.js";
import { ERROR_CODE_TRAILER } from "../../../lib/rpc/grpc-status.js";
import {
  encodeMessage,
  goldenMessage,
  type InferMessage,
  RawInferClient,
  rawBytes,
} from "../../support/infer-message.js";
import { policyPlan, writePolicyModel } from "../../support/policy-model.js";
import { type ServedPlan, servePlan } from "../../support/served-plan.js";
import { tempFolder } from "../../support/temp-folder.js";

const MESSAGE_BYTES_MAX = 16 * 1024;

describe("a bad gRPC query", () => {
  const folder = tempFolder();
  let served: ServedPlan;
  let golden: GoldenRequests;
  let client: RawInferClient;

  before(async () => {
    const model = await writePolicyModel(folder);
    golden = await model.readGolden();
    served = await servePlan(folder, `${folder}/policy-model`, policyPlan(model), {
      messageBytesMax: MESSAGE_BYTES_MAX,
      querySampleCountMax: 50,
      queryValueCountMax: 200,
    });
    client = new RawInferClient(served.frontend.address);
  });

  after(async () => {
    client?.close();
    await served?.close();
  });

  const refused: readonly {
    readonly what: string;
    readonly code: ErrorCode;
    readonly names: RegExp;
    readonly change: (message: InferMessage) => unknown;
    readonly form?: "typed";
  }[] = [
    {
      what: "an unknown model",
      code: "MODEL_NOT_FOUND",
      names: /no model other/,
      change: (message) => {
        message.modelName = "other";
      },
    },
    {
      what: "an unknown version",
      code: "MODEL_NOT_FOUND",
      names: /version 9/,
      change: (message) => {
        message.modelVersion = "9";
      },
    },
    {
      what: "an unknown input",
      code: "REQUEST_INVALID",
      names: /extra: no such input/,
      change: (message) => {
        message.inputs.push({ name: "extra", datatype: "FP32", shape: [0] });
        message.rawInputContents!.push(new Uint8Array(0));
      },
    },
    {
      what: "a missing input",
      code: "REQUEST_INVALID",
      names: /values: is missing/,
      change: (message) => {
        message.inputs.pop();
        message.rawInputContents!.pop();
      },
    },
    {
      what: "an input given twice",
      code: "REQUEST_INVALID",
      names: /dense: is given twice/,
      change: (message) => {
        message.inputs.push(message.inputs[0]!);
        message.rawInputContents!.push(message.rawInputContents![0]!);
      },
    },
    {
      what: "a wrong datatype",
      code: "REQUEST_INVALID",
      names: /lengths: datatype INT64, must be INT32/,
      change: (message) => {
        message.inputs[1]!.datatype = "INT64";
        message.rawInputContents![1] = rawBytes("INT64", golden.batch.lengths);
      },
    },
    {
      what: "a datatype of no input",
      code: "REQUEST_INVALID",
      names: /dense: datatype BYTES/,
      change: (message) => {
        message.inputs[0]!.datatype = "BYTES";
      },
    },
    {
      what: "a wrong shape",
      code: "REQUEST_INVALID",
      names: /dense: shape \[2, 3\]/,
      change: (message) => {
        message.inputs[0]!.shape = [2, 3];
      },
    },
    {
      what: "a negative size",
      code: "REQUEST_INVALID",
      names: /dense: shape \[-3,-2\]/,
      change: (message) => {
        message.inputs[0]!.shape = [-3, -2];
      },
    },
    {
      what: "raw contents of the wrong size",
      code: "REQUEST_INVALID",
      names: /values: 79 raw bytes/,
      change: (message) => {
        message.rawInputContents![2] = message.rawInputContents![2]!.subarray(1);
      },
    },
    {
      what: "raw contents for some inputs only",
      code: "REQUEST_INVALID",
      names: /raw_input_contents: 2 entries for 3 inputs/,
      change: (message) => message.rawInputContents!.pop(),
    },
    {
      what: "raw and typed contents of one input",
      code: "REQUEST_INVALID",
      names: /dense: has contents and raw_input_contents/,
      change: (message) => {
        message.inputs[0]!.contents = { fp32Contents: [...golden.denseFeatures] };
      },
    },
    {
      what: "typed contents of another datatype",
      form: "typed",
      code: "REQUEST_INVALID",
      names: /dense: int64_contents is filled/,
      change: (message) => {
        message.inputs[0]!.contents = { int64Contents: [1, 2, 3, 4, 5, 6] };
      },
    },
    {
      what: "too few typed contents",
      form: "typed",
      code: "REQUEST_INVALID",
      names: /dense: 1 values/,
      change: (message) => {
        message.inputs[0]!.contents = { fp32Contents: [1] };
      },
    },
    {
      what: "lengths that do not sum to the values",
      code: "REQUEST_INVALID",
      names: /lengths: they sum to 11, values has 10/,
      change: (message) => {
        const lengths = golden.batch.lengths.slice();
        lengths[0]!++;
        message.rawInputContents![1] = rawBytes("INT32", lengths);
      },
    },
    {
      what: "a negative length",
      code: "REQUEST_INVALID",
      names: /lengths: bag 2 has a negative length/,
      change: (message) => {
        const lengths = golden.batch.lengths.slice();
        lengths[2] = -1;
        message.rawInputContents![1] = rawBytes("INT32", lengths);
      },
    },
    {
      what: "a dense feature that is not finite",
      code: "REQUEST_INVALID",
      names: /dense: value 1 is NaN/,
      change: (message) => {
        message.rawInputContents![0] = rawBytes("FP32", [1, Number.NaN, 3, 4, 5, 6]);
      },
    },
    {
      what: "a negative id where the policy is error",
      code: "ROW_OUT_OF_RANGE",
      names: /feature strict, sample 0/,
      change: (message) => {
        message.rawInputContents![2] = rawBytes("INT64", [-1, 5, 5, 0, 1, 2, 19, 29, 7, 11]);
      },
    },
    {
      what: "an id not below the row count where the policy is error",
      code: "ROW_OUT_OF_RANGE",
      names: /feature strict, sample 0: row id 20 is not below 20/,
      change: (message) => {
        message.rawInputContents![2] = rawBytes("INT64", [20, 5, 5, 0, 1, 2, 19, 29, 7, 11]);
      },
    },
    {
      what: "an id beyond 32 bits where the policy is error",
      code: "ROW_OUT_OF_RANGE",
      names: /feature strict, sample 0/,
      change: (message) => {
        message.rawInputContents![2] = rawBytes("INT64", [2 ** 32, 5, 5, 0, 1, 2, 19, 29, 7, 11]);
      },
    },
    {
      what: "an unknown output",
      code: "REQUEST_INVALID",
      names: /output score: no such output/,
      change: (message) => {
        message.outputs = [{ name: "score" }];
      },
    },
    {
      what: "a priority beyond the last",
      code: "REQUEST_INVALID",
      names: /parameter priority: 99/,
      change: (message) => {
        message.parameters = { priority: { uint64Param: 99 } };
      },
    },
    {
      what: "a timeout that is no number",
      code: "REQUEST_INVALID",
      names: /parameter timeout/,
      change: (message) => {
        message.parameters = { timeout: { stringParam: "soon" } };
      },
    },
    {
      what: "too many samples",
      code: "LIMIT_EXCEEDED",
      names: /lengths: 51 samples, a query has at most 50/,
      change: (message) => {
        message.inputs[1]!.shape = [3, 51];
        message.rawInputContents![1] = new Uint8Array(3 * 51 * 4);
      },
    },
    {
      what: "too many ids",
      code: "LIMIT_EXCEEDED",
      names: /values: 201 ids, a query has at most 200/,
      change: (message) => {
        message.inputs[2]!.shape = [201];
        message.rawInputContents![2] = new Uint8Array(201 * 8);
      },
    },
    {
      what: "more inputs than any request has",
      code: "REQUEST_INVALID",
      names: /inputs: more than 16/,
      change: (message) => {
        for (let i = 0; i < 20; i++) message.inputs.push({ name: "", datatype: "", shape: [] });
      },
    },
    {
      what: "a name without end",
      code: "REQUEST_INVALID",
      names: /model_name has 5000 bytes/,
      change: (message) => {
        message.modelName = "x".repeat(5000);
      },
    },
  ];

  for (const { what, code, names, change, form = "raw" } of refused) {
    it(`${what} is refused by ${code}`, async () => {
      const message = goldenMessage(golden, form);
      change(message);

      await assert.rejects(client.infer(message), (error: ServiceError) => {
        assert.equal(error.metadata.get(ERROR_CODE_TRAILER)[0], code);
        assert.match(error.details, names);
        return true;
      });
    });
  }

  it("refuses weights on a mean feature", async () => {
    const meanModel = await writePolicyModel(folder, true);
    const meanServed = await servePlan(folder, `${folder}/mean-model`, policyPlan(meanModel));
    const meanClient = new RawInferClient(meanServed.frontend.address);
    try {
      const message = goldenMessage(golden, "raw");
      message.inputs.push({ name: "weights", datatype: "FP32", shape: [10] });
      message.rawInputContents!.push(new Uint8Array(40));

      await assert.rejects(meanClient.infer(message), (error: ServiceError) => {
        assert.equal(error.metadata.get(ERROR_CODE_TRAILER)[0], "REQUEST_INVALID");
        assert.match(error.details, /weights: feature skipped pools by mean/);
        return true;
      });
    } finally {
      meanClient.close();
      await meanServed.close();
    }
  });

  it("refuses bytes that are no message", async () => {
    const bytes = Uint8Array.from(encodeMessage(goldenMessage(golden, "raw"))).subarray(0, 40);

    await assert.rejects(client.infer(bytes), (error: ServiceError) => {
      assert.equal(error.code, status.INVALID_ARGUMENT);
      assert.equal(error.metadata.get(ERROR_CODE_TRAILER)[0], "REQUEST_INVALID");
      return true;
    });
  });

  it("refuses a message over the limit with both sizes", async () => {
    await assert.rejects(
      client.infer(new Uint8Array(MESSAGE_BYTES_MAX + 1)),
      (error: ServiceError) => {
        assert.equal(error.code, status.RESOURCE_EXHAUSTED);
        assert.equal(error.metadata.get(ERROR_CODE_TRAILER)[0], "LIMIT_EXCEEDED");
        assert.match(error.details, /16385 bytes, the limit is 16384/);
        return true;
      },
    );
  });

  it("gives a query up after its timeout parameter", async () => {
    const message = goldenMessage(golden, "raw");
    message.parameters = { timeout: { int64Param: 1 } };

    await assert.rejects(client.infer(message), { code: status.DEADLINE_EXCEEDED });
  });
});
