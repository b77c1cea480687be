import type { Clock } from "../../lib/clock.js";
import { type ErrorCode, ShardpoolError } from "../../lib/errors.js";
import type { FrontendMetrics } from "./frontend-metrics.js";
import type { InferOptions } from "./infer-options.js";
import type { InputTensor } from "./input-tensor.js";
import type { ModelStatistics } from "./model-statistics.js";
import type { QueryAnswer, QueryService } from "./query-service.js";
import { QueryTrace } from "./query-trace.js";
import type { SlowQueryLog } from "./slow-query-log.js";

/** What a protocol knows of a call before it has read the query. */
export interface IncomingCall {
  readonly protocol: "grpc" | "http";
  /** Name of the query's span. */
  readonly spanName: string;
  readonly traceparent: string | undefined;
}

/** A query as a protocol hands it in. */
export interface IncomingQuery {
  /** The client's own name for it, or "". */
  readonly requestId: string;
  readonly tensors: ReadonlyMap<string, InputTensor>;
  readonly options: InferOptions;
  /** What the protocol's deadline leaves; Infinity for none. */
  readonly timeoutMs: number;
}

export interface DeskOptions {
  readonly queries: QueryService;
  readonly metrics: FrontendMetrics;
  readonly statistics: ModelStatistics;
  readonly slowQueries: SlowQueryLog;
  readonly clock: Clock;
}

/** A query that was answered, as `read` gave it. */
export interface AnsweredQuery<Q extends IncomingQuery> {
  readonly query: Q;
  readonly answer: QueryAnswer;
}

/** The one way in for queries of every protocol: it counts, times and traces them. */
export class QueryDesk {
  readonly #options: DeskOptions;

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /**
   * Answers a query.
   *
   * @param read Decodes the query; what it throws counts as the query's end.
   * @param onCancel Is given what cancels the query, once it has been taken in.
   * @throws ShardpoolError from `read`, and as `QueryService.submit` does.
   */
  async answer<Q extends IncomingQuery>(
    call: IncomingCall,
    read: () => Q,
    onCancel: (cancel: () => void) => void,
  ): Promise<AnsweredQuery<Q>> {
    const { queries, clock } = this.#options;
    const startedAt = clock.nowMs();
    const trace = new QueryTrace({
      name: call.spanName,
      traceparent: call.traceparent,
      startedAt,
    });
    try {
      const query = read();
      const { requestId, tensors, options, timeoutMs } = query;
      const pending = queries.submit(tensors, options, timeoutMs, trace);
      onCancel(() => pending.cancel());
      const answer = await pending.answer;
      this.#recordAnswer(call, requestId, trace, answer);
      return { query, answer };
    } catch (error) {
      this.#recordFailure(call, trace, startedAt, error);
      throw error;
    }
  }

  /**
   * Keeps a place for a query that is still arriving. A refusal ends the query, and is counted as such.
   *
   * @param timeoutMs What the protocol's deadline leaves; Infinity for none.
   * @returns Gives the place back; to be called before `answer`.
   * @throws ShardpoolError as `QueryService.reserve` does.
   */
  reserve(
    call: IncomingCall,
    sampleCount: number,
    options: Pick<InferOptions, "priority" | "timeoutMs">,
    timeoutMs: number,
  ): () => void {
    const { queries, clock } = this.#options;
    try {
      return queries.reserve(sampleCount, options, timeoutMs);
    } catch (error) {
      const startedAt = clock.nowMs();
      const { spanName: name, traceparent } = call;
      this.#recordFailure(call, new QueryTrace({ name, traceparent, startedAt }), startedAt, error);
      throw error;
    }
  }

  #recordAnswer(
    { protocol }: IncomingCall,
    requestId: string,
    trace: QueryTrace,
    answer: QueryAnswer,
  ): void {
    const { metrics, statistics, slowQueries, clock, queries } = this.#options;
    const { result, totalUs, sampleCount, defaultRowCount } = answer;
    metrics.recordQuery(protocol, "OK");
    metrics.recordAnswer(result.stages, totalUs, sampleCount, defaultRowCount);
    statistics.recordAnswer(result.stages, totalUs, sampleCount, clock.wallMs());
    slowQueries.record({ protocol, requestId, traceId: trace.traceId, answer });
    trace.end(clock.nowMs(), "OK", {
      "shardpool.model": queries.model.manifest.name,
      "shardpool.request_id": requestId,
      "shardpool.samples": sampleCount,
      "shardpool.plan_epoch": answer.planEpoch,
      "shardpool.default_rows": defaultRowCount,
    });
  }

  #recordFailure(
    { protocol }: IncomingCall,
    trace: QueryTrace,
    startedAt: number,
    error: unknown,
  ): void {
    const { metrics, statistics, clock } = this.#options;
    const code: ErrorCode | "INTERNAL" = error instanceof ShardpoolError ? error.code : "INTERNAL";
    const endedAt = clock.nowMs();
    metrics.recordQuery(protocol, code);
    statistics.recordFailure((endedAt - startedAt) * 1000, clock.wallMs());
    trace.end(endedAt, code, {});
  }
}
