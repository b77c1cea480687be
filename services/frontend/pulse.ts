export interface PulseOptions {
  /** Asks the peer for a sign of life. */
  readonly ping: () => void;
  /** Called once, when the peer has been silent too long. */
  readonly onSilence: (silentMs: number) => void;
  readonly intervalMs?: number;
  /** Intervals in a row without a sign of life. */
  readonly silentMax?: number;
}

/** A stopped peer shows within 1.75 s. */
const INTERVAL_MS = 350;
const SILENT_MAX = 4;

/**
 * Notices a peer that no longer answers. It counts turns of the event loop and not time: after each
 * interval the loop has read what has come, so a stall of this process, in which nothing could be
 * read, is one silent interval at most. gRPC's own keepalive takes such a stall for the peer's, and on
 * a busy machine drops peers that are alive.
 */
export class Pulse {
  readonly #options: PulseOptions;
  readonly #timer: NodeJS.Timeout;
  #silentCount = 0;

  /** Starts at once; `stop` ends it. */
  constructor(options: PulseOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tick(), options.intervalMs ?? INTERVAL_MS);
  }

  /** A sign of life: anything that came from the peer. */
  beat(): void {
    this.#silentCount = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const { ping, onSilence, intervalMs = INTERVAL_MS, silentMax = SILENT_MAX } = this.#options;
    if (this.#silentCount >= silentMax) {
      this.stop();
      onSilence(this.#silentCount * intervalMs);
      return;
    }
    this.#silentCount++;
    ping();
  }
}
