import { bytesOf } from "./byte-views.js";
import type { InferOptions } from "./infer-options.js";
import { answerParametersOf, type OutputTensor, outputOf } from "./infer-response.js";
import type { QueryAnswer } from "./query-service.js";
import type { RestRequest } from "./rest-request.js";
import type { ServedModel } from "./served-model.js";

/** An answer of the REST twin. */
export interface RestResponse {
  readonly body: Buffer;
  /** Bytes of JSON at its start, when binary data follows; undefined: it is JSON alone. */
  readonly jsonLength: number | undefined;
}

/** The answer as JSON; outputs that are wanted as bytes follow it in their order. */
export function restResponseOf(
  model: ServedModel,
  request: RestRequest,
  options: InferOptions,
  answer: QueryAnswer,
): RestResponse {
  const binary = new Set(
    options.outputs.filter((name) => {
      const asked = request.outputs.find((output) => output.name === name);
      return asked?.isBinary ?? request.binaryByDefault;
    }),
  );
  const tensors = options.outputs.map((name) => outputOf(name, answer));
  const json = Buffer.from(
    JSON.stringify({
      model_name: model.manifest.name,
      model_version: model.manifest.version,
      ...(request.id !== "" && { id: request.id }),
      parameters: answerParametersOf(options, answer),
      outputs: tensors.map((tensor) => describe(tensor, binary.has(tensor.name))),
    }),
  );
  if (binary.size === 0) return { body: json, jsonLength: undefined };
  const parts = tensors.filter(({ name }) => binary.has(name)).map(({ values }) => bytesOf(values));
  return { body: Buffer.concat([json, ...parts]), jsonLength: json.length };
}

function describe({ name, shape, values }: OutputTensor, isBinary: boolean) {
  const described = { name, datatype: "FP32", shape };
  return isBinary
    ? { ...described, parameters: { binary_data_size: values.byteLength } }
    : { ...described, data: [...values] };
}
