/** A shard of a strategy's plan, or the whole plan: what was expected of it and what came. */
export interface Judged {
  readonly estimatedUs: number;
  readonly measuredUs: number;
}

/** A strategy's slowest shard, by estimate and by measurement. */
export interface JudgedStrategy extends Judged {
  readonly strategy: string;
}

/** Two strategies whose order the estimate has wrong. */
export interface Disagreement {
  /** Estimated to be faster, measured to be slower. */
  readonly promised: string;
  readonly better: string;
}

export interface Judgement {
  /** Pearson's correlation of estimate and measurement over all shards; NaN when either is constant. */
  readonly correlation: number;
  /** Mean of |estimate / measurement - 1|. */
  readonly meanError: number;
  /** The same with all estimates scaled to the measurements' mean: whether the proportions are right. */
  readonly scaledError: number;
  readonly disagreements: readonly Disagreement[];
}

/** Differences below this share are no order: neither the estimate nor the clock tells them apart. */
export const TIE_SHARE = 0.1;

/** Judges estimates by shard, and the order of strategies by their slowest shard. */
export function judgeEstimates(
  shards: readonly Judged[],
  strategies: readonly JudgedStrategy[],
): Judgement {
  const estimated = shards.map((shard) => shard.estimatedUs);
  const measured = shards.map((shard) => shard.measuredUs);
  const scale = sumOf(measured) / sumOf(estimated);
  const errorOf = (factor: number): number =>
    sumOf(shards.map((shard) => Math.abs((shard.estimatedUs * factor) / shard.measuredUs - 1))) /
    shards.length;
  return {
    correlation: correlationOf(estimated, measured),
    meanError: errorOf(1),
    scaledError: errorOf(scale),
    disagreements: strategies.flatMap((a) =>
      strategies
        .filter(
          (b) =>
            isClearlyLess(a.estimatedUs, b.estimatedUs) &&
            isClearlyLess(b.measuredUs, a.measuredUs),
        )
        .map((b) => ({ promised: a.strategy, better: b.strategy })),
    ),
  };
}

function isClearlyLess(a: number, b: number): boolean {
  return a < b * (1 - TIE_SHARE);
}

function correlationOf(x: readonly number[], y: readonly number[]): number {
  const meanX = sumOf(x) / x.length;
  const meanY = sumOf(y) / y.length;
  const covariance = sumOf(x.map((value, i) => (value - meanX) * (y[i]! - meanY)));
  const varianceX = sumOf(x.map((value) => (value - meanX) ** 2));
  const varianceY = sumOf(y.map((value) => (value - meanY) ** 2));
  return covariance / Math.sqrt(varianceX * varianceY);
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
