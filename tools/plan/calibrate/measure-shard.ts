import { Random } from "../../../lib/random.js";
import type { ShardDescription } from "../../../lib/rpc/describe-client.js";
import { calibrationTableOf } from "./calibration-model.js";
import {
  type CalibrationShape,
  drawLookup,
  formatShape,
  sweepLookup,
} from "./calibration-shapes.js";
import { type FittedCosts, fittedUs, type MeasuredShape } from "./fit-costs.js";
import { ShardStream, type StreamLookup, type StreamReply } from "./shard-stream.js";

/** Lookups of a shape, so that one is not in the processor's cache because it was just answered. */
const LOOKUPS_A_SHAPE = 16;
/** Turns of a shape; the least counts, for whatever disturbs a turn adds to it. */
const TURNS = 5;
const SWEEP_ROWS = 10_000;

export interface MeasureOptions {
  readonly address: string;
  readonly rowCount: number;
  readonly seed: number;
  /** Time for one turn of one shape. */
  readonly turnSeconds: number;
  readonly onStep: () => void;
}

/** What lookups cost a shard process, by its own CPU clock. */
export interface ShardMeasurement {
  readonly shapes: readonly MeasuredShape[];
  /** CPU of this process for one lookup that is as small as can be. */
  readonly clientMessageUs: number;
}

/** One lookup of a kind that misses: what the rest costs is taken off by the fitted costs. */
export interface MeasuredMiss {
  readonly shape: CalibrationShape;
  readonly cpuUs: number;
  readonly blocksRead: number;
  /** CPU a block, without what hits would cost. */
  readonly blockUs: number;
}

/** Measures every shape in turns, with one lookup in flight and every row in memory. */
export async function measureHits(
  shapes: readonly CalibrationShape[],
  options: MeasureOptions,
): Promise<ShardMeasurement> {
  const shard = await connect(options);
  try {
    await warmUp(shard, options.rowCount);
    const lookups = shapes.map((shape) => shard.draw(shape, false));
    const turns = shapes.map((): Turn[] => []);
    // One round that does not count: the shard compiles what it runs often.
    for (let round = 0; round <= TURNS; round++) {
      for (const [i, ready] of lookups.entries()) {
        const seconds = round === 0 ? options.turnSeconds / 2 : options.turnSeconds;
        const turn = await shard.turn(ready, seconds);
        if (round > 0) turns[i]!.push(turn);
        options.onStep();
      }
    }
    return {
      shapes: shapes.map((shape, i) => ({
        shape,
        cpuUs: leastOf(turns[i]!.map((turn) => turn.cpuUs)),
      })),
      clientMessageUs: leastOf(turns[0]!.map((turn) => turn.clientCpuUs)),
    };
  } finally {
    shard.close();
  }
}

/** Rounds of a hit measurement, for progress. */
export const HIT_ROUNDS = TURNS + 1;

/** Measures lookups of rows that are not in memory: what a block costs on top of its rows. */
export async function measureMisses(
  shapes: readonly CalibrationShape[],
  costs: FittedCosts,
  options: MeasureOptions,
): Promise<MeasuredMiss[]> {
  const shard = await connect(options);
  try {
    const measured: MeasuredMiss[] = [];
    for (const shape of shapes) {
      const ready = shard.draw(shape, true);
      await shard.turn(ready, options.turnSeconds / 2);
      const turns: Turn[] = [];
      for (let turn = 0; turn < TURNS; turn++) {
        turns.push(await shard.turn(ready, options.turnSeconds));
      }
      options.onStep();
      const cpuUs = leastOf(turns.map((turn) => turn.cpuUs));
      const blocksRead = leastOf(turns.map((turn) => turn.blocksRead));
      const blockUs = (cpuUs - fittedUs(costs, shape)) / Math.max(1, blocksRead);
      measured.push({ shape, cpuUs, blocksRead, blockUs });
    }
    return measured;
  } finally {
    shard.close();
  }
}

interface Turn {
  readonly cpuUs: number;
  readonly clientCpuUs: number;
  readonly blocksRead: number;
}

interface ConnectedShard {
  readonly description: ShardDescription;
  readonly stream: ShardStream;
  draw(shape: CalibrationShape, isUniform: boolean): StreamLookup[];
  /** Sends lookups one after another for so long. */
  turn(lookups: readonly StreamLookup[], seconds: number): Promise<Turn>;
  close(): void;
}

async function connect({ address, rowCount, seed }: MeasureOptions): Promise<ConnectedShard> {
  const stream = new ShardStream(address);
  const description = await stream.describe();
  const numbers = new Map(description.partitions.map(({ table, number }) => [table, number]));
  return {
    description,
    stream,
    draw: (shape, isUniform) => {
      const random = new Random(seed, formatShape(shape));
      const partition = numbers.get(calibrationTableOf(shape.dtype, shape.embeddingDim)) ?? 0;
      // Rows that miss must not come again before others have taken their place.
      const count = isUniform ? LOOKUPS_A_SHAPE * 16 : LOOKUPS_A_SHAPE;
      return Array.from({ length: count }, () =>
        drawLookup(shape, partition, rowCount, random, { isUniform }),
      );
    },
    turn: async (lookups, seconds) => {
      const cpuBefore = Number((await stream.describe()).cpuUs);
      const ownBefore = process.cpuUsage();
      const endMs = performance.now() + seconds * 1000;
      let count = 0;
      let blocks = 0;
      do {
        blocks += (await stream.lookup(lookups[count % lookups.length]!)).blocksRead;
        count++;
      } while (performance.now() < endMs);
      const own = process.cpuUsage(ownBefore);
      const cpuUs = (Number((await stream.describe()).cpuUs) - cpuBefore) / count;
      return { cpuUs, clientCpuUs: (own.user + own.system) / count, blocksRead: blocks / count };
    },
    close: () => stream.close(),
  };
}

/** Reads every row until a sweep misses nothing, or admission lets no more in. */
async function warmUp({ stream, description }: ConnectedShard, rowCount: number): Promise<void> {
  let missedBefore = Number.POSITIVE_INFINITY;
  for (;;) {
    let missed = 0;
    for (const { number } of description.partitions) {
      for (let start = 0; start < rowCount; start += SWEEP_ROWS) {
        const end = Math.min(rowCount, start + SWEEP_ROWS);
        const reply: StreamReply = await stream.lookup(sweepLookup(number, start, end));
        missed += reply.rowsMissed;
      }
    }
    if (missed === 0 || missed >= missedBefore) return;
    missedBefore = missed;
  }
}

function leastOf(values: readonly number[]): number {
  return values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
}
