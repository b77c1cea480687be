import { z } from "zod";

const FACTORS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};

/** A size on a command line: bytes, or a number with KiB, MiB, GiB or TiB. Gives whole bytes. */
export const byteSize = z.string().transform((text, context): number => {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const factor = FACTORS[match?.[2]?.toLowerCase() ?? "none"];
  const bytes = Number(match?.[1]) * (factor ?? Number.NaN);
  if (Number.isSafeInteger(Math.round(bytes))) return Math.round(bytes);
  context.issues.push({
    code: "custom",
    input: text,
    message: "must be a number of bytes, or one with KiB, MiB, GiB or TiB",
  });
  return z.NEVER;
});
