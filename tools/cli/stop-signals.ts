/** What a shell reports for a process ended by Ctrl-C: 128 + SIGINT. */
export const EXIT_INTERRUPTED = 130;

const STOP_SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * Makes Ctrl-C and SIGTERM end the process through `process.exit`, so that half-written files go,
 * unless a command has taken the signal over by a listener of its own.
 */
export function exitOnStopSignals(): void {
  for (const signal of STOP_SIGNALS) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(EXIT_INTERRUPTED);
    });
  }
}

/**
 * A signal that aborts at the first Ctrl-C or SIGTERM, for a command that has things to end in
 * order. A second Ctrl-C does not wait for them. `release` gives the signals back.
 */
export function takeOverStopSignals(): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(EXIT_INTERRUPTED);
    process.exitCode = EXIT_INTERRUPTED;
    controller.abort();
  };
  for (const signal of STOP_SIGNALS) process.on(signal, stop);
  return {
    signal: controller.signal,
    release: () => {
      for (const signal of STOP_SIGNALS) process.off(signal, stop);
    },
  };
}
