import { join } from "node:path";
import { before, describe, it } from "node:test";
import { Random } from "../../lib/random.js";
import { assertInterruptible } from "../support/interrupt-rounds.js";
import { tempFolder } from "../support/temp-folder.js";
import { makeTinyModel, type TinyModelFiles } from "../support/tiny-cluster.js";

const ROUNDS = Number(process.env["INTERRUPT_ROUNDS"] ?? 2);

/** A command that writes and starts processes, stopped by Ctrl-C at any moment. */
describe("Ctrl-C", { skip: process.platform !== "linux" && "looks for processes in /proc" }, () => {
  const folder = tempFolder();
  let files: TinyModelFiles;

  before(async () => {
    files = await makeTinyModel(join(folder, "made"), 2);
  });

  it("leaves nothing of cluster up", async () => {
    await assertInterruptible({
      args: (dir) => [
        ...["cluster", "up", "--model", files.modelDir, "--plan", files.planFile, "--dir", dir],
        ...["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0"],
      ],
      folder: join(folder, "cluster"),
      rounds: ROUNDS,
      delayMsMax: 3000,
      random: new Random(1, "cluster up"),
    });
  });

  it("leaves nothing of the demo", async () => {
    await assertInterruptible({
      args: (dir) => [
        ...["demo", "--dir", dir, "--rows", "100000", "--samples", "2000"],
        ...["--shards", "2", "--seconds", "3"],
      ],
      folder: join(folder, "demo"),
      rounds: ROUNDS,
      delayMsMax: 5000,
      random: new Random(2, "demo"),
    });
  });
});
