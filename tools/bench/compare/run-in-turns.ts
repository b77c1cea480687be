import { readBenchQueries } from "../load/bench-queries.js";
import { type LatencyOptionsInput, parseLatencyOptions } from "../load/latency-options.js";
import type { LatencyResult } from "../load/latency-result.js";
import { measureQueries } from "../load/measure-queries.js";

export interface Round {
  readonly a: LatencyResult;
  readonly b: LatencyResult;
}

export interface TurnsHooks {
  readonly signal?: AbortSignal | undefined;
  readonly onRun?: (round: number, side: "a" | "b", result: LatencyResult) => void;
}

/**
 * Runs two configurations in turns, AB BA AB …, with the same arrivals in both runs of a round: what
 * drifts on the machine hits both. An interrupt ends it after the last whole round.
 *
 * @throws ShardpoolError as `runLatencyBench` does.
 */
export async function runInTurns(
  inputs: { readonly a: LatencyOptionsInput; readonly b: LatencyOptionsInput },
  roundCount: number,
  { signal, onRun }: TurnsHooks = {},
): Promise<Round[]> {
  const sources = {
    a: await readBenchQueries(parseLatencyOptions(inputs.a)),
    b: await readBenchQueries(parseLatencyOptions(inputs.b)),
  };
  const rounds: Round[] = [];
  for (let round = 0; round < roundCount; round++) {
    const results: Partial<Record<"a" | "b", LatencyResult>> = {};
    for (const side of round % 2 === 0 ? (["a", "b"] as const) : (["b", "a"] as const)) {
      const seed = (inputs[side].seed ?? 1) + round;
      const result = await measureQueries(sources[side], { ...inputs[side], seed }, { signal });
      if (result.endedBy === "interrupt") return rounds;
      results[side] = result;
      onRun?.(round, side, result);
    }
    rounds.push({ a: results.a!, b: results.b! });
  }
  return rounds;
}
