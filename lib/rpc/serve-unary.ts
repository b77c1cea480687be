import { ShardpoolError } from "../errors.js";
import type { Logger } from "../log.js";
import { type ArrivingCall, FirstBytes, parseGrpcTimeout } from "./arriving-call.js";
import type { GrpcServerCall } from "./grpc-server-call.js";

/** A call whose message has come. */
export interface IncomingUnary {
  readonly traceparent: string | undefined;
  /** Milliseconds the caller still waits; Infinity for ever. */
  readonly timeoutMs: number;
  /** Calls back when the caller has gone; it may come after the answer too, when it means nothing. */
  onCancel(callback: () => void): void;
}

export interface UnaryServing {
  readonly messageBytesMax: number;
  readonly log: Logger;
  /**
   * Lets a call go on whose message is still on its way, or throws: an overloaded server that first
   * receives what it will not serve has no time left to serve the rest. Messages that are whole with
   * their first piece are not asked about.
   *
   * @returns What is called, at least once, when the message is whole, before `handle`, or the call is over.
   * @throws ShardpoolError when the call will not be answered.
   */
  admit?(call: ArrivingCall): (() => void) | undefined;
  /** @param message Its bytes last until `handle` first waits. */
  handle(message: Buffer, call: IncomingUnary): Promise<Uint8Array>;
}

/** Serves a unary call. */
export function serveUnary(call: GrpcServerCall, serving: UnaryServing): void {
  const { messageBytesMax } = serving;
  const first = new FirstBytes(call.headers, messageBytesMax);
  let whole = (): void => {};
  let cancel = (): void => {};
  let isTaken = false;
  call.start(
    {
      onPiece: (piece) => {
        const arriving = first.push(piece);
        if (arriving) whole = serving.admit?.(arriving) ?? whole;
      },
      onMessage: (message) => {
        whole();
        if (isTaken)
          throw new ShardpoolError("REQUEST_INVALID", "a second message in a unary call");
        isTaken = true;
        answer(call, serving, message, (callback) => {
          cancel = callback;
        });
      },
      onHalfClose: () => {
        if (!isTaken) call.fail(new ShardpoolError("REQUEST_INVALID", "a call without a message"));
      },
      onClose: () => {
        whole();
        cancel();
      },
    },
    messageBytesMax,
  );
}

function answer(
  call: GrpcServerCall,
  { handle, log }: UnaryServing,
  message: Buffer,
  onCancel: (callback: () => void) => void,
): void {
  const { headers } = call;
  const incoming = {
    traceparent: headers["traceparent"]?.toString(),
    timeoutMs: parseGrpcTimeout(headers["grpc-timeout"]),
    onCancel,
  };
  handle(message, incoming).then(
    (reply) => call.sendLast(reply),
    (error: unknown) => {
      if (!(error instanceof ShardpoolError)) log.error({ err: error }, "unexpected error");
      call.fail(error);
    },
  );
}
