import type { BenchQueries } from "./bench-queries.js";
import type { InferenceClient } from "./inference-client.js";
import { shuffleIds } from "./load-query.js";
import { LoadRecorder } from "./load-recorder.js";
import { prepareQueries } from "./prepared-queries.js";
import { runClosedLoop } from "./query-run.js";
import { servedAuc } from "./served-auc.js";

/** Keeps server and client busy; no latency is taken from this pass. */
const CONCURRENCY = 4;

/**
 * AUC of a pass over the queries with each feature's row ids shuffled over all samples. Served well
 * below the AUC of the true ids, it shows that the answers come from the rows asked for. `null` when
 * the labels that got an answer are of one kind.
 */
export async function measureShuffledAuc(
  client: InferenceClient,
  source: BenchQueries,
  { seed, queryCountMax }: { readonly seed: number; readonly queryCountMax: number },
): Promise<number | null> {
  const { name, version } = source.manifest;
  const queries = prepareQueries(shuffleIds(source.queries.slice(0, queryCountMax), seed), {
    modelName: name,
    modelVersion: version,
    timings: false,
  });
  const recorder = new LoadRecorder(queries, { measureFromMs: 0, target: client.target });
  await runClosedLoop(
    {
      concurrency: CONCURRENCY,
      isOver: (sentCount) => sentCount >= queries.requests.length,
    },
    {
      send: (index, onAnswer) => client.infer(queries.requests[index]!, onAnswer),
      onOutcome: (outcome) => recorder.record(outcome),
      signal: new AbortController().signal,
    },
  );
  return servedAuc(recorder.probabilities, queries.labels)?.auc ?? null;
}
