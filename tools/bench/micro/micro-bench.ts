/** One benchmark of one part. Each has a file of its own; `registry.ts` lists them. */
export interface MicroBench {
  /** What `bench micro` knows it by: it says the workload, as `lookup-hot`. */
  readonly name: string;
  /** One line for `--list`. */
  readonly summary: string;
  /**
   * Makes what it needs, proves the result right, then times it through `context.measure`. It runs in
   * a process of its own and closes what it opens.
   */
  run(context: MicroContext): Promise<void>;
}

/** What the frame gives a benchmark. */
export interface MicroContext {
  /** Time to spend on the turns of one result. */
  readonly seconds: number;
  readonly seed: number;
  /** Share of the workload's rows to use: 1, and less for a quick look. */
  readonly scale: number;
  /** For what is costly to make and named by its parameters; later runs find it there. */
  readonly cacheDir: string;
  /** Empty at the start, removed at the end. */
  readonly runDir: string;
  /** A step that takes a while, for people; on standard error. */
  note(step: string): void;
  /** Times subject and baseline in turns and prints the result. */
  measure(comparison: Comparison): Promise<MicroResult>;
  /** Prints a result that was measured by other means. */
  print(result: Omit<MicroResult, "name">): MicroResult;
}

/** What is measured against what. Both do the same work on the same data. */
export interface Comparison {
  /** Which of the benchmark's results this is, for one that prints several. */
  readonly case?: string;
  /** Of the values that turns give, for instance `rows/s`. */
  readonly unit: string;
  readonly better: "higher" | "lower";
  /** Outcome of the check that ran before: the subject's answer is what it has to be. */
  readonly correct: boolean;
  readonly subject: Contender;
  readonly baseline: Contender;
  /** Further fields of the result, worked out from the two medians. */
  readonly details?: (value: number, baseline: number) => Readonly<Record<string, unknown>>;
}

/** One side of a comparison. */
export interface Contender {
  readonly name: string;
  /** Measures once for about this long. */
  turn(seconds: number): Promise<TurnValue>;
}

export interface TurnValue {
  /** In the comparison's unit, by the wall clock. */
  readonly value: number;
  /** The same by processor time: steadier on a machine that others use. Absent where it means nothing. */
  readonly cpuValue?: number;
}

/** One line of `--json`. */
export interface MicroResult {
  readonly name: string;
  readonly case?: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  /** Median of the turns. */
  readonly value: number;
  readonly baseline: { readonly name: string; readonly value: number };
  /** `value` over the baseline's. */
  readonly ratio: number;
  /** The same from processor time. */
  readonly cpuRatio?: number;
  /** First and third quartile of the turns, as shares of the median. */
  readonly spread?: {
    readonly value: readonly [number, number];
    readonly baseline: readonly [number, number];
  };
  readonly turns?: number;
  readonly correct: boolean;
  readonly [detail: string]: unknown;
}
