/** What a dense part answers; see `DenseSession.run`. */
export interface Answers {
  readonly logit?: Float32Array | undefined;
  readonly probability: Float32Array;
}

/** Gathers how far two models' answers to the same samples are apart. */
export class AnswerDifferences {
  readonly #before: Float32Array[] = [];
  readonly #after: Float32Array[] = [];
  #sampleCount = 0;
  #hasLogit = true;
  readonly #logit = { max: 0, sum: 0 };
  readonly #probability = { max: 0, sum: 0 };

  add(before: Answers, after: Answers): void {
    this.#sampleCount += before.probability.length;
    addTo(this.#probability, before.probability, after.probability);
    if (before.logit && after.logit) addTo(this.#logit, before.logit, after.logit);
    else this.#hasLogit = false;
    this.#before.push(before.probability.slice());
    this.#after.push(after.probability.slice());
  }

  summary(): {
    readonly sampleCount: number;
    readonly logit: { readonly max: number; readonly mean: number } | null;
    readonly probability: { readonly max: number; readonly mean: number };
  } {
    const meanOf = (sum: number): number => (this.#sampleCount === 0 ? 0 : sum / this.#sampleCount);
    return {
      sampleCount: this.#sampleCount,
      logit: this.#hasLogit ? { max: this.#logit.max, mean: meanOf(this.#logit.sum) } : null,
      probability: { max: this.#probability.max, mean: meanOf(this.#probability.sum) },
    };
  }

  probabilitiesBefore(): Float32Array {
    return joined(this.#before, this.#sampleCount);
  }

  probabilitiesAfter(): Float32Array {
    return joined(this.#after, this.#sampleCount);
  }
}

function addTo(
  difference: { max: number; sum: number },
  before: Float32Array,
  after: Float32Array,
): void {
  for (let i = 0; i < before.length; i++) {
    const error = Math.abs(after[i]! - before[i]!);
    difference.max = Math.max(difference.max, error);
    difference.sum += error;
  }
}

function joined(parts: readonly Float32Array[], length: number): Float32Array {
  const whole = new Float32Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
