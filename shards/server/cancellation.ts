/** Tells whoever waits that nobody wants the answer any more. An `AbortController` is one. */
export interface Cancellation {
  readonly signal: AbortSignal;
}

/**
 * A cancellation whose signal is made when it is first asked for. Most lookups find their rows in
 * memory and never ask; a controller each would cost them a microsecond and the garbage collector
 * more.
 */
export class LazyCancellation implements Cancellation {
  #controller: AbortController | undefined;
  #isCancelled = false;

  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isCancelled) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  cancel(): void {
    this.#isCancelled = true;
    this.#controller?.abort();
  }
}
