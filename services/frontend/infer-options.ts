import type { InferParameter, InferParameters } from "./inference-wire.js";
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
  parameters: InferParameters,
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
function readPriority(parameters: InferParameters): number {
  const priority = readCount(parameters, "priority") ?? 0;
  if (priority > PRIORITY_LEVELS) {
    throw invalidInput("parameter priority", `${priority}, must be 0 to ${PRIORITY_LEVELS}`);
  }
  return priority === 0 ? PRIORITY_DEFAULT : priority;
}

function readCount(parameters: InferParameters, name: string): number | undefined {
  const parameter = own(parameters, name);
  if (!parameter) return undefined;
  const value = ownValue(parameter, "int64Param") ?? ownValue(parameter, "uint64Param");
  const count = typeof value === "object" ? value.toNumber() : value;
  if (count !== undefined && Number.isSafeInteger(count) && count >= 0) return count;
  throw invalidInput(`parameter ${name}`, "must be a whole number from 0");
}

function readFlag(parameters: InferParameters, name: string): boolean {
  const parameter = own(parameters, name);
  if (!parameter) return false;
  const value = ownValue(parameter, "boolParam");
  if (value !== undefined) return value;
  throw invalidInput(`parameter ${name}`, "must be a bool");
}

function own(parameters: InferParameters, name: string): InferParameter | undefined {
  return Object.hasOwn(parameters, name) ? parameters[name] : undefined;
}

/** The prototype of a decoded message holds defaults; only what was sent counts. */
function ownValue<K extends keyof InferParameter>(
  parameter: InferParameter,
  key: K,
): InferParameter[K] | undefined {
  return Object.hasOwn(parameter, key) ? parameter[key] : undefined;
}
