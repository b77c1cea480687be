import type { Parameters } from "./infer-request-codec.js";
import { invalidInput } from "./input-tensor.js";
import { PRIORITY_DEFAULT, PRIORITY_LEVELS } from "./query.js";
import { type OutputName, outputsOf, type ServedModel } from "./served-model.js";

/** What a request asks for beside its inputs. */
export interface InferOptions {
  readonly outputs: readonly OutputName[];
  /** 1 to PRIORITY_LEVELS. */
  readonly priority: number;
  /** Infinity unless the request sets it. */
  readonly timeoutMs: number;
  /** Give the stage times back as parameters. */
  readonly wantsTimings: boolean;
}

/**
 * Reads the requested outputs and the parameters `priority`, `timeout` (microseconds) and `timings`;
 * other parameters are other servers' and mean nothing here.
 *
 * @throws ShardpoolError REQUEST_INVALID naming the output or parameter.
 */
export function readInferOptions(
  model: ServedModel,
  outputs: readonly { readonly name: string }[],
  parameters: Parameters,
): InferOptions {
  const timeoutUs = readCount(parameters, "timeout");
  return {
    outputs: readOutputs(model, outputs),
    priority: readPriority(parameters),
    timeoutMs: timeoutUs === undefined || timeoutUs === 0 ? Infinity : timeoutUs / 1000,
    wantsTimings: readFlag(parameters, "timings"),
  };
}

function readOutputs(
  model: ServedModel,
  requested: readonly { readonly name: string }[],
): OutputName[] {
  if (requested.length === 0) return ["probability"];
  const known = outputsOf(model).map(({ name }) => name);
  const names = requested.map(({ name }) => {
    if (known.includes(name)) return name as OutputName;
    throw invalidInput(`output ${name}`, `no such output; there are ${known.join(", ")}`);
  });
  if (new Set(names).size < names.length) throw invalidInput("outputs", "one is asked for twice");
  return names;
}

/** 1 is the highest and 0 the default, as Triton has it. */
function readPriority(parameters: Parameters): number {
  const priority = readCount(parameters, "priority") ?? 0;
  if (priority > PRIORITY_LEVELS) {
    throw invalidInput("parameter priority", `${priority}, must be 0 to ${PRIORITY_LEVELS}`);
  }
  return priority === 0 ? PRIORITY_DEFAULT : priority;
}

function readCount(parameters: Parameters, name: string): number | undefined {
  const value = parameters.get(name);
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalidInput(`parameter ${name}`, "must be a whole number from 0");
}

function readFlag(parameters: Parameters, name: string): boolean {
  const value = parameters.get(name);
  if (value === undefined) return false;
  if (typeof value === "boolean") return value;
  throw invalidInput(`parameter ${name}`, "must be a bool");
}
