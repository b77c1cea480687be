import { SingleBar } from "cli-progress";

/** Progress of one long step, on standard error. */
export interface Progress {
  /** Says how far the step is; `done` of the total given at the start. */
  update(done: number): void;
  /** Ends the step; says what came of it in a few words. */
  finish(outcome?: string): void;
}

/** Refreshes a second; more only costs time. */
const REFRESHES_PER_SECOND = 10;

/**
 * Starts showing a step: a bar on a terminal, one line at its end elsewhere. Nothing is printed on
 * standard output, which belongs to the command's answer.
 *
 * @param label What is being done, for instance `making tables`.
 * @param unit What is counted, in the plural, for instance `rows`.
 */
export function startProgress(label: string, total: number, unit: string): Progress {
  const startedAtMs = performance.now();
  const seconds = (): string => `${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`;
  if (!process.stderr.isTTY) {
    return {
      update: () => {},
      finish: (outcome) =>
        console.error(`${label}: ${outcome ?? `${total} ${unit}`}, ${seconds()}`),
    };
  }
  const bar = new SingleBar({
    format: `${label} {bar} {percentage}% of {total} ${unit}, {eta_formatted} left`,
    fps: REFRESHES_PER_SECOND,
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    barsize: 24,
  });
  bar.start(total, 0);
  return {
    update: (done) => bar.update(done),
    finish: (outcome) => {
      bar.stop();
      console.error(`${label}: ${outcome ?? `${total} ${unit}`}, ${seconds()}`);
    },
  };
}
