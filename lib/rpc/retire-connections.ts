import { constants, type Http2Server, type ServerHttp2Session } from "node:http2";

/**
 * nghttp2 takes a burst of 1000 resets, and 33 a second after it, for an attack ("rapid reset", CVE-2023-44487) and
 * ends the connection with INTERNAL_ERROR, which fails every call on it; Node 20 has no option for either number.
 */
const RESETS_ALLOWED = 800;
const RESETS_PER_SECOND = 33;
/** Streams that were on their way when the client was told are still served. */
const RETIRE_MS = 1000;

/**
 * Asks a client that resets many streams, for instance since their deadlines pass, to go on with a new connection
 * before nghttp2 ends the one it has: GOAWAY with NO_ERROR, which fails nothing. A client that goes on resetting
 * on the old one is cut off.
 */
export function retireResetConnections(http2Server: Http2Server): void {
  const budgets = new WeakMap<ServerHttp2Session, ResetBudget>();
  http2Server.on("session", (session) => budgets.set(session, new ResetBudget(session)));
  http2Server.on("stream", (stream) => {
    const session = stream.session as ServerHttp2Session | undefined;
    stream.once("close", () => {
      const wasReset = stream.rstCode !== constants.NGHTTP2_NO_ERROR;
      if (wasReset && session) budgets.get(session)?.spend();
    });
  });
}

/** Counts one connection's resets as nghttp2 does. */
class ResetBudget {
  readonly #session: ServerHttp2Session;
  #resetCount = 0;
  #countedAt = performance.now();
  #isRetired = false;

  constructor(session: ServerHttp2Session) {
    this.#session = session;
  }

  spend(): void {
    const nowMs = performance.now();
    const forgiven = ((nowMs - this.#countedAt) / 1000) * RESETS_PER_SECOND;
    this.#resetCount = Math.max(0, this.#resetCount - forgiven) + 1;
    this.#countedAt = nowMs;
    if (this.#resetCount < RESETS_ALLOWED) return;
    if (this.#isRetired) this.#session.destroy();
    else this.#retire();
  }

  #retire(): void {
    const session = this.#session;
    this.#isRetired = true;
    this.#resetCount = 0;
    if (session.destroyed || session.closed) return;
    session.goaway(constants.NGHTTP2_NO_ERROR, 2 ** 31 - 1);
    setTimeout(() => {
      if (!session.destroyed) session.close();
    }, RETIRE_MS).unref();
  }
}
